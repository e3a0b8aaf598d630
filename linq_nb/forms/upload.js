// A button that sends a file to the kernel in parts of 1 MB: a message above about 10 MB gets lost.
const PART = 1_000_000;

function render({ model, el }) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: model.get("accept"), hidden: true });
  let reading = false;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "linq-nb-button";
  button.textContent = "Choose a file";
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    button.disabled = reading = true;
    button.textContent = "Reading …";
    try {
      await sendFile(model, file);
    } finally {
      reading = false;
      onDisabled();
      button.textContent = "Choose a file";
      input.value = ""; // so that the same file can be chosen again
    }
  });
  input.setAttribute("aria-label", "Audio file");
  el.append(button, input);
  const onDisabled = () => { button.disabled = reading || model.get("disabled"); };
  model.on("change:disabled", onDisabled);
  onDisabled();
  return () => model.off("change:disabled", onDisabled);
}

async function sendFile(model, file) {
  const about = { name: file.name, size: file.size };
  if (file.size > model.get("limit")) return model.send({ kind: "refused", ...about });
  model.send({ kind: "begin", ...about });
  for (let at = 0; at < file.size; at += PART)
    model.send({ kind: "part" }, undefined, [await file.slice(at, at + PART).arrayBuffer()]);
  model.send({ kind: "end", ...about });
}

export default { render };
