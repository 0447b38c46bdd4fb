// CRC-32 (the polynomial of zip, PNG and Ethernet): finds every error burst of up to 32 bits, which is what a worn disk or a
// bad copy makes. It is no protection against somebody who changes a file on purpose.

const POLYNOMIAL = 0xedb88320;

/** Remainders of the 256 bytes; made when a file is first read or written, since nothing happens at import. */
let table: Uint32Array | undefined;

function remainders(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
    made[byte] = remainder;
  }
  return made;
}

/**
 * CRC-32 of some bytes, as an unsigned number.
 * @param before the checksum of what came in front of them, to go on from; 0 at the start
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  table ??= remainders();
  let crc = ~before >>> 0;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
