// The loop of a process that answers one line of JSON for each line it is sent (see lineProcess.js), until its input ends.
import { createInterface } from "node:readline";

/** @param answers what to do for each `op` of a request: a function of the request, its result the answer */
export async function serve(answers) {
  for await (const line of createInterface({ input: process.stdin })) {
    let reply;
    try {
      const request = JSON.parse(line);
      reply = await answers[request.op](request);
    } catch (problem) {
      reply = { error: problem.stack };
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}
