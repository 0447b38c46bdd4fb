// Where output goes. People read the screen: standard output, or standard error when `--json` keeps standard output for machines.
// A live line is drawn only on a terminal.
import pc from "picocolors";
import { wrap } from "./format.js";
import { LiveLine } from "./progressLine.js";

const WIDEST = 100;
const NO_TERMINAL_COLUMNS = 80;

export interface ScreenOptions {
  readonly json: boolean;
  readonly quiet: boolean;
}

export class Screen {
  readonly #options: ScreenOptions;
  readonly #stream: NodeJS.WriteStream;
  readonly #live: LiveLine | undefined;
  readonly #colors: ReturnType<typeof pc.createColors>;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#stream = options.json ? process.stderr : process.stdout;
    this.#colors = pc.createColors(pc.isColorSupported && this.#stream.isTTY);
    const canRedraw = this.#stream.isTTY && process.env.TERM !== "dumb";
    this.#live = canRedraw && !options.quiet ? new LiveLine(this.#stream) : undefined;
  }

  get columns(): number {
    return Math.min(this.#stream.columns || NO_TERMINAL_COLUMNS, WIDEST);
  }

  /** Whether there is a live line. */
  get isLive(): boolean {
    return this.#live !== undefined;
  }

  live(line: (columns: number) => string): void {
    this.#live?.draw(line(this.#live.columns));
  }

  /** Says something on the way; nothing when quiet. */
  say(text: string): void {
    if (!this.#options.quiet) this.#print(text);
  }

  /** The result, which is said even when quiet; machines get it as JSON instead. */
  result(text: string): void {
    if (!(this.#options.json && this.#options.quiet)) this.#print(text);
  }

  /** Something the reader should know of. */
  warn(text: string): void {
    this.#live?.clear();
    process.stderr.write(`${this.#colors.yellow("engram:")} ${text}\n`);
  }

  /** A line for machines. */
  json(event: string, content: object): void {
    if (this.#options.json) process.stdout.write(`${JSON.stringify({ event, ...content })}\n`);
  }

  good(text: string): string {
    return this.#colors.green(text);
  }

  strong(text: string): string {
    return this.#colors.bold(text);
  }

  /** Clears the live line, for good. */
  end(): void {
    this.#live?.clear();
  }

  #print(text: string): void {
    this.#live?.clear();
    const { columns } = this.#stream;
    this.#stream.write(`${columns ? wrap(text, columns) : text}\n`);
  }
}
