#!/usr/bin/env node
// The benchmark's command line. See README.md beside it.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { cases, select, sweeps, table } from "./cases.js";
import { contendersFor, engram, measureTogether, peerCanFollow, pytorch } from "./contenders.js";
import { Prober } from "./probes.js";
import { caseTables, exponentOf, figuresOf, probeTable, sweepTable } from "./report.js";
import { lineChart } from "./svg.js";

const usage = `node bench/run.js [flags]                       without --case: every row of the marked table
  --case NAME        a case or sweep, or several (NAME* for all that begin so; "all" for everything); may be repeated
  --list             names of all cases and sweeps
  --quick            shorter rounds; points of sweeps that take long are left out
  --threads N        threads of "all threads" (this machine: ${availableParallelism()})
  --peer DIR         a checkout of ixaxaar/pytorch-dnc, measured in turn, with ratios
  --peer-sweeps      measure it in sweeps too
  --python PATH      the Python that has torch and faiss (/usr/bin/python3)
  --tfjs             TensorFlow.js's LSTM in turn (npm install --prefix bench/tfjs first)
  --rounds N         rounds in turn (3)
  --json FILE        everything measured, as JSON
  --svg DIR          a plot of each sweep`;

const flags = {
  case: { type: "string", multiple: true },
  list: { type: "boolean" },
  quick: { type: "boolean" },
  threads: { type: "string" },
  peer: { type: "string" },
  "peer-sweeps": { type: "boolean" },
  python: { type: "string", default: "/usr/bin/python3" },
  tfjs: { type: "boolean" },
  rounds: { type: "string", default: "3" },
  json: { type: "string" },
  svg: { type: "string" },
  help: { type: "boolean" },
};

const say = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);

function settingsFrom(values) {
  const threads = Number(values.threads ?? availableParallelism());
  const rounds = Number(values.rounds);
  if (!(threads >= 1 && rounds >= 1)) throw new Error("--threads and --rounds must be whole numbers from 1");
  return {
    threads,
    rounds,
    seconds: values.quick ? 0.3 : 1,
    warmUpSeconds: values.quick ? 0.3 : 0.7,
    repetitions: 400,
    quick: values.quick ?? false,
    peer: values.peer === undefined ? undefined : { python: values.python, folder: values.peer },
    peerSweeps: values["peer-sweeps"] ?? false,
    tfjs: values.tfjs ?? false,
    say,
  };
}

function chosen(names) {
  if (names === undefined) return { cases: table, sweeps: [] };
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
  for (const given of list) figures.push(await runCase(given, settings));
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

async function main() {
  const { values } = parseArgs({ options: flags });
  if (values.help) return console.log(usage);
  if (values.list) return console.log([...cases, ...sweeps].map((each) => each.name).join("\n"));
  const settings = settingsFrom(values);
  const wanted = chosen(values.case);
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
      sweeps: await measureSweeps(wanted.sweeps, settings, values.svg),
    };
    if (values.json !== undefined) write(values.json, `${JSON.stringify(measured, null, 1)}\n`);
  } finally {
    await settings.prober.close();
  }
}

await main().catch((problem) => {
  say("");
  console.error(problem.message);
  process.exitCode = 1;
});
