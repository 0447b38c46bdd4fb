// What TypeScript may call. The build reads this list and each function's signature.
export { gemm, packTransposed, packPlain, transposeRows } from "./gemm";
export { fillZero, copyBytes } from "./bytes";
export { mapExp, mapSigmoid, mapTanh, mapSoftplus, mapLog, mapSin2Pi, mapCos2Pi } from "./maps";
