// What TypeScript may call. The build reads this list and each function's signature.
export { gemm, packTransposed, packPlain, transposeRows } from "./gemm";
export { fillZero, copyBytes } from "./bytes";
export { mapExp, mapSigmoid, mapTanh, mapSoftplus, mapLog, mapSin2Pi, mapCos2Pi } from "./maps";
export { sumOfSquares, maskSum, scaleInPlace, clampInPlace, sumGradients } from "./reductions";
export { adam, adamax, rmsprop, sgd, adagrad, adadelta } from "./optimizers";
export { lstmForward, lstmBackward } from "./lstm";
export { gruForward, gruBackward } from "./gru";
export { rnnTanhForward, rnnTanhBackward, rnnReluForward, rnnReluBackward } from "./rnn";
export { clampForward, clampBackward } from "./clamp";
export { addRows, scaleRows, columnSums, gatherRows, scatterRows, scatterBlock } from "./rows";
export { firstNonFinite, equalBytes } from "./inspection";
export { binaryCrossEntropyRows, meanSquaredErrorRows, softmaxCrossEntropyRows, softmaxCrossEntropyIndexRows } from "./losses";
export { sumReadout, sumReadoutBackward, lastReadout, lastReadoutBackward } from "./readouts";
export { denseForward, denseBackward, denseRestore } from "./denseMemory";
export { philoxUniform, philoxNormal } from "./philox";
export { dropoutRows } from "./dropout";
