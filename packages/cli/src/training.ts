// engram train, from the first line on the screen to the last: trains in stretches between summaries and checkpoints, shows how it
// goes, and ends well whatever ends it.
import { NumericError } from "engram";
import type { TaskName } from "engram/tasks";
import { type Dashboard, startDashboard } from "engram-dashboard/server";
import { commandName } from "./commandName.js";
import type { Settings } from "./flags.js";
import { count, duration, figure, percent, rate } from "./format.js";
import { Interrupter } from "./interruption.js";
import { openInBrowser } from "./openInBrowser.js";
import { progressLine } from "./progressLine.js";
import { countedBy, generalization, generalizationTable } from "./report.js";
import { Screen } from "./screen.js";
import { resolveSettings } from "./settings.js";
import { Speed } from "./speed.js";
import { TrainingRun } from "./trainingRun.js";

/** Without a terminal to draw on: a line after the first second, and then twice as long after each one, up to a minute. */
const PLAIN_LINE_MS = { first: 1000, most: 60_000 };
const SHOWN_LOSSES = 100;

/**
 * Trains a task, or goes on with a run.
 * @param task undefined where the run to go on with says it
 * @param given the flags that were typed
 */
export async function train(task: TaskName | undefined, given: Partial<Settings>): Promise<void> {
  const screen = new Screen({ json: given.json ?? false, quiet: given.quiet ?? false });
  const run = begin(task, given, screen);
  const interrupter = new Interrupter(() => run.saveAndClose());
  let dashboard: Dashboard | undefined;
  try {
    if (run.settings.dashboard) dashboard = await openDashboard(run, screen);
    await new Training(run, screen, interrupter).run();
    if (interrupter.interruption !== undefined) process.exitCode = interrupter.interruption.exitCode;
  } finally {
    interrupter.release();
    screen.end();
    run.close();
    await dashboard?.finish();
  }
}

