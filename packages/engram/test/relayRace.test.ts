// A worker that is late for a job meets the caller writing the next one. On the built package, as workers need.
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { Engine } from "../dist/engine/engine.js";
import { kernelModule } from "../dist/engine/module.js";
import { Relay, relayBytes } from "../dist/engine/relay.js";

const dist = new URL("../dist/engine/", import.meta.url).href;
const PARTS = 3;

/** Takes jobs for ever. Posts the first whose text is not all of one job; a job's text is one letter, often, and the job's number. */
const worker = `
  const { parentPort, workerData } = require("node:worker_threads");
  (async () => {
    const { Engine } = await import("${dist}engine.js");
    const { Relay } = await import("${dist}relay.js");
    const { adoptModule } = await import("${dist}module.js");
    adoptModule(workerData.module);
    const relay = new Relay(Engine.attach(workerData.memory), workerData.at);
    let seen = relay.job;
    parentPort.postMessage("ready");
    for (let jobs = 0; ; jobs++) {
      const { number, text } = relay.nextJob(seen);
      seen = number;
      if (!/^([A-Z])\\1* \\d+$/.test(text) || Number(text.split(" ")[1]) !== number) parentPort.postMessage("job " + number + ": " + text);
      while (relay.claim(number, ${PARTS}) >= 0) relay.finish();
    }
  })();`;

test("is never given a text that is not all of one job, and of the job it may claim", async () => {
  const engine = Engine.createShared(2 ** 24);
  const at = engine.allocate(relayBytes);
  const relay = new Relay(engine, at);
  const other = new Worker(worker, { eval: true, workerData: { memory: engine.memory, at, module: kernelModule(true) } });
  const torn: string[] = [];
  try {
    await new Promise((resolve) => other.once("message", resolve));
    other.on("message", (message: string) => torn.push(message));
    for (let job = 0; job < 100_000; job++) {
      const letter = String.fromCharCode(65 + (job % 26));
      const number = relay.announce(`${letter.repeat(300 + 100 * (job % 5))} ${relay.job + 1}`, PARTS);
      while (relay.claim(number, PARTS) >= 0) relay.finish();
      relay.wait(PARTS);
      if (job % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    await other.terminate();
  }
  expect(torn).toEqual([]);
});
