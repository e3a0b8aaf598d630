// The card of the memo. It comes by message, for it holds the sound, and a widget's state is saved with the notebook.
// The kernel has escaped every text in it.
function render({ model, el }) {
  el.classList.add("linq-nb-card");
  const onMessage = (message) => { if (message.kind === "card") showCard(el, message.html); };
  model.on("msg:custom", onMessage);
  model.send({ kind: "ready" });
  return () => model.off("msg:custom", onMessage);
}

export default { render };
