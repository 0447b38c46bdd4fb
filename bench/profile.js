#!/usr/bin/env node
// Where the time of a case goes, kernel by kernel: V8's sampling profiler over one thread, each sample counted for the kernel it is in
// and the function of the library that called it. Shares are of the samples, ms of the processor time.
//   node bench/profile.js --case dnc-n16 [--seconds 3] [--json FILE]
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { parseArgs } from "node:util";
import { select } from "./cases.js";
import { markdownTable } from "./report.js";
import { stagesOf } from "./stages.js";
import { Subject } from "./subject.js";

const samplingMicroseconds = 100;
const shownShare = 0.002;

/** An exported function's `name` is its index in the module, which is all that the profiler tells of it. */
async function kernelNames() {
  const { Engine } = await import(new URL("./engine/engine.js", import.meta.resolve("engram")).href);
  return new Map(Object.entries(Engine.create().kernels).map(([name, kernel]) => [`wasm-function[${kernel.name}]`, name]));
}

async function sample(run, seconds) {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: samplingMicroseconds });
  await session.post("Profiler.start");
  const start = performance.now();
  const cpu = process.cpuUsage();
  let runs = 0;
  for (; performance.now() - start < 1000 * seconds; runs++) run();
  const { user, system } = process.cpuUsage(cpu);
  const milliseconds = (user + system) / 1000;
  const { profile } = await session.post("Profiler.stop");
  return { profile, runs, milliseconds };
}

async function main() {
  const { values } = parseArgs({
    options: { case: { type: "string", default: "dnc-n16" }, seconds: { type: "string", default: "3" }, json: { type: "string" } },
  });
  const { cases, sweeps } = select([values.case]);
  const given = cases[0] ?? sweeps[0].cases[0];
  const subject = new Subject(given, 1);
  await subject.prepare();
  subject.measure(1000, 0.7);
  const { profile, runs, milliseconds } = await sample(() => subject[given.measure](), Number(values.seconds));
  const stages = stagesOf(profile, await kernelNames());
  const total = stages.reduce((sum, stage) => sum + stage.microseconds, 0);
  const perRun = (microseconds) => (microseconds / total) * (milliseconds / runs);
  const kernels = new Map();
  for (const { kernel, microseconds } of stages) kernels.set(kernel, (kernels.get(kernel) ?? 0) + microseconds);
  const share = (microseconds) => `${((100 * microseconds) / total).toFixed(1)} %`;

  console.log(`${given.name}: ${(milliseconds / runs).toPrecision(4)} ms of processor time a run, ${runs} runs\n`);
  const byKernel = [...kernels].sort((a, b) => b[1] - a[1]).filter(([, time]) => time > shownShare * total);
  console.log(
    markdownTable(byKernel, [
      ["kernel", ([name]) => name],
      ["ms", ([, time]) => perRun(time).toPrecision(3)],
      ["share", ([, time]) => share(time)],
    ]),
  );
  console.log();
  console.log(
    markdownTable(
      stages.filter((stage) => stage.microseconds > shownShare * total),
      [
        ["kernel", (stage) => stage.kernel],
        ["called from", (stage) => stage.caller],
        ["ms", (stage) => perRun(stage.microseconds).toPrecision(3)],
        ["share", (stage) => share(stage.microseconds)],
      ],
    ),
  );
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ case: given, runs, milliseconds, stages }, null, 1)}\n`);
}

await main();
