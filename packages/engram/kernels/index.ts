// What TypeScript may call. The build reads this list and each function's signature.
export { gemm, packTransposed, packPlain } from "./gemm";
export { mapExp, mapSigmoid, mapTanh, mapSoftplus, mapLog, mapSin2Pi, mapCos2Pi } from "./maps";
