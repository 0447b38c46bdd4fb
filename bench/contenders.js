// Who is measured on a case, and the measuring: each in a process of its own, prepared and checked one after the other, then timed in
// turn, round by round, so that what else the machine does falls on all alike.
import { fileURLToPath } from "node:url";
import { LineProcess } from "./lineProcess.js";
import { median, summarize } from "./statistics.js";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

export const engram = (threads) => ({
  side: "engram",
  threads,
  label: `engram, ${threads === 1 ? "1 thread" : `${threads} threads`}`,
  command: process.execPath,
  args: [here("engramProcess.js"), "--threads", String(threads)],
});

/** The Python package; `keepState` hands its memory, and so its faiss index, from step to step. */
export const pytorch = ({ python, folder }, threads, keepState = false) => ({
  side: "pytorch-dnc",
  threads,
  keepState,
  label: `pytorch-dnc, ${threads === 1 ? "1 thread" : `${threads} threads`}${keepState ? ", index kept" : ""}`,
  command: python,
  args: ["-B", here("peer.py"), "--peer", folder, "--threads", String(threads)],
});

export const tensorflow = () => ({
  side: "tfjs",
  threads: 1,
  label: "TensorFlow.js LSTM",
  command: process.execPath,
  args: [here("tfjs/lstm.js")],
});

/** The package keeps an [N, N] matrix for SAM and SDNC too, and trains its index on 100·N rows: beyond this it only fills the memory. */
export const peerCanFollow = ({ model, options }) => options.nrCells <= (model === "dnc" ? 512 : 10_000);

/** Contenders for a case of the table. Sequences without gradients and single steps run on one thread here. */
export function contendersFor(given, { threads, peer, tfjs }) {
  const list = [engram(1)];
  if (given.measure === "train" && threads > 1) list.push(engram(threads));
  if (peer !== undefined && peerCanFollow(given) && given.streamed === undefined && given.trained === undefined) {
    for (const count of new Set([threads, 1])) list.push(pytorch(peer, count));
    if (given.model !== "dnc" && given.measure === "train") list.push(pytorch(peer, 1, true));
  }
  if (tfjs && given.model === "dnc" && given.measure === "train") list.push(tensorflow());
  return list;
}

async function start(entrant) {
  const { contender } = entrant;
  entrant.process = new LineProcess(contender.command, contender.args);
  entrant.rounds = [];
  entrant.hello = await entrant.process.request({ op: "hello" });
  entrant.prepared = await entrant.process.request({ op: "prepare", case: { ...entrant.case, keepState: contender.keepState } });
}

/**
 * Measures entrants `{ case, contender }` in turn, ours each with a probe of the machine's product rate just before. One of ours
 * that fails its checks fails the run; another's failure is noted.
 * @returns for each entrant its times' summary, the median of each round, and memory
 */
export async function measureTogether(entrants, { rounds, seconds, warmUpSeconds, repetitions, prober, say }) {
  try {
    for (const entrant of entrants) {
      say(`${entrant.case.name}: ${entrant.contender.label}: check`);
      try {
        await start(entrant);
        await entrant.process.request({ op: "measure", repetitions, seconds: warmUpSeconds });
      } catch (problem) {
        if (entrant.contender.side === "engram") throw problem;
        entrant.failure = problem.message;
      }
    }
    const able = entrants.filter((entrant) => entrant.failure === undefined);
    for (let round = 1; round <= rounds; round++) {
      for (const entrant of able) {
        say(`${entrant.case.name}: ${entrant.contender.label}: round ${round} of ${rounds}`);
        const { side, threads } = entrant.contender;
        const gflops = side === "engram" ? await prober.productRate(threads) : undefined;
        entrant.rounds.push({ ...(await entrant.process.request({ op: "measure", repetitions, seconds })), gflops });
      }
    }
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.process?.close()));
    say("");
  }
  return entrants.map(resultOf);
}

function resultOf({ case: given, contender, failure, rounds, hello, prepared }) {
  const { side, label, threads, keepState } = contender;
  const base = { case: given.name, side, label, threads, ...(keepState ? { keepState } : {}), hello };
  if (failure !== undefined) return { ...base, failure };
  const last = rounds.at(-1);
  return {
    ...base,
    ms: summarize(rounds.flatMap((round) => round.times)),
    cpuMs: summarize(rounds.flatMap((round) => round.cpuTimes)),
    roundMs: rounds.map((round) => median(round.times)),
    roundCpuMs: rounds.map((round) => median(round.cpuTimes)),
    roundGflops: side === "engram" ? rounds.map((round) => round.gflops) : undefined,
    peakBytes: last.peakBytes,
    memory: last.memory,
    prepared,
  };
}
