// What `node bench/run.js` and `engram bench` do. See README.md beside it.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { cases, select, sweeps, table, UnknownCase } from "./cases.js";
import { contendersFor, engram, measureTogether, peerCanFollow, pytorch } from "./contenders.js";
import { Prober } from "./probes.js";
import { caseLine, caseTables, exponentOf, figuresOf, probeTable, sweepTable } from "./report.js";
import { lineChart } from "./svg.js";

const say = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);

function settingsFrom({ threads = availableParallelism(), rounds = 3, quick = false, peer, peerSweeps = false, python, tfjs = false }) {
  return {
    threads,
    rounds,
    seconds: quick ? 0.3 : 1,
    warmUpSeconds: quick ? 0.3 : 0.7,
    repetitions: 400,
    quick,
    peer: peer === undefined ? undefined : { python: python ?? "/usr/bin/python3", folder: peer },
    peerSweeps,
    tfjs,
    say,
  };
}

function chosen(names = []) {
  if (names.length === 0) return { cases: table, sweeps: [] };
  return names.includes("all") ? { cases, sweeps } : select(names);
}

function machine() {
  return { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version, platform: process.platform, load: loadavg()[0] };
}

async function runCase(given, settings) {
  const entrants = contendersFor(given, settings).map((contender) => ({ case: given, contender }));
  return figuresOf(given, await measureTogether(entrants, settings));
}

async function runSweep(given, settings) {
  // A quick look leaves the two most expensive points of a doubling axis out.
  const sweep = settings.quick
    ? { ...given, cases: given.cases.slice(0, given.axis === "N" && given.model !== "dnc" ? undefined : -2) }
    : given;
  const results = await measureTogether(
    sweep.cases.map((each) => ({ case: each, contender: engram(1) })),
    settings,
  );
  const followed = settings.peer && settings.peerSweeps ? sweep.cases.filter(peerCanFollow) : [];
  const peerResults = [];
  for (const each of followed) {
    peerResults.push(...(await measureTogether([{ case: each, contender: pytorch(settings.peer, settings.threads) }], settings)));
  }
  return { sweep, results, peerResults, exponent: exponentOf(sweep, results) };
}

function plotOf({ sweep, results, peerResults }) {
  const points = (list) =>
    list.filter((each) => each.ms !== undefined).map(({ case: name, ms }) => [Number(name.split("=")[1]), ms.median, ms.low, ms.high]);
  const series = [{ name: "engram, 1 thread", points: points(results) }];
  if (peerResults.length > 0) series.push({ name: peerResults[0].label, points: points(peerResults) });
  const what = { train: "training step", forward: "forward pass", step: "step" }[sweep.measure];
  return lineChart({ title: `${sweep.model.toUpperCase()}: ms a ${what}`, xLabel: sweep.axis, yLabel: "milliseconds", series });
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function printPeer(hello) {
  if (hello === undefined) return;
  console.log(
    `pytorch-dnc at ${hello.commit?.slice(0, 7)}, torch ${hello.torch}, faiss ${hello.faiss}, ${hello.libraries.join(" ")}, its matrix product ${hello.productGflops.toFixed(0)} GFlop/s`,
  );
  if (hello.productGflops < 30) console.log("WARNING: that is a reference BLAS: install OpenBLAS for a fair comparison (bench/README.md)");
}

async function measureCases(list, settings) {
  const figures = [];
  for (const given of list) {
    figures.push(await runCase(given, settings));
    console.log(caseLine(figures.at(-1))); // the tables come at the end, and a long run may not get there
  }
  if (figures.length === 0) return figures;
  const results = figures.flatMap((each) => each.results);
  printPeer(results.find((each) => each.side === "pytorch-dnc")?.hello);
  console.log(`\n${caseTables(figures, settings.threads)}\n`);
  for (const each of results) if (each.failure) console.log(`${each.case}: ${each.label}: ${each.failure}`);
  return figures;
}

async function measureSweeps(list, settings, plots) {
  const swept = [];
  for (const given of list) {
    const result = await runSweep(given, settings);
    swept.push(result);
    console.log(`${sweepTable(result.sweep, result.results, result.exponent)}\n`);
    if (plots !== undefined) write(join(plots, `${given.name}.svg`), plotOf(result));
  }
  return swept;
}

/**
 * Measures and prints.
 * @param flags `case` (names, default the marked table), `list`, `quick`, `threads`, `rounds`, `peer`, `peerSweeps`, `python`, `tfjs`,
 *   `json` (a file), `svg` (a folder)
 * @throws {UnknownCase} when a name is none
 */
export async function runBenchmark(flags) {
  if (flags.list) return console.log([...cases, ...sweeps].map((each) => each.name).join("\n"));
  const wanted = chosen(flags.case);
  const settings = settingsFrom(flags);
  const about = machine();
  console.log(`${about.cpu}, ${about.cores} cores, Node ${about.node}, load ${about.load.toFixed(2)}`);
  if (about.load > 0.3) console.log("NOTE: the machine is busy; figures will be high and ratios uncertain");

  settings.prober = new Prober(settings.threads);
  try {
    const probes = [];
    for (const threads of new Set([1, settings.threads])) probes.push(await settings.prober.everything(threads));
    console.log(`\n${probeTable(probes)}\n`);
    const measured = {
      when: new Date().toISOString(),
      machine: about,
      probes,
      cases: await measureCases(wanted.cases, settings),
      sweeps: await measureSweeps(wanted.sweeps, settings, flags.svg),
    };
    if (flags.json !== undefined) write(flags.json, `${JSON.stringify(measured, null, 1)}\n`);
  } finally {
    await settings.prober.close();
  }
}

export { UnknownCase };
