import { expect, test } from "vitest";
import { stagesOf } from "./stages.js";

const frame = (functionName, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
const nodes = [
  { id: 1, callFrame: frame("(root)"), children: [2, 6] },
  { id: 2, callFrame: frame("forward", "file:///x/layer.js", 9), children: [3, 7] },
  { id: 3, callFrame: frame("wasm-function[4]", "wasm://a"), children: [4] },
  { id: 4, callFrame: frame("wasm-function[9]", "wasm://a") }, // not exported: part of whoever called it
  { id: 5, callFrame: frame("wasm-function[5]", "wasm://a") },
  { id: 7, callFrame: frame("js-to-wasm:ii:", "wasm://a"), children: [5] },
  { id: 6, callFrame: frame("(garbage collector)") },
];
const names = new Map([
  ["wasm-function[4]", "gemm"],
  ["wasm-function[5]", "lstmForward"],
]);

test("samples count for the exported kernel and its caller, or for the JavaScript they are in", () => {
  const profile = { nodes, samples: [3, 4, 5, 2, 6, 4, 7], timeDeltas: [10, 20, 5, 3, 2, 40, 1] };
  expect(stagesOf(profile, names)).toEqual([
    { kernel: "gemm", caller: "forward layer.js:10", microseconds: 70 },
    { kernel: "lstmForward", caller: "forward layer.js:10", microseconds: 5 },
    { kernel: "(JavaScript)", caller: "forward layer.js:10", microseconds: 3 },
    { kernel: "(JavaScript)", caller: "(garbage collector)", microseconds: 2 },
    { kernel: "(JavaScript)", caller: "calls into WebAssembly", microseconds: 1 },
  ]);
});
