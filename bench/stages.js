// From V8's sampled call tree to stages: each sample counts for the kernel it is in and the function of the library that called it.

const placeOf = ({ functionName, url, lineNumber }) => {
  const file = url.split("/").at(-1);
  return file === "" ? functionName : `${functionName || "(anonymous)"} ${file}:${lineNumber + 1}`;
};

const isGlue = ({ functionName }) => functionName.startsWith("js-to-wasm");

/** Names a node of the call tree: the outermost kernel on the way to it and who called that, or the JavaScript function itself. */
function stageOf(node, parents, names) {
  let kernel;
  for (let at = node; at !== undefined; at = parents.get(at.id)) {
    const { functionName } = at.callFrame;
    if (functionName.startsWith("wasm-function")) kernel = names.get(functionName) ?? kernel ?? functionName;
    else if (kernel !== undefined && !isGlue(at.callFrame)) return { kernel, caller: placeOf(at.callFrame) };
  }
  return { kernel: "(JavaScript)", caller: isGlue(node.callFrame) ? "calls into WebAssembly" : placeOf(node.callFrame) };
}

/** Microseconds by stage, the longest first. */
export function stagesOf(profile, names) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node])));
  const stages = new Map();
  for (const [i, id] of profile.samples.entries()) {
    const { kernel, caller } = stageOf(nodes.get(id), parents, names);
    const key = `${kernel} ${caller}`;
    const stage = stages.get(key) ?? { kernel, caller, microseconds: 0 };
    stage.microseconds += profile.timeDeltas[i];
    stages.set(key, stage);
  }
  return [...stages.values()].sort((a, b) => b.microseconds - a.microseconds);
}
