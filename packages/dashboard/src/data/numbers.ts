// Numbers as text.

/** The shortest decimal number that is this float32 and no other: what a person would have written for it. */
export function float32Text(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** For axes and tiles: two to four significant digits, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return value < 0 ? `−${sizeText(-value)}` : sizeText(value);
}

function sizeText(size: number): string {
  if (size >= 1e6) return size.toExponential(2).replace(/\.?0*e\+/, "e");
  if (size >= 1000) return thousands(Math.round(size));
  if (size >= 100) return size.toFixed(0);
  if (size >= 10) return trimmed(size.toFixed(1));
  if (size >= 0.1 || size === 0) return trimmed(size.toFixed(3));
  if (size >= 1e-4) return String(Number(size.toPrecision(2)));
  return size.toExponential(1).replace("e-", "e−").replace(".0e", "e");
}

/** 12345 → "12,345" */
export function thousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Never rounded up, as on the command line: 1 is 100 %, and nothing less is. */
export function percent(fraction: number): string {
  const tenths = Math.floor(fraction * 1000 + 1e-9);
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