/** In a process of its own. A dashboard that can't be had is no reason not to train. */
async function openDashboard(run: TrainingRun, screen: Screen): Promise<Dashboard | undefined> {
  try {
    const dashboard = await startDashboard({ run: run.folder.path });
    screen.say(`It is shown at ${dashboard.url}`);
    openInBrowser(dashboard.url);
    return dashboard;
  } catch (error) {
    screen.warn(`no dashboard: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function begin(task: TaskName | undefined, given: Partial<Settings>, screen: Screen): TrainingRun {
  if ((given.cuda ?? -1) >= 0) screen.warn(`cuda ${given.cuda}: there is no GPU engine, this runs on the CPU`);
  if (given.resume !== undefined) return TrainingRun.resume(given.resume, task, given, (message) => screen.warn(message));
  if (task === undefined) throw new Error("internal: no task and nothing to resume");
  return TrainingRun.start(task, resolveSettings(task, given));
}

class Training {
  readonly #run: TrainingRun;
  readonly #screen: Screen;
  readonly #interrupter: Interrupter;
  readonly #speed = new Speed();
  #plainLine = { at: performance.now() + PLAIN_LINE_MS.first, after: PLAIN_LINE_MS.first };
  /** The latest losses, the mean of which is shown. */
  #losses: number[] = [];

  constructor(run: TrainingRun, screen: Screen, interrupter: Interrupter) {
    this.#run = run;
    this.#screen = screen;
    this.#interrupter = interrupter;
  }

  async run(): Promise<void> {
    this.#introduce();
    try {
      const solved = await this.#train();
      if (this.#stopped) this.#saveAndSayHowToGoOn();
      else await this.#conclude(solved);
    } catch (error) {
      if (error instanceof NumericError) throw this.#withCheckpoint(error);
      // Evaluations end by throwing the signal's reason; training itself was saved before them.
      if (!this.#stopped || error !== this.#interrupter.interruption) throw error;
      this.#saveAndSayHowToGoOn();
    }
  }

  get #stopped(): boolean {
    return this.#interrupter.signal.aborted;
  }

  /** @returns whether every answer came right, where that was asked for */
  async #train(): Promise<boolean> {
    const run = this.#run;
    const { iterations, summarize_freq, check_freq, stop_when_solved } = run.settings;
    const { signal } = this.#interrupter;
    this.#speed.add(run.iteration);
    // A run that goes on may have been stopped just while it was looked at.
    if (run.iteration > 0 && stop_when_solved && (await run.isSolved(signal))) return true;
    if (run.isSummaryDue) await this.#summarize();
    while (run.iteration < iterations && !signal.aborted) {
      const until = Math.min(iterations, nextMultiple(run.iteration, summarize_freq), nextMultiple(run.iteration, check_freq));
      for await (const losses of run.train(until, signal)) this.#show(losses);
      if (run.iteration !== until) break; // stopped
      const isLast = until === iterations;
      const isScheduled = until % check_freq === 0;
      const isSummary = isLast || until % summarize_freq === 0;
      if (isSummary) await this.#summarize();
      if (isScheduled) run.save(true);
      const solved = isSummary && stop_when_solved && (await run.isSolved(signal));
      if ((isLast || solved) && !isScheduled) run.save(false);
      if (solved) return true;
    }
    return false;
  }

  #introduce(): void {
    const { settings, task, model, folder, iteration, curriculum } = this.#run;
    const name = model.type.toUpperCase();
    const anew = settings.resume === "" ? "in" : "from the beginning, as no checkpoint was written yet, in";
    const beginning = iteration === 0 ? anew : `from iteration ${count(iteration)} on in`;
    this.#screen.say(
      `${this.#screen.strong(task.name)}: ${name} with ${count(model.config.nrCells)} cells of ${model.config.cellSize}, ${count(model.numParameters)} weights\n` +
        `lengths up to ${count(curriculum.maxLength)}, batches of ${count(settings.batch_size)}, ${settings.optim} at ${settings.lr}, seed ${settings.seed}, threads ${settings.threads}\n` +
        `${beginning} ${folder.label}`,
    );
    if (iteration >= settings.iterations) {
      this.#screen.say(`It has done its ${count(settings.iterations)} iterations; --iterations ${2 * iteration} would go on.`);
    }
    this.#screen.json("start", { run: folder.path, task: task.name, model: model.type, weights: model.numParameters, iteration, settings });
  }

  get #loss(): number {
    return this.#losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, this.#losses.length);
  }

  #show(losses: readonly number[]): void {
    const { iteration, settings, task, accuracy } = this.#run;
    this.#losses = [...this.#losses, ...losses].slice(-SHOWN_LOSSES);
    this.#speed.add(iteration);
    const { perSecond } = this.#speed;
    const grows = settings.curriculum_increment > 0 || settings.curriculum_loss > 0;
    const timeLeft = settings.stop_when_solved ? "at most" : grows ? "at least" : "about";
    const figures = {
      iteration,
      iterations: settings.iterations,
      loss: this.#loss,
      accuracy,
      counted: countedBy(task),
      perSecond,
      timeLeft,
    } as const;
    this.#screen.live((columns) => progressLine(figures, columns));
    const now = performance.now();
    if (this.#screen.isLive || now < this.#plainLine.at) return;
    const after = Math.min(2 * this.#plainLine.after, PLAIN_LINE_MS.most);
    this.#plainLine = { at: now + after, after };
    this.#screen.say(progressLine(figures, this.#screen.columns + 1));
  }

  async #summarize(): Promise<void> {
    const line = await this.#run.summarize();
    this.#screen.json("summary", line);
  }

  async #conclude(solved: boolean): Promise<void> {
    const run = this.#run;
    const { task, model, settings, folder, iteration, curriculum } = run;
    const { seconds } = run;
    const screen = this.#screen;
    const outcome = solved ? screen.good("solved") : "ended";
    screen.result(
      `${task.name} ${outcome} after ${count(iteration)} iterations in ${duration(seconds)} (${rate(iteration / Math.max(seconds, 1e-9))} a second)`,
    );
    const evaluation = await generalization(model, task, curriculum.maxLength, settings.seed, this.#interrupter.signal);
    screen.json("result", { run: folder.path, iteration, solved, seconds, evaluation });
    screen.result(`\n${generalizationTable(task, evaluation)}`);
    const drawing = run.memory.draw(curriculum.maxLength, screen.columns);
    if (drawing !== "") screen.say(`\n${drawing}`);
    screen.say(`\nTest it again: ${commandName} evaluate ${run.folder.label}\nLook into it: ${commandName} dashboard ${run.folder.label}`);
  }

  /** What went wrong, and what is left of the run. */
  #withCheckpoint({ message, tensor, step }: NumericError): NumericError {
    const last = this.#run.folder.checkpoints().at(-1)?.path ?? "none was written yet";
    return new NumericError(`${message}\nThe last checkpoint: ${last}`, tensor, step);
  }

  #saveAndSayHowToGoOn(): void {
    const run = this.#run;
    run.save(false);
    const { reason } = this.#interrupter.interruption ?? {};
    if (reason === "EPIPE" || reason === "output") return; // nobody reads
    this.#screen.json("stopped", { run: run.folder.path, iteration: run.iteration, reason });
    const state =
      run.accuracy === undefined
        ? `loss ${figure(this.#loss)}`
        : `loss ${figure(this.#loss)}, ${countedBy(run.task)} ${percent(run.accuracy)} right`;
    this.#screen.result(
      `stopped after iteration ${count(run.iteration)} and saved (${state})\nTo go on:\n  ${commandName} train --resume ${run.folder.label}`,
    );
  }
}

function nextMultiple(iteration: number, of: number): number {
  return (Math.floor(iteration / of) + 1) * of;
}
