// Trains off the page's main thread, so that the page stays responsive.
import type { FromWorker, ToWorker } from "./messages.js";
import type { Pattern } from "./pattern.js";
import { Session } from "./session.js";

/** Between two looks at how well it does, in milliseconds; looking takes a tenth of the time at most. */
const SUMMARY_MS = 400;
const LOOKING_SHARE = 10;
const PROGRESS_MS = 100;

let session: Session | undefined;
let pattern: Pattern = [];
/** Under way, or waiting for one that was replaced to end. */
let training: { readonly session: Session; readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
let summarized = { at: 0, took: 0 };

const post = (message: FromWorker, transfer: Transferable[] = []) => postMessage(message, { transfer });

addEventListener("message", (event: MessageEvent<ToWorker>) => {
  handle(event.data).catch((error: unknown) => post({ type: "problem", message: error instanceof Error ? error.message : String(error) }));
});

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      pattern = message.pattern;
      training?.controller.abort();
      return open(Session.start(message.settings), false);
    case "load": {
      const loaded = Session.load(message.bytes, message.name, message.settings);
      pattern = []; // it may have other channels; the page sends one that fits
      return open(loaded, true);
    }
    case "train":
      return train(Number.POSITIVE_INFINITY);
    case "step":
      return train(1);
    case "pause":
      training?.controller.abort();
      return;
    case "pattern":
      pattern = message.pattern;
      return showTrace();
    case "save":
      return save();
  }
}

/** Another session takes the place of the one at hand. */
function open(next: Session, isLoaded: boolean): void {
  training?.controller.abort();
  session?.dispose();
  session = next;
  summarized = { at: 0, took: 0 };
  post({ type: "ready", isLoaded, settings: next.settings, parameters: next.model.numParameters, iteration: next.iteration });
  showTrace();
}

/** @param iterations Infinity: until paused or solved */
async function train(iterations: number): Promise<void> {
  const [current, before] = [session, training];
  if (current === undefined || before?.session === current) return;
  post({ type: "training" });
  const controller = new AbortController();
  const trained = async () => {
    await before?.ended;
    if (current === session) await trainAndTell(current, controller.signal, iterations);
  };
  const ended = trained().finally(() => {
    if (training?.controller === controller) training = undefined;
  });
  training = { session: current, controller, ended };
  await ended;
}

async function trainAndTell(current: Session, signal: AbortSignal, iterations: number): Promise<void> {
  let solved = false;
  try {
    solved = await trainUntil(current, signal, iterations);
    if (current === session && !solved) await summarize(current);
  } catch (error) {
    if (current === session) throw error; // else it was replaced, and its model taken from it
  } finally {
    if (current === session) post({ type: "stopped", solved, iteration: current.iteration, seconds: current.seconds });
  }
}

/** @returns whether it is solved */
async function trainUntil(current: Session, signal: AbortSignal, iterations: number): Promise<boolean> {
  let told = 0;
  const progress = Number.isFinite(iterations) ? current.train(signal, iterations) : current.train(signal);
  for await (const { loss, iterationsPerSecond } of progress) {
    if (current !== session) return false;
    const now = performance.now();
    if (now - told > PROGRESS_MS) {
      post({ type: "progress", iteration: current.iteration, loss, iterationsPerSecond });
      told = now;
    }
    const isTime = now - summarized.at > Math.max(SUMMARY_MS, LOOKING_SHARE * summarized.took);
    if (
      isTime &&
      (await summarize(current)) === 1 &&
      Number.isFinite(iterations) === false &&
      (await current.isSolved(signal).catch(() => false))
    )
      return true;
  }
  return false;
}

/** @returns the accuracy */
async function summarize(current: Session): Promise<number> {
  const start = performance.now();
  const summary = await current.summarize();
  const { line } = summary;
  if (current !== session) return 0;
  if (Object.values(line).every(Number.isFinite)) post({ type: "summary", ...summary });
  showTrace();
  summarized = { at: performance.now(), took: performance.now() - start };
  return line.accuracy ?? 0;
}

function showTrace(): void {
  if (session === undefined || pattern.length === 0) return;
  const { header, tensors, score } = session.trace(pattern);
  const list = [...tensors].map(([name, { data, shape }]) => ({ name, data, shape }));
  post({ type: "trace", header, tensors: list, score }, [...new Set(list.map(({ data }) => data.buffer))] as Transferable[]);
}

function save(): void {
  if (session === undefined) return;
  const bytes = session.checkpoint();
  post({ type: "saved", bytes, iteration: session.iteration }, [bytes.buffer as ArrayBuffer]);
}
