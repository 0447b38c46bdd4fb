// A line chart as an SVG text, with linear or logarithmic axes: all that the benchmark's plots need.

const size = { width: 640, height: 420, left: 76, right: 20, top: 44, bottom: 56 };
const colours = ["#3b6fb6", "#c8553d", "#3f8f5f", "#8a5fb0", "#b8862b", "#5a6672"];

const escapeText = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const round = (value) => Number(value.toFixed(2));

/** A number as people write it on an axis: 0.5, 20, 5k, 16M. */
export function shortNumber(value) {
  const text = (n) => String(Number(n.toPrecision(3)));
  if (value >= 1e6) return `${text(value / 1e6)}M`;
  if (value >= 1e3) return `${text(value / 1e3)}k`;
  return text(value);
}

function logTicks(low, high) {
  const ticks = [];
  const decades = Math.log10(high / low);
  const steps = decades > 3 ? [1] : decades > 1.2 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

function linearTicks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return ticks;
}

/** The axis over `values`: where a value lies between 0 and 1, and its ticks. A little room is left at both ends. */
function axisOver(values, log) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (log) {
    const room = Math.max((high / low) ** 0.05, 1.3);
    [low, high] = [low / room, high * room];
    return { at: (value) => Math.log(value / low) / Math.log(high / low), ticks: logTicks(low, high) };
  }
  low = Math.min(0, low);
  high = high === low ? low + 1 : high * 1.05;
  return { at: (value) => (value - low) / (high - low), ticks: linearTicks(low, high) };
}

/**
 * @param chart.series `{ name, points: [[x, y, low?, high?], …] }`; low and high draw a bar
 * @param chart.log logarithmic axes: `{ x: boolean, y: boolean }`
 */
export function lineChart({ title, xLabel, yLabel, series, log = { x: true, y: true } }) {
  const points = series.flatMap((each) => each.points);
  const x = axisOver(
    points.map((point) => point[0]),
    log.x,
  );
  const y = axisOver(
    points.flatMap(([, value, low = value, high = value]) => [value, low, high]),
    log.y,
  );
  const px = (value) => round(size.left + x.at(value) * (size.width - size.left - size.right));
  const py = (value) => round(size.height - size.bottom - y.at(value) * (size.height - size.top - size.bottom));
  const right = size.width - size.right;
  const bottom = size.height - size.bottom;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="12" fill="#333">`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${size.width}" height="${size.height}" fill="#fff"/>`,
    `<text x="${size.left}" y="24" font-size="15" font-weight="600">${escapeText(title)}</text>`,
  ];
  for (const tick of x.ticks) {
    parts.push(`<path d="M${px(tick)} ${size.top}V${bottom}" stroke="#e3e6ea"/>`);
    parts.push(`<text x="${px(tick)}" y="${bottom + 18}" text-anchor="middle">${shortNumber(tick)}</text>`);
  }
  for (const tick of y.ticks) {
    parts.push(`<path d="M${size.left} ${py(tick)}H${right}" stroke="#e3e6ea"/>`);
    parts.push(`<text x="${size.left - 8}" y="${py(tick) + 4}" text-anchor="end">${shortNumber(tick)}</text>`);
  }
  parts.push(`<path d="M${size.left} ${size.top}V${bottom}H${right}" stroke="#777" fill="none"/>`);
  parts.push(`<text x="${(size.left + right) / 2}" y="${size.height - 14}" text-anchor="middle">${escapeText(xLabel)}</text>`);
  const middle = (size.top + bottom) / 2;
  parts.push(`<text x="18" y="${middle}" text-anchor="middle" transform="rotate(-90 18 ${middle})">${escapeText(yLabel)}</text>`);
  series.forEach((each, index) => {
    parts.push(...drawSeries(each, colours[index % colours.length], index, px, py));
  });
  return `${[...parts, "</svg>"].join("\n")}\n`;
}

function drawSeries({ name, points }, colour, index, px, py) {
  const path = points.map(([vx, vy], i) => `${i === 0 ? "M" : "L"}${px(vx)} ${py(vy)}`).join("");
  const parts = [`<path d="${path}" stroke="${colour}" stroke-width="2" fill="none"/>`];
  for (const [vx, vy, low, high] of points) {
    if (low !== undefined) parts.push(`<path d="M${px(vx)} ${py(low)}V${py(high)}" stroke="${colour}"/>`);
    parts.push(`<circle cx="${px(vx)}" cy="${py(vy)}" r="3.5" fill="${colour}"/>`);
  }
  const row = size.top + 16 + 18 * index;
  parts.push(`<path d="M${size.left + 12} ${row - 4}h18" stroke="${colour}" stroke-width="3"/>`);
  parts.push(`<text x="${size.left + 36}" y="${row}">${escapeText(name)}</text>`);
  return parts;
}
