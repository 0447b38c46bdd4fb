// engram/worker: the file a worker thread runs, in Node and in browsers. Bundled into one file that needs no other.
import { serveSteps, type WorkerStart } from "./train/stepWorker.js";

interface Port {
  postMessage(message: unknown): void;
  once?(event: "message", listener: (message: WorkerStart) => void): void;
}

const node = (
  globalThis as { process?: { getBuiltinModule?(name: string): { parentPort: Port | null } | undefined } }
).process?.getBuiltinModule?.("node:worker_threads");
const parent = node?.parentPort;

if (parent?.once !== undefined) {
  parent.once("message", (start) => serveSteps(start, () => parent.postMessage("ready")));
} else {
  addEventListener("message", (event: MessageEvent<WorkerStart>) => serveSteps(event.data, () => postMessage("ready")), { once: true });
}
