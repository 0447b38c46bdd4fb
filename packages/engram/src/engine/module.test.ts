// Compiling the kernels, where it works and where it is refused.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConfigError, type EngramError } from "../errors.js";

type Fresh = typeof import("./module.js") & { readonly EngramError: typeof EngramError };

/** The module as it is before anything was compiled, with the classes that it throws. */
async function fresh(): Promise<Fresh> {
  vi.resetModules();
  return { ...(await import("./module.js")), EngramError: (await import("../errors.js")).EngramError };
}

/** Refuses to compile at once, and after a while too, as a page's policy would. */
function refuse({ later }: { readonly later: boolean }): void {
  const refusal = () => new WebAssembly.CompileError("blocked by Content Security Policy");
  class Refusing {
    constructor() {
      throw refusal();
    }
  }
  vi.spyOn(WebAssembly, "Module").mockImplementation(Refusing as never);
  if (later) vi.spyOn(WebAssembly, "compile").mockRejectedValue(refusal());
}

let modules: Fresh;
beforeEach(async () => {
  modules = await fresh();
});
afterEach(() => vi.restoreAllMocks());

test("a place that refuses to compile synchronously is told to call init, whatever it refuses with", () => {
  refuse({ later: false });
  expect(() => modules.kernelModule(false)).toThrow(modules.EngramError);
  expect(() => modules.kernelModule(false)).toThrow(/refuses to compile WebAssembly synchronously: call `await init\(\)` once/);
});

test("after init nothing is compiled synchronously", async () => {
  await modules.init();
  refuse({ later: true });
  expect(modules.kernelModule(false)).toBeDefined();
  await modules.init();
});

test("a place that refuses asynchronous compilation too says what must be allowed", async () => {
  refuse({ later: true });
  await expect(modules.init()).rejects.toThrow(/init: this place refuses to compile WebAssembly.*wasm-unsafe-eval/);
});

test("an engine without SIMD is told which ones have it", async () => {
  refuse({ later: true });
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  expect(() => modules.kernelModule(false)).toThrow(/needs WebAssembly SIMD/);
  await expect(modules.init()).rejects.toThrow(/needs WebAssembly SIMD/);
});

test("init takes an already compiled module of the kernels, and nothing else", async () => {
  const { kernelModule } = await fresh();
  const compiled = kernelModule(false);
  const { init, kernelModule: given } = await fresh();
  await init({ module: compiled });
  expect(given(false)).toBe(compiled);
  const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const wrong = [{ module: empty }, { module: new Uint8Array(8) }, { modul: compiled }, null, 5];
  for (const options of wrong) {
    await expect(init(options as never)).rejects.toThrow(/^init: /);
    await expect(init(options as never)).rejects.toMatchObject({ name: ConfigError.name });
  }
});
