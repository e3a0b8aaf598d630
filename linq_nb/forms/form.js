// The page of linq_nb.SendForm. It shows what the kernel says and sends what a person does. All text is set as text,
// never as HTML; the one exception is the memo's card, which the kernel made and escaped.

const STEPS = { choose: "Choose", check: "Check", send: "Send", follow: "Follow", done: "Done" };

class Form {
  constructor(model, el) {
    this.model = model;
    this.root = h("div", { className: "linq-ui linq-nb-form" });
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab: keys pressed here are not for its cells
    this.mode = h("span", { className: "linq-ui-mode" });
    this.steps = h("ol", { className: "linq-nb-steps", "aria-label": "Steps" });
    this.recipients = new Recipients(model);
    this.picker = makePicker(model, Object.values(this.recipients.buttons));
    this.audio = new AudioChoice(model);
    this.snippets = new Snippets(model);
    this.compose = h("div", { className: "linq-nb-compose" }, ...this.picker.elements, ...this.recipients.elements, ...this.audio.elements);
    this.card = h("div", { className: "linq-nb-card" });
    this.acceptable = h("ul", { className: "linq-nb-acceptable" });
    this.list = h("ul", { className: "linq-nb-outcomes", "aria-label": "Recipients" });
    this.progress = h("b");
    this.polite = h("div", { role: "status" });
    this.urgent = h("div", { role: "alert" });
    this.send = this.button("send", "Send", "linq-nb-primary");
    this.stop = this.button("stop", "Stop sending");
    this.outcome = h("div", {}, h("div", { className: "linq-ui-tools linq-nb-progress" }, this.stop, this.progress), this.list);
    this.no = this.button("no", "No, send nothing");
    this.yes = this.button("yes", "Yes", "linq-ui-danger");
    this.reason = h("input", { type: "text", maxLength: 500, autocomplete: "off" });
    this.reasonLabel = h("label", { className: "linq-nb-reason" }, "Why (optional; the journal keeps it) ", this.reason);
    this.buttons = h("div", { className: "linq-ui-tools" }, this.send, this.reasonLabel, this.no, this.yes);
    this.again = h("div", { className: "linq-ui-tools" },
      this.button("new", "New memo"), this.button("others", "Send to others"), this.button("back", "Back"));
    this.root.append(h("div", { className: "linq-ui-top" }, this.mode, h("b", {}, "Send a voice memo"), this.steps),
      this.compose, this.card, this.acceptable, this.polite, this.urgent, this.buttons, this.outcome, this.again, this.audio.options,
      this.snippets.element);
    el.append(this.root);
    this.onMessage = (message) => this.receive(message);
    model.on("msg:custom", this.onMessage);
    model.send({ kind: "ready" });
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.picker.close();
    this.audio.cleanUp?.();
  }

  button(name, label, className = "") {
    const press = () => this.model.send({ kind: "press", button: name, reason: name === "yes" ? this.reason.value : "" });
    return button(label, press, { className });
  }

  receive(message) {
    switch (message.kind) {
      case "view": return this.draw(message.view);
      case "rows": return this.drawRows(message.rows);
      case "card": return showCard(this.card, message.card);
      case "code": return this.snippets.show(message);
      case "tables": return this.recipients.showTables(message.tables);
      case "recorder": return this.audio.showRecorder(message);
      case "focus": return { no: this.no, send: this.send, source: this.audio, chats: this.picker }[message.on]?.focus();
      case "scroll": // after the changes are drawn, and once more after those of the recorder
        for (const ms of [100, 600]) setTimeout(() => this.scrollIntoView(), ms);
    }
  }

