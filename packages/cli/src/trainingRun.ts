// A training run: model, trainer, task and curriculum together with the folder they are kept in. Knows how to train, to sum up, to
// save and to go on; when to do which is training.ts.
import { CheckpointError, type Model, Random } from "engram";
import { saveCheckpoint } from "engram/files";
import { type MetricsLine, RunFolder } from "engram/node";
import { createTask, type Task, type TaskName } from "engram/tasks";
import { Curriculum, evaluate, isSolved, type StepResult, Trainer } from "engram/train";
import type { Settings } from "./flags.js";
import { isFiniteTrace, MemoryWatcher, traceFile } from "./memoryTrace.js";
import { modelFromFlags } from "./models.js";
import { trainedLengths } from "./report.js";
import { checkRunConfig, resumedSettings, runConfig } from "./runConfig.js";
import { type Best, type RunState, readRunCheckpoint, type Sums } from "./runState.js";
import { curriculumOptions, modelOptions, trainerOptions } from "./settings.js";
import { UsageError } from "./usage.js";

/** Streams of random numbers, so that looking at a run does not change it. */
const DATA_STREAM = 1;
const SUMMARY_STREAM = 2;
const SOLVED_STREAM = 5;

const SUMMARY_SEQUENCES = 100;
const SUMMARY_LENGTHS = 10;
const SOLVED_SEQUENCES = 1000;

const YIELD_MS = 100;
const nothing: Sums = { loss: 0, gradNorm: 0, count: 0 };

/** What a run is made of, before it begins or goes on. */
interface Parts {
  readonly folder: RunFolder;
  readonly settings: Settings;
  readonly task: Task;
  readonly model: Model;
  readonly trainer: Trainer;
  readonly state?: RunState;
}

export class TrainingRun {
  readonly folder: RunFolder;
  readonly settings: Settings;
  readonly task: Task;
  readonly model: Model;
  readonly trainer: Trainer;
  readonly curriculum: Curriculum;
  readonly memory: MemoryWatcher;
  readonly #random: Random;
  #iteration: number;
  #sinceSummary: Sums;
  #sinceCheckpoint: Sums;
  #best: Best | null;
  #latest: MetricsLine | undefined;
  /** Training time of this run before this process, in seconds. */
  readonly #secondsBefore: number;
  readonly #began = performance.now();
  #summarized = { at: this.#began, iteration: 0 };

  private constructor({ folder, settings, task, model, trainer, state }: Parts) {
    this.folder = folder;
    this.settings = settings;
    this.task = task;
    this.model = model;
    this.trainer = trainer;
    this.curriculum = new Curriculum(curriculumOptions(settings, task), state?.curriculum);
    this.memory = new MemoryWatcher(model, task, settings.seed);
    this.#random = state === undefined ? new Random(settings.seed, DATA_STREAM) : Random.from(state.random);
    this.#iteration = state?.iteration ?? 0;
    this.#sinceSummary = state?.sinceSummary ?? nothing;
    this.#sinceCheckpoint = state?.sinceCheckpoint ?? nothing;
    this.#best = state?.best ?? null;
    this.#summarized.iteration = this.#iteration;
    this.#latest = folder.readMetrics().at(-1);
    this.#secondsBefore = this.#latest?.seconds ?? 0;
  }

  /** A new run, in a folder that it makes and locks. */
  static start(taskName: TaskName, settings: Settings): TrainingRun {
    const parts = freshParts(taskName, settings);
    const folder = writing(settings.out, () => RunFolder.create(settings.out));
    return orUnlock(folder, () => {
      writing(settings.out, () => folder.writeConfig(runConfig(settings, parts.task, parts.model)));
      return new TrainingRun({ ...parts, folder });
    });
  }

