import { expect, test } from "vitest";
import { lineChart, shortNumber } from "./svg.js";

const chart = {
  title: "SAM <ms> & more",
  xLabel: "N",
  yLabel: "milliseconds",
  series: [
    {
      name: "ours",
      points: [
        [10, 1, 0.9, 1.2],
        [100, 10, 9, 12],
        [1000, 100, 90, 120],
      ],
    },
  ],
};

const circlesOf = (svg) => [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);

test("a power law is a straight line on logarithmic axes, inside the frame", () => {
  const [[x0, y0], [x1, y1], [x2, y2]] = circlesOf(lineChart(chart));
  expect(x1 - x0).toBeCloseTo(x2 - x1, 1);
  expect(y1 - y0).toBeCloseTo(y2 - y1, 1);
  expect(y2).toBeLessThan(y0); // larger is higher up
  for (const [x, y] of circlesOf(lineChart(chart))) expect(x > 0 && x < 640 && y > 0 && y < 420).toBe(true);
});

test("linear axes space equal steps equally and start at zero", () => {
  const points = [1, 2, 3].map((x) => [x, 5 * x]);
  const svg = lineChart({ ...chart, series: [{ name: "line", points }], log: { x: false, y: false } });
  const [[x0, y0], [x1, y1], [x2]] = circlesOf(svg);
  expect(x1 - x0).toBeCloseTo(x2 - x1, 1);
  expect(y0 - y1).toBeGreaterThan(0);
  expect(svg).toContain(">0</text>");
});

test("the text is well-formed: what XML reserves is escaped, no coordinate is missing", () => {
  const svg = lineChart(chart);
  expect(svg).toContain("SAM &lt;ms&gt; &amp; more");
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  expect(svg.match(/<text/g).length).toBe(svg.match(/<\/text>/g).length);
});

test("one flat point and one flat line still have an axis", () => {
  expect(lineChart({ ...chart, series: [{ name: "dot", points: [[5, 5]] }] })).not.toMatch(/NaN|Infinity/);
  expect(lineChart({ ...chart, series: [{ name: "dot", points: [[5, 0]] }], log: { x: false, y: false } })).not.toMatch(/NaN|Infinity/);
});

test("numbers on axes are short", () => {
  expect([0.5, 20, 1000, 2500, 16e6].map(shortNumber)).toEqual(["0.5", "20", "1k", "2.5k", "16M"]);
});