  draw(view) {
    showMode(this.mode, view.mode);
    this.drawSteps(view.step);
    this.compose.hidden = this.card.hidden = view.has_sent;
    this.outcome.hidden = !view.has_sent;
    this.progress.textContent = view.progress;
    this.recipients.draw(view);
    this.audio.draw(view);
    this.drawAcceptable(view);
    this.send.textContent = view.send.label;
    this.send.disabled = !view.send.enabled;
    this.send.hidden = !view.send.shown;
    this.stop.disabled = !view.stop.enabled;
    this.stop.hidden = !view.stop.shown;
    this.no.hidden = this.yes.hidden = !view.ask;
    if (view.ask) this.yes.textContent = view.ask.yes;
    this.reasonLabel.hidden = !view.ask?.reason;
    if (!view.ask) this.reason.value = "";
    this.drawStatus(view.status);
    this.again.hidden = !view.again;
    this.snippets.element.hidden = !view.may_code;
  }

  drawSteps(step) {
    const names = Object.keys(STEPS), now = names.indexOf(step);
    this.steps.replaceChildren(...names.map((name, at) =>
      h("li", { className: at < now ? "linq-nb-past" : "", ...(at === now ? { "aria-current": "step" } : {}) }, STEPS[name])));
  }

  drawStatus({ words, tag, tone }) {
    const isUrgent = tone === "error" || tone === "ask";
    const [region, other] = isUrgent ? [this.urgent, this.polite] : [this.polite, this.urgent];
    other.replaceChildren();
    other.className = "";
    region.className = `linq-nb-status linq-nb-${tone}`;
    if (region.textContent === (words && tag ? `${tag} ${words}` : words)) return; // a screen reader says it once
    const mark = tag ? [pill(tag, isUrgent ? "red" : "grey"), " "] : [];
    region.replaceChildren(...(words ? [...mark, h("span", {}, words)] : []));
  }

  drawAcceptable(view) {
    this.acceptable.hidden = !view.acceptable.length;
    const isOne = view.acceptable.length === 1; // the card above says why
    this.acceptable.replaceChildren(...view.acceptable.map(({ rows, whom, why }) => h("li", {}, h("bdi", {}, whom), isOne ? " " : `: ${why} `,
      button("Send anyway…", () => this.model.send({ kind: "accept", rows }), { "aria-label": `Send to ${whom} anyway…` }))));
  }

  /** Draw the recipients: only what has changed, so that a button keeps the cursor and a reason that is being typed stays. */
  drawRows(rows) {
    const shown = new Map([...this.list.children].map((item) => [item.dataset.row, item]));
    this.list.replaceChildren(...rows.map((row) => {
      const old = shown.get(row.id), text = JSON.stringify(row);
      if (old?.content === text) return old;
      const item = this.item(row);
      item.content = text;
      const label = old?.contains(document.activeElement) ? document.activeElement.textContent : "";
      if (label) setTimeout(() => [...item.querySelectorAll("button")].find((control) => control.textContent === label)?.focus());
      return item;
    }));
  }

  item(row) {
    const item = h("li", {}, pill(row.state, row.colour, row.meaning),
      h("div", {}, h("b", {}, h("bdi", {}, row.whom)), h("div", {}, row.note)),
      h("div", { className: "linq-ui-tools" }, ...row.actions.flatMap((action) => this.action(row, action))));
    item.dataset.row = row.id;
    return item;
  }

  /** Make the button of an action; one that needs a reason asks for it first. */
  action(row, { name, label, hint, needs_reason }) {
    const act = () => this.model.send({ kind: "act", row: row.id, action: name, reason: reason.value });
    const reason = h("input", { type: "text", hidden: true, maxLength: 500, placeholder: "how do you know?", "aria-label": `Reason: ${label}` });
    const press = button(needs_reason ? `${label} …` : label, () => {
      if (!needs_reason || !reason.hidden) return act();
      reason.hidden = false;
      press.textContent = label;
      reason.focus();
    }, { title: hint, "aria-label": `${label}: ${row.whom}` });
    return [reason, press];
  }

  /** Scroll the end of the form into view, then what is before it: where there is no room for all, its start is seen. */
  scrollIntoView() {
    const outcome = this.stop.hidden ? this.outcome : this.stop; // a list that grows would move what is above it
    const nodes = [this.again, outcome, this.buttons, this.polite.textContent ? this.polite : this.urgent];
    for (const node of nodes.filter((part) => part.offsetParent)) node.scrollIntoView({ block: "nearest" });
  }
}

export default widgetOf(Form);