  /**
   * Goes on with a run where its newest good checkpoint was written.
   * @param warn is told of checkpoints that could not be read
   */
  static resume(path: string, taskName: TaskName | undefined, given: Partial<Settings>, warn: (message: string) => void): TrainingRun {
    const folder = RunFolder.open(path);
    const config = checkRunConfig(folder.readConfig(), folder.path);
    if (taskName !== undefined && taskName !== config.task.name)
      throw new UsageError(`${path}: this run learns ${config.task.name}, not ${taskName}`);
    const settings = resumedSettings(config, given);
    writing(path, () => folder.lock());
    return orUnlock(folder, () => {
      if (folder.checkpoints().length > 0) return TrainingRun.#fromCheckpoint(folder, config.task.name, settings, warn);
      takeBack(folder, 0); // stopped before the first checkpoint
      return new TrainingRun({ ...freshParts(config.task.name, settings), folder });
    });
  }

  static #fromCheckpoint(folder: RunFolder, taskName: TaskName, settings: Settings, warn: (message: string) => void): TrainingRun {
    const { iteration, checkpoint, skipped } = folder.latestCheckpoint(readRunCheckpoint);
    for (const { error } of skipped) warn(`skipped ${error.message}`);
    const { model, run: state } = checkpoint;
    const task = createTask(taskName, { inputSize: settings.input_size });
    const trainer = Trainer.resume(model, trainerOptions(settings, task), checkpoint.trainer);
    takeBack(folder, iteration);
    return new TrainingRun({ folder, settings, task, model, trainer, state });
  }

  /** Iterations done. */
  get iteration(): number {
    return this.#iteration;
  }

  /** Training time so far, in seconds. */
  get seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#began) / 1000;
  }

  /** Fraction right at the latest summary. */
  get accuracy(): number | undefined {
    return this.#latest?.accuracy;
  }

  /** Trains up to an iteration, or to the signal. Yields the losses since the last time every now and then. */
  async *train(until: number, signal: AbortSignal): AsyncGenerator<number[], void> {
    const { task, curriculum, settings } = this;
    const options = { task, curriculum, signal, rng: this.#random, batchSize: settings.batch_size, yieldMs: YIELD_MS };
    for await (const { steps } of this.trainer.run({ ...options, iterations: until - this.#iteration })) {
      this.#iteration += steps.length;
      this.#sinceSummary = steps.reduce(added, this.#sinceSummary);
      this.#sinceCheckpoint = steps.reduce(added, this.#sinceCheckpoint);
      yield steps.map(({ loss }) => loss);
    }
  }

  /**
   * A line of metrics: means since the last one, and scores on fresh sequences. Written down, with what the memory does. Takes no signal: a
   * summary that was given up would be missing for good.
   */
  async summarize(): Promise<MetricsLine> {
    const { task, model, curriculum, iteration } = this;
    const { maxLength } = curriculum;
    const lengths = trainedLengths(task, maxLength, SUMMARY_LENGTHS);
    const samples = Math.ceil(SUMMARY_SEQUENCES / lengths.length);
    const score = await evaluate(model, task, { lengths, samples, rng: this.#fresh(SUMMARY_STREAM) });
    const { loss, gradNorm, count } = this.#sinceSummary;
    const now = performance.now();
    const iterationsPerSecond = (1000 * (iteration - this.#summarized.iteration)) / (now - this.#summarized.at);
    const means = { loss: loss / count, gradNorm: gradNorm / count, learningRate: this.trainer.learningRate };
    const line: MetricsLine = { iteration, ...means, ...score, maxLength, iterationsPerSecond, seconds: this.seconds };
    this.#latest = line;
    this.#sinceSummary = nothing;
    this.#summarized = { at: now, iteration };
    this.#writing(() => {
      this.folder.appendMetrics(line);
      const trace = this.memory.traceForFile(maxLength);
      if (trace !== undefined && isFiniteTrace(trace)) this.folder.writeMemory(iteration, traceFile(trace, model, task, iteration));
    });
    return line;
  }

  /**
   * Whether every answer of a fresh thousand is right (copy: of each trained length), at the longest lengths the curriculum has.
   * Looks no further where the summary of this iteration was not all right.
   */
  async isSolved(signal: AbortSignal): Promise<boolean> {
    const { task, curriculum, model, settings } = this;
    const grows = settings.curriculum_increment > 0 || settings.curriculum_loss > 0;
    if (this.#latest?.iteration !== this.#iteration || this.#latest.accuracy !== 1) return false;
    if (grows && curriculum.maxLength < settings.curriculum_limit) return false;
    const lengths = trainedLengths(task, curriculum.maxLength, Number.POSITIVE_INFINITY);
    const samples = task.name === "copy" ? SOLVED_SEQUENCES : Math.ceil(SOLVED_SEQUENCES / lengths.length);
    return isSolved(model, task, { lengths, samples, rng: this.#fresh(SOLVED_STREAM), signal });
  }

  /**
   * Writes a checkpoint.
   * @param scheduled false for one that the user's impatience asked for: it leaves no trace in what follows, so that an
   *   interrupted run ends up exactly where an uninterrupted one does
   */
  save(scheduled: boolean): void {
    const { iteration, curriculum } = this;
    const { loss, count } = this.#sinceCheckpoint;
    if (scheduled && count > 0) {
      const candidate = { iteration, maxLength: curriculum.maxLength, loss: loss / count };
      if (isBetter(candidate, this.#best)) this.#best = candidate;
      this.#sinceCheckpoint = nothing;
    }
    this.#writing(() => this.folder.writeCheckpoint(iteration, saveCheckpoint(this.trainer, this.#state()), this.#best?.iteration));
  }

  /** Whether the summary of this iteration is missing: the run was ended while it was looked at. */
  get isSummaryDue(): boolean {
    return this.#iteration % this.settings.summarize_freq === 0 && this.#sinceSummary.count > 0;
  }

  /** For an end between two turns of the process: whatever is not saved yet is saved, if it can be. */
  saveAndClose(): void {
    try {
      if (this.folder.checkpoints().at(-1)?.iteration !== this.#iteration) this.save(false);
    } finally {
      this.close();
    }
  }

  /** Ends the worker threads and gives the folder back. */
  close(): void {
    this.trainer.dispose();
    this.folder.unlock();
  }

  #state(): RunState {
    return {
      task: this.task.name as TaskName,
      iteration: this.#iteration,
      curriculum: this.curriculum.state(),
      random: this.#random.state(),
      sinceSummary: this.#sinceSummary,
      sinceCheckpoint: this.#sinceCheckpoint,
      best: this.#best,
    };
  }

  /** A generator for looking at the run: other sequences at every iteration, the same ones when it is gone through again. */
  #fresh(stream: number): Random {
    return new Random(this.settings.seed + this.#iteration * 2 ** 20, stream);
  }

  #writing(write: () => void): void {
    writing(this.folder.path, write, () => `; the last checkpoint: ${this.folder.checkpoints().at(-1)?.path ?? "none"}`);
  }
}

function freshParts(taskName: TaskName, settings: Settings): Omit<Parts, "folder"> {
  const task = createTask(taskName, { inputSize: settings.input_size });
  const model = modelFromFlags(settings.memory_type, modelOptions(settings, task));
  return { settings, task, model, trainer: new Trainer(model, trainerOptions(settings, task)) };
}

/** Takes a run's files back to where it goes on. */
function takeBack(folder: RunFolder, iteration: number): void {
  writing(folder.path, () => {
    folder.truncateMetrics(iteration);
    folder.removeAfter(iteration);
  });
}

/** What the system says of a full disk or a folder that may not be written to does not always name the folder. */
function writing<T>(path: string, write: () => T, more = () => ""): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new CheckpointError(`${path}: can't be written to (${error.message})${more()}`, { cause: error });
  }
}

function orUnlock<T>(folder: RunFolder, make: () => T): T {
  try {
    return make();
  } catch (error) {
    folder.unlock();
    throw error;
  }
}

function added(sums: Sums, { loss, gradNorm }: StepResult): Sums {
  return { loss: sums.loss + loss, gradNorm: sums.gradNorm + gradNorm, count: sums.count + 1 };
}

function isBetter(candidate: Best, best: Best | null): boolean {
  if (best === null || candidate.maxLength > best.maxLength) return true;
  return candidate.maxLength === best.maxLength && candidate.loss <= best.loss;
}
