// The colours of the heatmaps. Sequential for what goes from nothing to much (weights, gates, usage): nothing is the colour of the
// panel, and lightness changes all the way in one direction, so that the order of values is seen without seeing colours. Diverging
// for values of either sign: blue and orange, which no common colour blindness confuses, and nothing in the middle.
// Colours between those given here are mixed in OKLab (Ottosson 2020), where equal steps look equal.

export type Theme = "light" | "dark";
export type RampName = "sequential" | "diverging";

/** Evenly spaced, from the least to the greatest value. */
const stops: Readonly<Record<Theme, Readonly<Record<RampName, readonly string[]>>>> = {
  light: {
    sequential: ["#f1f4f6", "#cfe4e6", "#93cbd1", "#4fa6c0", "#2d7fb3", "#28579b", "#253580", "#1c1658"],
    diverging: ["#5f2600", "#a94f08", "#dd8a3d", "#f3c79a", "#f1f4f6", "#a8cdea", "#4f95cf", "#1a62a6", "#082f63"],
  },
  dark: {
    sequential: ["#1c242c", "#243a5e", "#27598a", "#25809a", "#3ba59a", "#79c79a", "#bfe3a4", "#f7fbd3"],
    diverging: ["#ffd7a6", "#f5a552", "#c8701f", "#6b4120", "#1c242c", "#20486f", "#2f7cbb", "#74b7ec", "#d3ecff"],
  },
};

export const RAMP_SIZE = 256;

/** A ramp as RAMP_SIZE colours [r, g, b], 0 … 255. */
export function ramp(theme: Theme, name: RampName): readonly (readonly [number, number, number])[] {
  const given = stops[theme][name].map((hex) => toOklab(parseHex(hex)));
  return Array.from({ length: RAMP_SIZE }, (_, i) => {
    const at = (i / (RAMP_SIZE - 1)) * (given.length - 1);
    const below = Math.min(Math.floor(at), given.length - 2);
    const [a, b] = [given[below] as Triple, given[below + 1] as Triple];
    const mixed = a.map((value, c) => value + (at - below) * ((b[c] as number) - value)) as unknown as Triple;
    return fromOklab(mixed);
  });
}

/** For ImageData on any of the little-endian machines that browsers run on. */
export function packedRamp(theme: Theme, name: RampName): Uint32Array {
  return Uint32Array.from(ramp(theme, name), ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
}

type Triple = readonly [number, number, number];

export function parseHex(hex: string): Triple {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const toLinear = (value: number) => (value <= 10.31475 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
const fromLinear = (value: number) => {
  const clamped = Math.min(1, Math.max(0, value));
  return Math.round(255 * (clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055));
};

export function toOklab(rgb: Triple): Triple {
  const [r, g, b] = rgb.map(toLinear) as unknown as Triple;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    fromLinear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    fromLinear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    fromLinear(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
