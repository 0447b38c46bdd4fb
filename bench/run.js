#!/usr/bin/env node
// The benchmark's command line in a checkout. `engram bench` is the same without TensorFlow.js.
import { parseArgs } from "node:util";
import { runBenchmark } from "./benchmark.js";

const usage = `node bench/run.js [flags]               without --case: every row of the marked table
  --case NAME    a case or sweep, or several (NAME* for all that begin so; "all" for everything); may be repeated
  --list         names of all cases and sweeps
  --quick        shorter rounds; points of sweeps that take long are left out
  --threads N    threads of "all threads" (all cores)
  --peer DIR     a checkout of ixaxaar/pytorch-dnc, measured in turn, with ratios
  --peer-sweeps  measure it in sweeps too
  --python PATH  the Python that has torch and faiss (/usr/bin/python3)
  --tfjs         TensorFlow.js's LSTM in turn (npm install --prefix bench/tfjs first)
  --rounds N     rounds in turn (3)
  --json FILE    everything measured, as JSON
  --svg DIR      a plot of each sweep`;

const text = { type: "string" };
const flag = { type: "boolean" };
const options = {
  case: { type: "string", multiple: true },
  list: flag,
  quick: flag,
  threads: text,
  rounds: text,
  peer: text,
  "peer-sweeps": flag,
  python: text,
  tfjs: flag,
  json: text,
  svg: text,
  help: flag,
};

function count(values, name) {
  const value = values[name];
  if (value === undefined || /^[1-9]\d*$/.test(value)) return value && Number(value);
  throw new Error(`--${name} must be a whole number from 1, got ${value}`);
}

try {
  const { values } = parseArgs({ options });
  if (values.help) console.log(usage);
  else
    await runBenchmark({
      ...values,
      threads: count(values, "threads"),
      rounds: count(values, "rounds"),
      peerSweeps: values["peer-sweeps"],
    });
} catch (problem) {
  console.error(problem.message);
  process.exitCode = 1;
}
