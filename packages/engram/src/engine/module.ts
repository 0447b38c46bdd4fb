// The compiled kernels. Nothing happens at import: a module is compiled when the first engine asks for it, synchronously.
import { EngramError } from "../errors.js";
import { plainModule, sharedModule } from "./kernels.generated.js";

let plain: WebAssembly.Module | undefined;
let shared: WebAssembly.Module | undefined;

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

function compile(text: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(decodeBase64(text));
  } catch (cause) {
    const simd = cause instanceof WebAssembly.CompileError;
    throw new EngramError(
      simd
        ? "the WebAssembly kernels do not compile here: engram needs WebAssembly SIMD (Node 16.4, Chrome 91, Firefox 89, Safari 16.4 or later)"
        : "this place refuses to compile WebAssembly synchronously: call `await init()` once before the first model",
      "ENGINE",
      { cause },
    );
  }
}

/** The kernels for plain (`isShared` false) or shared memory, compiled at the first call. */
export function kernelModule(isShared: boolean): WebAssembly.Module {
  if (isShared) {
    shared ??= compile(sharedModule);
    return shared;
  }
  plain ??= compile(plainModule);
  return plain;
}

/** Takes a module for shared memory that another thread has compiled. */
export function adoptModule(module: WebAssembly.Module): void {
  shared = module;
}

/**
 * Compiles the kernels ahead of the first model. Needed only where a synchronous compile is refused (a page's main thread in
 * some browsers, some edge runtimes).
 * @param options.module an already compiled kernel module for plain memory, where even asynchronous compilation is refused
 */
export async function init(options: { module?: WebAssembly.Module } = {}): Promise<void> {
  if (options.module !== undefined) plain = options.module;
  else plain ??= await WebAssembly.compile(decodeBase64(plainModule));
}
