// What this machine gives at the moment, measured with the library's own kernels: the rate of its matrix product (the roofline that
// shares are counted against) and how fast memory is read and copied. All threads probe at once, since they share caches and power.
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Rows, columns, summed length: the recurrent product of a small controller, and two square ones. */
const productSizes = [
  [640, 256, 144],
  [256, 256, 256],
  [512, 512, 512],
];
/** From the second-level cache, from the last-level cache or beyond, from memory. */
const streamBytes = [256 * 2 ** 10, 8 * 2 ** 20, 192 * 2 ** 20];

/** Seconds of one call: the fastest of several samples of about `seconds` each, since anything else only ever slows it. */
function fastest(run, seconds) {
  run();
  let calls = 1;
  const sample = () => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) run();
    return (performance.now() - start) / 1000;
  };
  while (sample() < seconds / 2 && calls < 1e6) calls *= 2;
  return Math.min(...[1, 2, 3, 4, 5].map(sample)) / calls;
}

function productRate(engine, [m, n, k]) {
  const [a, w, panels, c] = [m * k, n * k, n * k, m * n].map((count) => engine.allocate(4 * count));
  engine.f32(a, m * k).fill(0.5);
  engine.f32(w, n * k).fill(0.25);
  engine.kernels.packTransposed(panels, k, 0, 0, w, 4 * k, n, k);
  const seconds = fastest(() => engine.kernels.gemm(c, 4 * n, 0, 0, a, 4 * k, panels, m, n, k), 0.02);
  if (engine.f32(c, m * n).some((value) => value !== k / 8)) throw new Error("the matrix product gives a wrong result");
  for (const pointer of [a, w, panels, c]) engine.free(pointer);
  return { m, n, k, gflops: (2 * m * n * k) / seconds / 1e9 };
}

function streamRates(engine, bytes) {
  const from = engine.allocate(bytes);
  const to = engine.allocate(bytes);
  engine.f32(from, bytes / 4).fill(1);
  const read = fastest(() => engine.kernels.sumOfSquares(from, bytes / 4), 0.02);
  const view = new Uint8Array(engine.memory.buffer);
  const copy = fastest(() => view.copyWithin(to, from, from + bytes), 0.02);
  engine.free(from);
  engine.free(to);
  return { bytes, readGBs: bytes / read / 1e9, copyGBs: bytes / copy / 1e9 };
}

/** The engine is internal to the library: found beside its entry, wherever that is installed. */
async function openEngine() {
  const { Engine } = await import(new URL("./engine/engine.js", import.meta.resolve("engram")).href);
  return Engine.create();
}

async function probeHere() {
  const engine = await openEngine();
  return {
    products: productSizes.map((size) => productRate(engine, size)),
    streams: streamBytes.map((bytes) => streamRates(engine, bytes)),
  };
}

function probeInWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: "probe" });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** `{ threads, gflops, products, streams }`: the best of the products, rates added up over the threads. */
export async function probe(threads) {
  const results = await Promise.all(Array.from({ length: threads }, probeInWorker));
  const total = (pick) => results.reduce((sum, result) => sum + pick(result), 0);
  const products = productSizes.map(([m, n, k], i) => ({ m, n, k, gflops: total((result) => result.products[i].gflops) }));
  const streams = streamBytes.map((bytes, i) => ({
    bytes,
    readGBs: total((result) => result.streams[i].readGBs),
    copyGBs: total((result) => result.streams[i].copyGBs),
  }));
  return { threads, gflops: Math.max(...products.map((each) => each.gflops)), products, streams };
}

if (!isMainThread && workerData === "probe") parentPort.postMessage(await probeHere());
