// engram bench: how fast the library is here. The benchmark itself is bench/ of the repository; the build copies it beside this.
import { Command, InvalidArgumentError } from "commander";
import { didYouMean } from "engram";
import { UsageError } from "../usage.js";

interface BenchFlags {
  readonly case?: string[];
  readonly list?: true;
  readonly quick?: true;
  readonly threads?: number;
  readonly rounds?: number;
  readonly peer?: string;
  readonly peer_sweeps?: boolean;
  readonly python?: string;
  readonly json?: string;
  readonly svg?: string;
}

/** What bench/benchmark.js offers, in plain JavaScript. */
interface Benchmark {
  runBenchmark(flags: Omit<BenchFlags, "peer_sweeps"> & { readonly peerSweeps: boolean }): Promise<void>;
  readonly UnknownCase: new (wanted: string) => Error & { readonly wanted: string; readonly names: readonly string[] };
}

export function benchCommand(): Command {
  return new Command("bench")
    .description("Measures training, forward passes and streaming on this machine, each checked before it is timed.")
    .option("--case <name...>", "cases or sweeps to measure, NAME* for all that begin so, all for everything [the marked table]")
    .option("--list", "print the names of all cases and sweeps")
    .option("--quick", "shorter rounds, shorter sweeps")
    .option("--threads <n>", "threads to measure beside one [all cores]", parseCount)
    .option("--rounds <n>", "rounds in which all are timed in turn [3]", parseCount)
    .option("--peer <dir>", "a checkout of ixaxaar/pytorch-dnc to measure in turn")
    .option("--peer_sweeps", "measure it in sweeps too")
    .option("--python <path>", "the Python that has torch and faiss [/usr/bin/python3]")
    .option("--json <file>", "write everything measured as JSON")
    .option("--svg <dir>", "write a plot of each sweep")
    .helpOption("-h, --help", "print this")
    .action((flags: BenchFlags) => bench(flags));
}

function parseCount(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number of 1 or more.");
}

async function bench({ peer_sweeps = false, ...flags }: BenchFlags): Promise<void> {
  const benchmark = (await import(new URL("../bench/benchmark.js", import.meta.url).href)) as Benchmark;
  try {
    await benchmark.runBenchmark({ ...flags, peerSweeps: peer_sweeps });
  } catch (error) {
    if (!(error instanceof benchmark.UnknownCase)) throw error;
    throw new UsageError(`${error.message}${didYouMean(error.wanted, error.names)}; engram bench --list names them`);
  }
}
