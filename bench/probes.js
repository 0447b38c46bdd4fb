// What this machine gives at the moment, measured with the library's own kernels: the rate of its matrix product (the roofline that
// shares are counted against) and how fast memory is read and copied. All threads probe at once, since they share caches and power.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Rows, columns, summed length: the products of a small controller's sequence, and a square one. */
const productSizes = [
  [640, 256, 144],
  [384, 384, 384],
];
/** From the second-level cache, from the last-level cache or beyond, from memory. */
const streamBytes = [256 * 2 ** 10, 8 * 2 ** 20, 192 * 2 ** 20];

/** Seconds of one call: the fastest of many samples of a few milliseconds, since whatever comes between only ever slows it. */
function fastest(run) {
  run();
  let calls = 1;
  const sample = () => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) run();
    return (performance.now() - start) / 1000;
  };
  while (sample() < 0.0015) calls *= 2;
  return Math.min(...Array.from({ length: 24 }, sample)) / calls;
}

function productRate(engine, [m, n, k]) {
  const [a, w, panels, c] = [m * k, n * k, n * k, m * n].map((count) => engine.allocate(4 * count));
  engine.f32(a, m * k).fill(0.5);
  engine.f32(w, n * k).fill(0.25);
  engine.kernels.packTransposed(panels, k, 0, 0, w, 4 * k, n, k);
  const seconds = fastest(() => engine.kernels.gemm(c, 4 * n, 0, 0, a, 4 * k, panels, m, n, k));
  if (engine.f32(c, m * n).some((value) => value !== k / 8)) throw new Error("the matrix product gives a wrong result");
  for (const pointer of [a, w, panels, c]) engine.free(pointer);
  return (2 * m * n * k) / seconds / 1e9;
}

/** Reading is timed by a product with a single row, which passes once over a packed matrix of `bytes` with little else to do. */
function streamRates(engine, bytes) {
  const k = 256;
  const n = bytes / 4 / k;
  const [matrix, other, row, result] = [bytes, bytes, 4 * k, 4 * n].map((size) => engine.allocate(size));
  engine.f32(matrix, bytes / 4).fill(1);
  engine.f32(row, k).fill(1);
  const read = fastest(() => engine.kernels.gemm(result, 4 * n, 0, 0, row, 4 * k, matrix, 1, n, k));
  const view = new Uint8Array(engine.memory.buffer);
  const copy = fastest(() => view.copyWithin(other, matrix, matrix + bytes));
  for (const pointer of [matrix, other, row, result]) engine.free(pointer);
  return { bytes, readGBs: bytes / read / 1e9, copyGBs: bytes / copy / 1e9 };
}

const jobs = {
  products: (engine) => productSizes.map((size) => productRate(engine, size)),
  streams: (engine) => streamBytes.map((bytes) => streamRates(engine, bytes)),
};

/** Keeps a worker a thread, so that a probe can be taken between any two measurements. */
export class Prober {
  constructor(threads) {
    this.workers = Array.from({ length: threads }, () => new Worker(fileURLToPath(import.meta.url), { workerData: "probe" }));
  }

  /** The same job on the first `threads` workers at once; their results. */
  ask(job, threads) {
    const one = async (worker) => {
      worker.postMessage(job);
      const [result] = await once(worker, "message"); // rejects when the worker throws
      return result;
    };
    return Promise.all(this.workers.slice(0, threads).map(one));
  }

  /** GFlop/s of the best product, all threads together. */
  async productRate(threads) {
    const results = await this.ask("products", threads);
    return results.reduce((sum, rates) => sum + Math.max(...rates), 0);
  }

  /** All rates, added up over the threads. */
  async everything(threads) {
    const products = await this.ask("products", threads);
    const streams = await this.ask("streams", threads);
    const total = (results, pick) => results.reduce((sum, result) => sum + pick(result), 0);
    return {
      threads,
      products: productSizes.map(([m, n, k], i) => ({ m, n, k, gflops: total(products, (rates) => rates[i]) })),
      streams: streamBytes.map((bytes, i) => ({
        bytes,
        readGBs: total(streams, (rates) => rates[i].readGBs),
        copyGBs: total(streams, (rates) => rates[i].copyGBs),
      })),
    };
  }

  close() {
    return Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

/** The engine is internal to the library: found beside its entry, wherever that is installed. */
async function serve() {
  const { Engine } = await import(new URL("./engine/engine.js", import.meta.resolve("engram")).href);
  parentPort.on("message", (job) => parentPort.postMessage(jobs[job](Engine.create())));
}

if (!isMainThread && workerData === "probe") await serve();
