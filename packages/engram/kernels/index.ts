// What TypeScript may call. The build reads this list and each function's signature.
export { gemm, packTransposed, packPlain } from "./gemm";
