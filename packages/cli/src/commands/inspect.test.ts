import { expect, test } from "vitest";
import { listing } from "./inspect.js";

test("tensors are a table where it fits, else each name has a line of its own", () => {
  const rows = [
    ["a.long.name.of.a.weight", "F32", "3×4", "12"],
    ["b", "F32", "5", "5"],
  ];
  expect(listing(rows, 80).split("\n")).toEqual([
    "tensor                    type   shape   values",
    "a.long.name.of.a.weight    F32     3×4       12",
    "b                          F32       5        5",
  ]);
  expect(listing(rows, 40).split("\n")).toEqual([
    "tensor",
    "  type   shape   values",
    "a.long.name.of.a.weight",
    "  F32      3×4       12",
    "b",
    "  F32        5        5",
  ]);
});
