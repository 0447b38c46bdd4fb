// Makes worker threads, in Node and in browsers, behind one narrow face. Nothing here imports node: Node's own modules are asked for
// at run time, so that a bundle for the browser does not see them.
import { EngramError } from "../errors.js";

/** What is needed of a worker of either kind. */
export interface WorkerThread {
  post(message: unknown): void;
  terminate(): void;
  /** Resolves at the worker's first message, rejects when it fails before. */
  readonly firstMessage: Promise<unknown>;
}

interface NodeWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  on(event: string, listener: (value: unknown) => void): unknown;
  unref(): void;
}

interface NodeProcess {
  getBuiltinModule?(name: string): { Worker: new (url: URL, options?: object) => NodeWorker } | undefined;
}

const START_MS = 20_000;

function isNodeWorker(worker: unknown): worker is NodeWorker {
  return typeof (worker as NodeWorker).on === "function";
}

function errorText(reason: unknown): string {
  return reason instanceof Error ? reason.message : ((reason as { message?: string })?.message ?? String(reason));
}

function makeWorker(): unknown {
  const node = (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.("node:worker_threads");
  if (node !== undefined) return new node.Worker(new URL("../worker.js", import.meta.url), { execArgv: [] });
  return new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
}

/** @param createWorker makes the worker itself, where a bundler or a server has put its file elsewhere */
export function startWorker(createWorker: (() => unknown) | undefined): WorkerThread {
  const worker = (createWorker ?? makeWorker)();
  const firstMessage = new Promise<unknown>((resolve, reject) => {
    const fail = (reason: unknown) => {
      clearInterval(hold);
      clearTimeout(timer);
      reject(new EngramError(`a worker thread did not start: ${errorText(reason)}`));
    };
    const timer = setTimeout(() => fail(`no answer in ${START_MS / 1000} s`), START_MS);
    // An unreferenced worker alone would let the process end while it starts.
    const hold = setInterval(() => {}, 1000);
    const done = (value: unknown) => {
      clearInterval(hold);
      clearTimeout(timer);
      resolve(value);
    };
    if (isNodeWorker(worker)) {
      worker.on("message", done);
      worker.on("error", fail);
      // It must not hold the process open once everything else is done.
      worker.unref();
      worker.on("exit", (code) => fail(`it ended with code ${code}`));
    } else {
      const web = worker as Worker;
      web.addEventListener("message", (event) => done(event.data));
      web.addEventListener("error", (event) => fail(event.message || "its file could not be loaded"));
    }
  });
  firstMessage.catch(() => {});
  return {
    firstMessage,
    post: (message) => (worker as Worker).postMessage(message),
    terminate: () => void (worker as Worker).terminate(),
  };
}

/** Why threads cannot be had here; undefined when they can. */
export function whyNoThreads(): string | undefined {
  if (typeof SharedArrayBuffer === "undefined" || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === false) {
    return "shared memory is not allowed on this page: serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  }
  return undefined;
}

/** Whether this thread may sleep on shared memory; a page's main thread may not. */
export function mayWait(): boolean {
  return (globalThis as { document?: unknown }).document === undefined;
}
