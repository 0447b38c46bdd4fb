// The compiled kernels. Nothing happens at import: a module is compiled when the first engine asks for it, synchronously.
import { ConfigError, EngramError } from "../errors.js";
import { plainModule, sharedModule } from "./kernels.generated.js";

let plain: WebAssembly.Module | undefined;
let shared: WebAssembly.Module | undefined;

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** Whether this engine has what the kernels need. One that merely refuses to compile here and now still says yes. */
function needsSimd(bytes: Uint8Array<ArrayBuffer>): boolean {
  return !WebAssembly.validate(bytes);
}

function noSimd(cause: unknown): EngramError {
  return new EngramError(
    "the WebAssembly kernels do not compile here: engram needs WebAssembly SIMD (Node 16.4, Chrome 91, Firefox 89, Safari 16.4 or later)",
    "ENGINE",
    { cause },
  );
}

function compile(text: string): WebAssembly.Module {
  const bytes = decodeBase64(text);
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    if (needsSimd(bytes)) throw noSimd(cause);
    throw new EngramError(
      "this place refuses to compile WebAssembly synchronously: call `await init()` once before the first model",
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
  const { module } = checkInitOptions(options);
  if (module !== undefined) {
    plain = module;
    return;
  }
  if (plain !== undefined) return;
  const bytes = decodeBase64(plainModule);
  try {
    plain = await WebAssembly.compile(bytes);
  } catch (cause) {
    if (needsSimd(bytes)) throw noSimd(cause);
    throw new EngramError(
      "init: this place refuses to compile WebAssembly (a page's Content-Security-Policy must allow 'wasm-unsafe-eval'): allow it, or give init({ module })",
      "ENGINE",
      { cause },
    );
  }
}

function checkInitOptions(options: { module?: WebAssembly.Module }): { module?: WebAssembly.Module } {
  if (typeof options !== "object" || options === null) throw new ConfigError(`init: options must be an object, got ${String(options)}`);
  const unknown = Object.keys(options).find((name) => name !== "module");
  if (unknown !== undefined) throw new ConfigError(`init: unknown option '${unknown}' (known: module)`);
  const { module } = options;
  if (module !== undefined && !isKernels(module)) {
    throw new ConfigError("init: module must be a WebAssembly.Module of this version's own kernels, compiled");
  }
  return options;
}

/** Another module would fail only later, at a kernel it does not have. */
function isKernels(module: unknown): module is WebAssembly.Module {
  return module instanceof WebAssembly.Module && WebAssembly.Module.exports(module).some(({ name }) => name === "denseForward");
}
