// Numbers of JSON text as doubles, the very ones that JSON.parse gives. A long run has a million of them, each of sixteen or seventeen
// digits, and the engine's own conversion is most of the time that it takes to open one.

/** A number, and where in the text it ends; `end` is −1 where there is none that JSON allows, or one that is not worth the trouble. */
export interface Decimal {
  value: number;
  end: number;
}

const [ZERO, NINE, MINUS, PLUS, POINT] = [48, 57, 45, 43, 46] as const;
/** Powers of ten that are doubles. */
const POWERS = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** Integers of so many digits are doubles. */
const EXACT_DIGITS = 15;
/** So many digits are two doubles: the first eight times 10⁹ have 48 bits at most. */
const MOST_DIGITS = 17;
const LOW_DIGITS = 9;

/** Reads the number that begins at `from`. @param text in ASCII, or UTF-8 @param out gets the result, so that nothing is allocated */
export function readDecimal(text: Uint8Array, from: number, out: Decimal): void {
  out.end = -1;
  let at = from;
  const isNegative = text[at] === MINUS;
  if (isNegative) at++;
  // The first digits that count, and at most nine more; zeros before them do not count.
  let high = 0;
  let low = 0;
  let digits = 0;
  let lowDigits = 0;
  let scale = 0;
  const firstDigit = at;
  let point = -1;
  for (; ; at++) {
    const code = text[at] ?? 0;
    if (code >= ZERO && code <= NINE) {
      if (digits > 0 || code !== ZERO) digits++;
      if (digits <= MOST_DIGITS - LOW_DIGITS) high = 10 * high + (code - ZERO);
      else {
        low = 10 * low + (code - ZERO);
        lowDigits++;
      }
      if (point >= 0) scale++;
    } else if (code === POINT && point < 0) point = at;
    else break;
  }
  const wholeDigits = (point < 0 ? at : point) - firstDigit;
  const isWellFormed = wholeDigits > 0 && (wholeDigits === 1 || text[firstDigit] !== ZERO) && point !== at - 1;
  if (!isWellFormed || digits > MOST_DIGITS) return;
  const code = text[at];
  if (code === 69 || code === 101) {
    const end = endOfExponent(text, at);
    if (end < 0) return;
    scale -= Number(ascii(text, at + 1, end));
    at = end;
  }
  const size = scaled(high, low, lowDigits, digits, scale);
  out.value = Number.isNaN(size) ? Number(ascii(text, from, at)) : isNegative ? -size : size;
  out.end = at;
}

/** @param at where the E stands @returns where the exponent ends, or −1 where it has no digits */
function endOfExponent(text: Uint8Array, at: number): number {
  const sign = text[at + 1];
  const first = sign === MINUS || sign === PLUS ? at + 2 : at + 1;
  let end = first;
  for (let code = text[end] ?? 0; code >= ZERO && code <= NINE; code = text[++end] ?? 0);
  return end > first ? end : -1;
}

function ascii(text: Uint8Array, from: number, end: number): string {
  return String.fromCharCode(...text.subarray(from, end));
}

/** (high · 10^lowDigits + low) / 10^scale, rightly rounded; NaN where that is not certain. */
function scaled(high: number, low: number, lowDigits: number, digits: number, scale: number): number {
  const power = POWERS[Math.abs(scale)];
  if (power === undefined) return Number.NaN;
  const first = high * (POWERS[lowDigits] as number);
  // Both exact: one rounding (Clinger 1990).
  if (digits <= EXACT_DIGITS) return scale >= 0 ? (first + low) / power : (first + low) * power;
  return scale >= 0 ? quotient(first, low, power) : Number.NaN;
}

/** (high + low) / divisor by long division: a quotient, and another of what is left. */
function quotient(high: number, low: number, divisor: number): number {
  const sum = high + low; // |high| ≥ |low|: the error of the sum is a double too (Dekker 1971)
  const error = low - (sum - high);
  const first = sum / divisor;
  const second = (sum - first * divisor - productError(first, divisor) + error) / divisor;
  // `second` is off by less than 2⁻¹⁰⁰ of the quotient. Only where that could turn the last rounding over it is left to the engine.
  const doubt = first * 2 ** -100;
  const result = first + (second - doubt);
  return result === first + (second + doubt) ? result : Number.NaN;
}

/** a·b − fl(a·b), exactly (Dekker 1971). */
function productError(a: number, b: number): number {
  const aHigh = upperHalf(a);
  const bHigh = upperHalf(b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aLow * bLow - (a * b - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/** The upper 26 bits of a double (Veltkamp). */
function upperHalf(value: number): number {
  const spread = (2 ** 27 + 1) * value;
  return spread - (spread - value);
}
