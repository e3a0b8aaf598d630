// One line about the current state. Both regions exist from the start: a screen reader reads out changes in them.
function render({ model, el }) {
  const polite = document.createElement("div");
  const urgent = document.createElement("div");
  polite.setAttribute("role", "status");
  urgent.setAttribute("role", "alert");
  el.append(polite, urgent);

  function draw() {
    const [tone, tag, words] = ["tone", "tag", "words"].map((name) => model.get(name));
    const [region, other] = tone === "error" || tone === "ask" ? [urgent, polite] : [polite, urgent];
    other.replaceChildren();
    region.className = `linq-nb-status linq-nb-${tone}`;
    other.className = "";
    const parts = [];
    if (tag) {
      const mark = document.createElement("span");
      mark.className = `linq-nb-badge ${tone === "error" || tone === "ask" ? "linq-nb-red" : "linq-nb-grey"}`;
      mark.textContent = tag;
      parts.push(mark, " ");
    }
    const text = document.createElement("span");
    text.textContent = words;
    region.replaceChildren(...(words ? [...parts, text] : []));
  }

  function onMessage(message) {
    if (message.kind === "scroll") setTimeout(scrollIntoView, 100); // after the changes before it are drawn
  }

  /** Scroll this line into view, and the controls below it as far as there is room. */
  function scrollIntoView() {
    const siblings = el.parentElement?.children ?? []; // none when the output was cleared meanwhile
    const shown = [...siblings].filter((node) => node.offsetParent);
    for (const node of [...shown.slice(shown.indexOf(el) + 1).reverse(), el]) node.scrollIntoView({ block: "nearest" });
  }

  model.on("change", draw);
  model.on("msg:custom", onMessage);
  draw();
  return () => { model.off("change", draw); model.off("msg:custom", onMessage); };
}

export default { render };
