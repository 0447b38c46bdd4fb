// From V8's sampled call tree to stages: each sample counts for the kernel it is in and the function of the library that called it.

const placeOf = ({ functionName, url, lineNumber }) => {
  const file = url.split("/").at(-1);
  return file === "" ? functionName : `${functionName || "(anonymous)"} ${file}:${lineNumber + 1}`;
};

/** Names a node of the call tree: the outermost kernel on the way to it and who called that, or the JavaScript function itself. */
function stageOf(node, parents, names) {
  let kernel;
  let caller;
  for (let at = node; at !== undefined; at = parents.get(at.id)) {
    const inWasm = at.callFrame.functionName.startsWith("wasm-function");
    if (inWasm) kernel = names.get(at.callFrame.functionName) ?? kernel ?? at.callFrame.functionName;
    else if (kernel !== undefined) {
      caller = placeOf(at.callFrame);
      break;
    }
  }
  return kernel === undefined ? { kernel: "(JavaScript)", caller: placeOf(node.callFrame) } : { kernel, caller };
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
