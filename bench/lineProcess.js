// A child process that answers one line of JSON for each line it is sent: ours, the Python package's and TensorFlow.js's alike.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class LineProcess {
  constructor(command, args, { timeLimitMs = 600_000 } = {}) {
    this.name = args.find((each) => /\.(py|js)$/.test(each)) ?? command;
    this.timeLimitMs = timeLimitMs;
    this.waiting = undefined;
    this.complaints = [];
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.settle("resolve", line));
    createInterface({ input: this.child.stderr }).on("line", (line) => {
      this.complaints = [...this.complaints.slice(-19), line];
    });
    this.child.on("error", (problem) => this.settle("reject", problem));
    this.closed = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.code = code ?? signal;
        this.settle("reject", this.ended());
        resolve();
      });
    });
    this.child.stdin.on("error", () => {}); // it ended; "close" tells
  }

  ended() {
    return new Error(`${this.name} ended with ${this.code}: ${this.complaints.join("\n")}`);
  }

  settle(how, value) {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    waiting[how](value);
  }

  /** @throws when the process ended, took too long or answered with an error */
  async request(message) {
    const line = await new Promise((resolve, reject) => {
      if (this.code !== undefined) {
        reject(this.ended());
        return;
      }
      const timer = setTimeout(() => {
        this.child.kill();
        this.settle("reject", new Error(`${this.name} did not answer "${message.op}" within ${this.timeLimitMs / 1000} s`));
      }, this.timeLimitMs);
      this.waiting = { resolve, reject, timer };
      this.child.stdin.write(`${JSON.stringify(message)}\n`);
    });
    const answer = JSON.parse(line);
    if (answer.error !== undefined) throw new Error(`${this.name}: ${answer.error}`);
    return answer;
  }

  /** Ends the process by ending its input. */
  close() {
    this.child.stdin.end();
    return this.closed;
  }
}
