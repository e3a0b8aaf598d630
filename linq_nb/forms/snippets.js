// Two buttons that ask the kernel for code and show it, selected; it is copied too where the browser allows that.
const LABELS = { magic: "Copy as magic", python: "Copy as Python" };

function render({ model, el }) {
  const root = document.createElement("div");
  const box = document.createElement("textarea");
  const notice = document.createElement("div");
  root.className = "linq-nb-snippets";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "The same as code");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab: keys pressed here are not for its cells
  Object.assign(box, { hidden: true, rows: 2, spellcheck: false, className: "linq-nb-code" });
  box.setAttribute("aria-label", "Code to paste into a cell");
  notice.setAttribute("role", "status");
  notice.className = "linq-nb-count";
  for (const [how, label] of Object.entries(LABELS)) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "linq-nb-button linq-nb-small";
    button.textContent = label;
    button.addEventListener("click", () => model.send({ kind: "ask", how }));
    root.append(button);
  }
  root.append(box, notice);
  el.append(root);

  async function onMessage(message) {
    if (message.kind !== "code") return;
    box.hidden = !message.code;
    box.value = message.code;
    box.rows = Math.min(12, message.code.split("\n").length + 1);
    if (!message.code) return (notice.textContent = "");
    box.focus();
    box.select();
    const copied = await navigator.clipboard?.writeText(message.code).then(() => true, () => false);
    notice.textContent = copied || document.execCommand("copy") // the old way, for pages that may not use the new one
      ? "Copied; paste it into a cell."
      : "Selected. This page may not copy, so press Ctrl+C (⌘C).";
  }

  model.on("msg:custom", onMessage);
  return () => model.off("msg:custom", onMessage);
}

export default { render };
