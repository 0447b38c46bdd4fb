// Philox4x32-10 with whole 64-bit products, straight from Salmon et al. 2011.
const MASK = 0xffffffffn;

export function philox4x32Reference(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & MASK, (p0 >> 32n) ^ c3 ^ k1, p0 & MASK];
    [k0, k1] = [(k0 + 0x9e3779b9n) & MASK, (k1 + 0xbb67ae85n) & MASK];
  }
  return [c0, c1, c2, c3].map(Number);
}

/** Numbers offset … offset + count − 1 of a stream, as 32-bit words. */
export function streamReference(count: number, key: readonly number[], stream: number, offset: number): number[] {
  const numbers: number[] = [];
  for (let block = Math.floor(offset / 4); numbers.length < count + (offset % 4); block++) {
    numbers.push(...philox4x32Reference([block % 2 ** 32, Math.floor(block / 2 ** 32), stream, 0], key));
  }
  return numbers.slice(offset % 4, (offset % 4) + count);
}

/** The standard normal numbers made of the same words. */
export function normalReference(count: number, key: readonly number[], stream: number, offset: number): number[] {
  const first = offset - (offset % 2);
  const words = streamReference(count + 2, key, stream, first);
  const normals: number[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((words[i] as number) + 0.5) / 2 ** 32));
    const angle = (2 * Math.PI * ((words[i + 1] as number) >>> 8)) / 2 ** 24;
    normals.push(radius * Math.cos(angle), radius * Math.sin(angle));
  }
  return normals.slice(offset - first, offset - first + count);
}
