// From measurements to figures: ratios round by round, shares of the roofline, memory, and tables in Markdown.
import { productFlops } from "./flops.js";
import { fitPower, median } from "./statistics.js";

/** Ratio of two contenders of one run: the median over the rounds, and the range. */
function ratioOf(theirs, ours) {
  if (theirs?.roundMs === undefined || ours === undefined) return undefined;
  const ratios = theirs.roundMs.map((ms, round) => ms / ours.roundMs[round]);
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

const ownBy = (results, threads) => results.find((each) => each.side === "engram" && each.threads === threads);

/** All figures of one case from its contenders' results. */
export function figuresOf(given, results) {
  const ours = results.filter((each) => each.side === "engram");
  const most = ours.at(-1);
  const peers = results.filter((each) => each.side === "pytorch-dnc" && each.ms !== undefined);
  const asMarked = peers.find((each) => !each.keepState);
  const theirAlone = peers.find((each) => each.threads === 1 && !each.keepState);
  const fastest = [...peers].sort((a, b) => a.ms.median - b.ms.median)[0];
  const flops = productFlops(given);
  // One thread's processor time is its time on a quiet machine, and near it on a busy one.
  const shareOf = ({ threads, roundMs, roundCpuMs, roundGflops }) =>
    median((threads === 1 ? roundCpuMs : roundMs).map((ms, round) => flops / (ms * 1e-3) / (roundGflops[round] * 1e9)));
  const ratio = ratioOf(asMarked, most);
  return {
    case: given,
    flops,
    results: results.map((each) => (each.side === "engram" ? { ...each, share: shareOf(each) } : each)),
    ratio,
    ratioOneThread: ratioOf(asMarked, ownBy(results, 1)),
    ratioToFastest: ratioOf(fastest, most),
    fastest: fastest?.label,
    ratioOfBests: asMarked && asMarked.ms.smallest / most.ms.smallest,
    ratioOfWork: theirAlone && theirAlone.cpuMs.median / ownBy(results, 1).cpuMs.median,
    met: given.mark === undefined || ratio === undefined ? undefined : ratio.median >= given.mark,
  };
}

/** Exponent of processor time (one thread) against the axis, from each point's fastest sample: what else the machine does only ever adds. */
export function exponentOf(sweep, results) {
  const from = sweep.expected?.from ?? 0;
  const points = sweep.cases.map(({ value }, i) => [value, results[i].cpuMs.smallest]).filter(([value]) => value >= from);
  const fit = fitPower(points);
  const met = sweep.expected && Math.abs(fit.exponent - sweep.expected.exponent) <= sweep.expected.within;
  return { ...fit, points: points.length, met };
}

export function formatMs(ms) {
  if (ms >= 100) return ms.toFixed(0);
  return ms >= 10 ? ms.toFixed(1) : Number(ms.toPrecision(3)).toString();
}
const formatRatio = (ratio) => (ratio === undefined ? "" : formatMs(ratio.median));
const formatTime = (result) =>
  result === undefined
    ? ""
    : result.ms === undefined
      ? "failed"
      : `${formatMs(result.ms.median)} ±${(100 * result.ms.spread).toFixed(0)} %`;
const formatShare = (share) => (share === undefined ? "" : `${(100 * share).toFixed(0)} %`);
const formatBytes = (bytes) => {
  if (bytes === undefined || bytes === null) return "";
  return bytes < 10 * 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
};

/** Bytes a model held at most, from its `memoryUsage()`, and how much of it came after its construction. */
const modelBytes = (result) => result?.memory?.peak;
const bytesBeyondStart = (result) => result && result.memory.peak - result.prepared.startBytes.total;

/** A Markdown table with aligned columns. `columns`: `[heading, (row) => text]`; columns without any text are left out. */
export function markdownTable(rows, columns) {
  const texts = columns.map(([, text]) => rows.map((row) => String(text(row) ?? "")));
  const shown = columns.map((_, i) => i).filter((i) => i === 0 || texts[i].some((text) => text !== ""));
  const widths = shown.map((i) => Math.max(columns[i][0].length, 3, ...texts[i].map((text) => text.length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  const heading = line(shown.map((i) => columns[i][0]));
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [heading, rule, ...rows.map((_, row) => line(shown.map((i) => texts[i][row])))].join("\n");
}

/** One case in a line. */
export function caseLine({ case: { name }, results, ratio, ratioOfWork }) {
  const times = results.map((each) => `${each.label} ${formatTime(each)}${each.ms ? " ms" : ""}`).join("; ");
  const compared = ratio === undefined ? "" : `; ratio ${formatRatio(ratio)}, by work ${formatMs(ratioOfWork)}`;
  return `${name}: ${times}${compared}`;
}

/** Times and ratios, then a second table of shares and memory. */
export function caseTables(figures, threads) {
  const find = (row, side, test = () => true) => row.results.find((each) => each.side === side && test(each));
  const one = (row) => find(row, "engram", (each) => each.threads === 1);
  const all = (row) => (threads > 1 ? find(row, "engram", (each) => each.threads === threads) : undefined);
  const peer = (row, test) => find(row, "pytorch-dnc", test);
  const name = ["case", (row) => row.case.name];
  const times = markdownTable(figures, [
    name,
    ["ms, 1 thread", (row) => formatTime(one(row))],
    [`ms, ${threads} threads`, (row) => formatTime(all(row))],
    ["pytorch-dnc", (row) => formatTime(peer(row, (each) => each.threads === threads && !each.keepState))],
    ["its 1 thread", (row) => (threads > 1 ? formatTime(peer(row, (each) => each.threads === 1 && !each.keepState)) : "")],
    ["its index kept", (row) => formatTime(peer(row, (each) => each.keepState))],
    ["ratio", (row) => formatRatio(row.ratio)],
    ["mark", (row) => (row.case.mark === undefined ? "" : `${row.case.mark}${row.met === undefined ? "" : row.met ? " met" : " missed"}`)],
    ["of bests", (row) => (row.ratioOfBests === undefined ? "" : formatMs(row.ratioOfBests))],
    ["ratio, 1 thread", (row) => (threads > 1 ? formatRatio(row.ratioOneThread) : "")],
    ["by work, 1 thread", (row) => (row.ratioOfWork === undefined ? "" : formatMs(row.ratioOfWork))],
    ["to its fastest", (row) => formatRatio(row.ratioToFastest)],
    ["tfjs LSTM", (row) => formatTime(find(row, "tfjs"))],
  ]);
  const shares = markdownTable(figures, [
    name,
    ["cpu ms, 1 thread", (row) => formatTime({ ms: one(row).cpuMs })],
    ["fastest ms, 1 thread", (row) => formatMs(one(row).ms.smallest)],
    [`fastest ms, ${threads} threads`, (row) => (all(row) === undefined ? "" : formatMs(all(row).ms.smallest))],
    ["roofline, 1 thread", (row) => formatShare(one(row)?.share)],
    [`roofline, ${threads} threads`, (row) => formatShare(all(row)?.share)],
    ["model", (row) => formatBytes(modelBytes(one(row)))],
    ["beyond start", (row) => formatBytes(bytesBeyondStart(one(row)))],
    ["process", (row) => formatBytes(one(row)?.peakBytes)],
    ["its process", (row) => formatBytes(peer(row)?.peakBytes)],
  ]);
  return `${times}\n\n${shares}`;
}

export function sweepTable(sweep, results, exponent) {
  const rows = sweep.cases.map((given, i) => ({ given, result: results[i] }));
  const table = markdownTable(rows, [
    [sweep.axis, ({ given }) => given.value],
    ["ms", ({ result }) => formatTime(result)],
    ["fastest cpu ms", ({ result }) => formatMs(result.cpuMs.smallest)],
    ["model", ({ result }) => formatBytes(modelBytes(result))],
    ["beyond start", ({ result }) => formatBytes(bytesBeyondStart(result))],
    ["process", ({ result }) => formatBytes(result.peakBytes)],
  ]);
  const { expected } = sweep;
  const mark = expected ? ` (expected ${expected.exponent} ± ${expected.within}: ${exponent.met ? "met" : "missed"})` : "";
  const from = expected?.from ? ` from ${expected.from} up` : "";
  return `${sweep.name}\n${table}\ntime ~ ${sweep.axis}^${exponent.exponent.toFixed(3)}${from}${mark}`;
}

export function probeTable(probes) {
  const rows = probes.flatMap((probe) => [
    ...probe.products.map((each) => ({
      threads: probe.threads,
      what: `product ${each.m}×${each.n}×${each.k}`,
      rate: each.gflops,
      unit: "GFlop/s",
    })),
    ...probe.streams.flatMap(({ bytes, readGBs, copyGBs }) => [
      { threads: probe.threads, what: `read ${formatBytes(bytes)}`, rate: readGBs, unit: "GB/s" },
      { threads: probe.threads, what: `copy ${formatBytes(bytes)}`, rate: copyGBs, unit: "GB/s" },
    ]),
  ]);
  return markdownTable(rows, [
    ["probe", (row) => row.what],
    ["threads", (row) => row.threads],
    ["rate", (row) => `${row.rate.toFixed(1)} ${row.unit}`],
  ]);
}
