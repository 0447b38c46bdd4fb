// What an engine says where there is no memory left for it.
import { expect, test } from "vitest";
import { Engine } from "./engine.js";

test("memory that threads share is smaller, and an error for want of it says that one thread has more room", () => {
  expect(() => Engine.createShared(2 ** 20).allocate(2 ** 21)).toThrow(
    /^3 MiB are needed and memory that threads share.*: train with threads: 1, lower/,
  );
});

test("an error for want of a memory of its own says how much WebAssembly gives", () => {
  expect(() => Engine.create().allocate(2 ** 32)).toThrow(
    /^4097 MiB are needed and WebAssembly gives at most 4096 MiB.*: lower the batch size/,
  );
});
