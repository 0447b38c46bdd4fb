// Our side of the benchmark: a process of its own that answers the same requests as peer.py.
//   node engramProcess.js --threads N
import { parseArgs } from "node:util";
import { serve } from "./serve.js";
import { Subject } from "./subject.js";

const { values } = parseArgs({ options: { threads: { type: "string", default: "1" } } });
const threads = Number(values.threads);
let subject;

await serve({
  hello: () => ({ node: process.version, threads }),
  prepare: (request) => {
    subject = new Subject(request.case, threads);
    return subject.prepare();
  },
  measure: ({ repetitions, seconds }) => subject.measure(repetitions, seconds),
});
process.exit(0); // worker threads may still be waiting for work
