// The board's page: counts that also filter, one page of rows, and the row that is opened. elements.js and table.js are
// joined before it. All text is set as text, never as HTML.

class Board {
  constructor(model, el) {
    Object.assign(this, { model, el });
    this.build();
    this.questions = new Questions(model, this.root, (message) => this.answered(message), (why) => this.say(why));
    this.listeners = { "change:_head": () => this.drawHead(), "change:_page": () => this.drawPage(),
      "change:_words": () => this.drawWords(), "change:_error": () => this.say(model.get("_error")) };
    for (const [event, listener] of Object.entries(this.listeners)) {
      model.on(event, listener);
      listener();
    }
  }

  close() {
    this.questions.close();
    for (const [event, listener] of Object.entries(this.listeners)) this.model.off(event, listener);
  }

  ask(kind, more = {}, then = null) { this.questions.ask(kind, more, then); }

  build() {
    this.mode = h("span", { className: "linq-ui-mode" });
    this.line = h("b");
    this.left = h("span", { className: "linq-ui-quiet" });
    this.bar = h("div", { className: "linq-board-bar", role: "progressbar", "aria-label": "Settled sends", "aria-valuemin": 0 });
    this.states = h("div", { className: "linq-board-states", role: "group", "aria-label": "Filter by state" });
    this.words = h("p", { className: "linq-board-words", role: "status" });
    this.alert = h("p", { className: "linq-ui-alert", role: "alert" });
    this.table = new Table((...question) => this.ask(...question),
      ({ name }, text, row) => (name === "state" ? [pill(text, row.colour, this.meaning(text))] : [text]));
    this.stopSending = h("button", { type: "button", className: "linq-ui-danger", title: "start no further send; those under way end",
      onclick: () => this.ask("stop sending") }, "Stop sending");
    this.stopWatching = h("button", { type: "button", title: "end this board; the sends go on",
      onclick: () => this.ask("stop watching") }, "Stop watching");
    this.pager = h("span", { className: "linq-ui-tools" }, this.table.previous, this.table.pageText, this.table.next);
    this.tools = h("div", { className: "linq-ui-tools" }, this.pager, this.stopSending, this.stopWatching);
    this.detail = new OpenedRow(this.table);
    this.root = h("div", { className: "linq-ui linq-board", "data-lm-suppress-shortcuts": "true" },
      h("div", { className: "linq-ui-top" }, this.mode, this.line, this.left), this.bar, this.states, this.words, this.alert,
      this.table.scroll, this.detail.element, this.tools);
    this.el.append(this.root);
  }

  meaning(label) { return this.model.get("_head").states.find((state) => state.label === label)?.meaning ?? ""; }

  say(text) { this.alert.textContent = text; }

  drawWords() { this.words.textContent = this.model.get("_words"); }

  drawHead() {
    const head = this.model.get("_head");
    showMode(this.mode, head.mode);
    this.line.textContent = head.line;
    this.left.textContent = head.ended ? `ended: ${head.ended}` : head.left;
    this.drawBar(head);
    this.drawStates(head);
    this.stopSending.hidden = !head.is_sending;
    this.stopSending.disabled = head.is_stopping;
    this.stopWatching.hidden = !head.is_running;
    for (const part of [this.bar, this.states, this.table.scroll, this.pager]) part.hidden = !head.total;
  }

  drawBar({ states, total, settled, line, left }) {
    for (const [name, value] of [["max", total], ["now", settled], ["text", [line, left].filter(Boolean).join(", ")]]) {
      this.bar.setAttribute(`aria-value${name}`, value);
    }
    this.bar.replaceChildren(...states.filter(({ word }) => word !== "waiting").map(({ label, colour, count }) => {
      const part = h("span", { title: `${number(count)} ${label}` });
      part.style.cssText = `flex-grow:${count};background:var(--x-${colour}-ground)`;
      return part;
    }));
    const waiting = states.find(({ word }) => word === "waiting")?.count ?? 0;
    if (waiting) this.bar.append(h("span", { style: `flex-grow:${waiting}`, title: `${number(waiting)} waiting` }));
  }

  drawStates({ states, total, chosen }) {
    const focused = [...this.states.children].find((button) => button === document.activeElement)?.value;
    const all = { word: "", label: "all", count: total, meaning: "show all sends" };
    const buttons = [all, ...states.toReversed()].map(({ word, label, count, colour, meaning }) => {
      const dot = colour ? [h("i", { className: "linq-table-dot", style: `background:var(--x-${colour}-ground)` })] : [];
      return h("button", { type: "button", value: word, title: meaning, "aria-pressed": String(word === chosen),
        onclick: () => this.ask("choose", { state: word === chosen ? "" : word }) }, ...dot, `${number(count)} ${label}`);
    });
    if (chosen && !states.some(({ word }) => word === chosen)) {
      buttons.push(h("button", { type: "button", value: chosen, "aria-pressed": "true", onclick: () => this.ask("choose", { state: "" }) }, `0 ${chosen}`));
    }
    this.states.replaceChildren(...buttons);
    if (focused !== undefined) buttons.find((button) => button.value === focused)?.focus();
  }

  drawPage() {
    const page = this.model.get("_page");
    this.table.draw(page);
    this.pager.hidden = page.total <= page.page;
  }

  answered(message) {
    this.say("");
    if (message.kind === "detail") this.showDetail(message);
  }

  showDetail({ send_id, label, colour, meaning, facts: pairs, actions }) {
    this.detail.show(send_id, [pill(label, colour, meaning), ` ${meaning}`], facts(pairs), h("div", { className: "linq-ui-tools" },
      ...actionButtons(actions, (action, reason) => this.ask("act", { send_id, action, reason })), this.detail.closeButton()));
  }
}

export default widgetOf(Board);
