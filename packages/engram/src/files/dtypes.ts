// The number types a safetensors file may hold, and how each is read as float32. We write F32 alone.

interface Dtype {
  /** Bytes of one number. */
  readonly bytes: number;
  /** One little-endian number. Rounded to float32 by whoever stores it there. */
  read(view: DataView, at: number): number;
}

const DTYPES: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["F64", { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
  ["F32", { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  ["F16", { bytes: 2, read: (view, at) => fromFloat16(view.getUint16(at, true)) }],
  ["BF16", { bytes: 2, read: (view, at) => fromBfloat16(view.getUint16(at, true)) }],
  ["I64", { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  ["U64", { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
  ["I32", { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  ["U32", { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  ["I16", { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  ["U16", { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  ["I8", { bytes: 1, read: (view, at) => view.getInt8(at) }],
  ["U8", { bytes: 1, read: (view, at) => view.getUint8(at) }],
  ["BOOL", { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) }],
]);

/** Names of the types that can be read. */
export const dtypeNames: readonly string[] = ["F64", "F32", "F16", "BF16", "I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8", "BOOL"];

/** Bytes of one number of a type, or undefined for a type we don't read. */
export function bytesOfDtype(name: string): number | undefined {
  return DTYPES.get(name)?.bytes;
}

/** The numbers in `bytes` as float32, in a copy of their own. */
export function toFloat32(bytes: Uint8Array, name: string): Float32Array {
  const dtype = DTYPES.get(name);
  if (dtype === undefined) throw new RangeError(`internal: dtype ${name} was not checked`);
  const numbers = new Float32Array(bytes.length / dtype.bytes);
  if (name === "F32") {
    new Uint8Array(numbers.buffer).set(bytes); // the same layout, and twenty times as fast
    return numbers;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < numbers.length; i++) numbers[i] = dtype.read(view, i * dtype.bytes);
  return numbers;
}

/** IEEE 754 half precision: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24; // zero and subnormal
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The upper half of a float32. */
function fromBfloat16(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}
