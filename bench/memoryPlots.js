// Plots of what a model takes at most over the axis of each sweep, from what `node bench/run.js --json FILE` wrote:
//   node bench/memoryPlots.js FILE FOLDER
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lineChart } from "./svg.js";

const [file, folder] = process.argv.slice(2);
for (const { sweep, results } of JSON.parse(readFileSync(file, "utf8")).sweeps) {
  const points = sweep.values.map((value, i) => [value, results[i].memory.peak / 2 ** 20]);
  const text = lineChart({
    title: `${sweep.model.toUpperCase()}: MiB of a model in training, at most`,
    xLabel: sweep.axis,
    yLabel: "MiB",
    series: [{ name: "engram, 1 thread", points }],
    log: { x: true, y: sweep.axis !== "N" },
  });
  writeFileSync(join(folder, `${sweep.name}-memory.svg`), text);
}
