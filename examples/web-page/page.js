// Loads a saved model and runs it on what is clicked. Nothing is compiled or bundled: the page imports the built package as it is.
import { tensor } from "engram";
import { loadModel } from "engram/files";

const ROWS = 4;
const BITS = 5;
const seen = document.querySelector("#seen");
const recalled = document.querySelector("#recalled");
const message = document.querySelector("#message");
const pattern = [1, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1];
let model;

/** The copy task's input: a row of bits at each step, the end marker on the last channel, then blank steps to answer in. */
function recall() {
  const steps = 2 * ROWS + 1;
  const input = tensor(new Float32Array(steps * (BITS + 1)), [1, steps, BITS + 1]);
  for (let row = 0; row < ROWS; row++) input.data.set(pattern.slice(row * BITS, (row + 1) * BITS), row * (BITS + 1));
  input.data[ROWS * (BITS + 1) + BITS] = 1;
  const { output } = model.forward(input);
  return Array.from(output.data.slice((ROWS + 1) * BITS), (value) => (value > 0 ? 1 : 0));
}

function show() {
  for (const [i, bit] of pattern.entries()) {
    seen.children[i].classList.toggle("on", bit === 1);
    seen.children[i].setAttribute("aria-pressed", String(bit === 1));
  }
  if (model === undefined) return;
  const bits = recall();
  for (const [i, bit] of bits.entries()) recalled.children[i].classList.toggle("on", bit === 1);
  const right = bits.filter((bit, i) => bit === pattern[i]).length;
  message.textContent = `${right} of ${bits.length} bits recalled`;
  recalled.setAttribute("aria-label", message.textContent);
}

function use(bytes, name) {
  try {
    const loaded = loadModel(bytes, {}, name).eval();
    const { inputSize, outputSize } = loaded.config;
    if (inputSize !== BITS + 1 || outputSize !== BITS) throw new Error(`${name}: the page needs a model with inputSize 6 and outputSize 5`);
    model = loaded;
    show();
  } catch (error) {
    message.textContent = error.message;
  }
}

for (let i = 0; i < pattern.length; i++) {
  const button = document.createElement("button");
  button.setAttribute("aria-label", `row ${Math.floor(i / BITS) + 1}, bit ${(i % BITS) + 1}`);
  button.addEventListener("click", () => {
    pattern[i] = 1 - pattern[i];
    show();
  });
  seen.append(button);
  recalled.append(document.createElement("span"));
}
document.querySelector("#file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  use(new Uint8Array(await file.arrayBuffer()), file.name);
});

show();
const response = await fetch("model.safetensors");
if (response.ok) use(new Uint8Array(await response.arrayBuffer()), "model.safetensors");
else message.textContent = "No model yet: node examples/web-page/train.js makes one.";
