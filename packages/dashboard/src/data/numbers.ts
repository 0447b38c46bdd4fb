// Numbers as text.

/** The shortest decimal number that is this float32 and no other: what a person would have written for it. */
export function float32Text(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** For axes and tiles: three or four significant digits, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(2).replace("e+", "e");
  if (size >= 1000) return thousands(Math.round(value));
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimmed(value.toFixed(1));
  if (size >= 0.01 || size === 0) return trimmed(value.toFixed(3));
  return value.toExponential(1).replace("e-", "e−");
}

/** 12345 → "12,345" */
export function thousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 1 is 100 %, and nothing less is. */
export function percent(fraction: number): string {
  const tenths = fraction < 1 ? Math.min(999, Math.round(fraction * 1000)) : 1000;
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`;
}

/** Seconds as "8 s", "3 min 20 s", "2 h 05 min". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
