// What is chosen beside the list of chats: pasted lists, tables, audio; and the same as code.

const PART = 1_000_000; // bytes of one message: one above about 10 MB gets lost

/** A button. The second click of a double click is no press, whatever stands there by now. */
const button = (label, press, more = {}) =>
  h("button", { type: "button", onclick: (event) => event.detail > 1 || press(), ...more }, label);

const chip = (text, label, remove, more = {}) => h("button", { type: "button", className: "linq-nb-remove", "aria-label": label, onclick: remove, ...more },
  h("bdi", {}, text), h("span", {}, "×"));

/** Two panels that open below their buttons: a pasted list of people, and a DataFrame of the notebook. */
class Recipients {
  constructor(model) {
    this.model = model;
    this.text = h("textarea", { className: "linq-nb-code", rows: 4, spellcheck: false, "aria-label": "Names or numbers, one a line",
      placeholder: "names or numbers, one a line",
      onbeforeinput: (event) => event.stopImmediatePropagation() }); // JupyterLab's listener would refuse a new line in a cell
    this.table = h("select", { className: "linq-nb-select", "aria-label": "DataFrame", onchange: () => this.drawColumns() });
    this.column = h("select", { className: "linq-nb-select", "aria-label": "Column of the recipients" });
    this.audio = h("select", { className: "linq-nb-select", "aria-label": "Column of the audio" });
    this.noTable = h("p", {}, "This notebook has no DataFrame yet.");
    this.columns = h("div", { className: "linq-ui-tools" }, h("label", {}, "DataFrame ", this.table), h("label", {}, "recipients ", this.column),
      h("label", {}, "audio ", this.audio), button("Add them", () => this.sendTable()));
    this.panels = { paste: h("div", {}, this.text, button("Add these", () => this.sendLines())), table: h("div", {}, this.noTable, this.columns) };
    this.buttons = { paste: button("Paste a list", () => this.open("paste")), table: button("From a DataFrame", () => this.open("table")) };
    this.unmatched = h("ul", { className: "linq-nb-unmatched", "aria-label": "Lines that name no chat" });
    this.elements = [...Object.values(this.panels), this.unmatched];
    this.tables = [];
    this.open("");
  }

  /** Open a panel, or close it if it is open; none with an empty name. */
  open(name) {
    for (const [other, panel] of Object.entries(this.panels)) {
      panel.hidden = other !== name || !panel.hidden;
      this.buttons[other].setAttribute("aria-expanded", String(!panel.hidden));
    }
    if (!this.panels.paste.hidden) this.text.focus();
    if (!this.panels.table.hidden) this.model.send({ kind: "tables" });
  }

  done(name) {
    this.open("");
    this.buttons[name].focus();
  }

  sendLines() {
    this.model.send({ kind: "paste", text: this.text.value });
    this.text.value = "";
    this.done("paste");
  }

  sendTable() {
    this.model.send({ kind: "table", name: this.table.value, column: this.column.value, audio: this.audio.value });
    this.done("table");
  }

  showTables(tables) {
    this.tables = tables;
    this.noTable.hidden = tables.length > 0;
    this.columns.hidden = !tables.length;
    this.table.replaceChildren(...tables.map(({ name, rows }) =>
      h("option", { value: name }, `${name} (${number(rows)} ${rows === 1 ? "row" : "rows"})`)));
    this.drawColumns();
    this.table.focus();
  }

  drawColumns() {
    const table = this.tables.find((item) => item.name === this.table.value);
    const options = (chosen, first = []) => [...first, ...(table?.columns ?? [])].map((name) =>
      h("option", { value: name, selected: name === chosen }, name || "the memo chosen here"));
    this.column.replaceChildren(...options(table?.chat));
    this.audio.replaceChildren(...options(table?.audio ?? "", [""]));
  }

  draw(view) {
    const lines = view.unmatched.map(({ text, shown, why }) => h("li", {},
      chip(shown, `Remove ${shown}`, () => this.model.send({ kind: "drop", text }), { className: "linq-nb-remove linq-nb-bad" }), why));
    if (view.table) lines.unshift(h("li", {},
      chip(view.table, `Remove the rows of ${view.table}`, () => this.model.send({ kind: "table", name: "" })),
      "each row of this DataFrame, with its own audio"));
    this.unmatched.replaceChildren(...lines);
    this.unmatched.hidden = !lines.length;
  }
}

/** The audio: a field for a path, an address or an id, a file, the recorder; and copy and conversion where they matter. */
class AudioChoice {
  constructor(model) {
    const id = newId();
    this.model = model;
    this.files = h("datalist", { id: `${id}-files` });
    this.source = h("input", { type: "text", id: `${id}-source`, autocomplete: "off", spellcheck: false,
      placeholder: "a path, https URL or attachment id", onchange: () => this.sendSource(),
      onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); this.sendSource(); } } });
    this.source.setAttribute("list", this.files.id);
    this.file = h("input", { type: "file", accept: model.get("_accept"), hidden: true, "aria-label": "Audio file", onchange: () => this.sendFile() });
    this.choose = button("Choose a file", () => this.file.click());
    this.record = button("Record", () => model.send({ kind: "press", button: "record" }));
    this.studio = h("div", { hidden: true });
    this.copy = h("input", { type: "number", min: 1, max: 1000, title: "2 is a second bubble of the same memo",
      onchange: () => model.send({ kind: "copy", value: this.copy.value }) });
    this.copyLabel = h("label", {}, "Copy ", this.copy);
    this.convert = h("input", { type: "checkbox", onchange: () => model.send({ kind: "convert", value: this.convert.checked }) });
    this.convertLabel = h("label", {}, this.convert, " Convert it to M4A, which Linq takes");
    this.options = h("div", { className: "linq-ui-tools" }, this.copyLabel, this.convertLabel);
    this.elements = [h("label", { className: "linq-nb-label", htmlFor: this.source.id }, "Audio"),
      h("div", { className: "linq-ui-tools" }, this.source, this.files, this.choose, this.file, this.record), this.studio];
    this.sent = "";
  }

  focus() { this.source.focus(); }

  sendSource() {
    if (this.source.value === this.sent) return; // Enter and then leaving the field is one choice
    this.sent = this.source.value;
    this.model.send({ kind: "source", text: this.source.value });
  }

  async sendFile() {
    const file = this.file.files[0];
    if (!file) return;
    const send = (what, more = {}, buffers = []) =>
      this.model.send({ kind: "upload", what, name: file.name, size: file.size, ...more }, undefined, buffers);
    this.choose.disabled = true;
    this.choose.textContent = "Reading …";
    try {
      if (file.size > this.model.get("_limit")) return send("refused");
      await send("begin"); // marimo's messages overtake each other, unless each is awaited
      for (let at = 0; at < file.size; at += PART) await send("part", {}, [await file.slice(at, at + PART).arrayBuffer()]);
      await send("end");
    } finally {
      this.choose.disabled = false;
      this.choose.textContent = "Choose a file";
      this.file.value = ""; // so that the same file can be chosen again
    }
  }

  draw(view) {
    if (view.source !== this.shown || document.activeElement !== this.source) this.source.value = this.sent = view.source;
    this.shown = view.source;
    this.files.replaceChildren(...view.files.map((name) => h("option", { value: name })));
    this.record.textContent = view.records ? "Close the recorder" : "Record";
    this.copyLabel.hidden = !view.may_copy;
    if (document.activeElement !== this.copy) this.copy.value = view.copy;
    this.convertLabel.hidden = !view.may_convert;
    this.convert.checked = view.convert;
    this.options.hidden = !view.may_copy && !view.may_convert;
  }

  /** Draw the recorder, a widget of its own whose module the kernel sends; an empty model takes it away. */
  async showRecorder({ model: id, module, style }) {
    this.cleanUp?.();
    this.cleanUp = null;
    this.studio.replaceChildren();
    this.studio.hidden = !id;
    if (!id) return;
    const address = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
    try {
      const [recorder, { default: widget }] = await Promise.all([this.model.widget_manager.get_model(id), import(address)]);
      const place = h("div");
      this.studio.replaceChildren(h("style", {}, style), place);
      const parts = typeof widget === "function" ? await widget() : widget;
      const ends = [await parts.initialize?.({ model: recorder }), await parts.render({ model: recorder, el: place })];
      this.cleanUp = () => ends.reverse().forEach((end) => end?.());
    } finally {
      URL.revokeObjectURL(address);
    }
  }
}

/** Two buttons that ask the kernel for code and show it, selected; it is copied too where the browser allows that. */
class Snippets {
  constructor(model) {
    this.box = h("textarea", { hidden: true, rows: 2, spellcheck: false, className: "linq-nb-code", "aria-label": "Code to paste into a cell" });
    this.notice = h("div", { role: "status", className: "linq-nb-count" });
    const buttons = Object.entries({ magic: "Copy as magic", python: "Copy as Python" }).map(([how, label]) =>
      button(label, () => model.send({ kind: "code", how })));
    this.element = h("div", { className: "linq-ui-tools", role: "group", "aria-label": "The same as code" }, ...buttons, this.box, this.notice);
  }

  async show({ code, is_news }) {
    this.box.hidden = !code;
    this.box.value = code;
    this.box.rows = Math.min(12, code.split("\n").length + 1);
    if (!is_news || !code) return (this.notice.textContent = code ? "It follows what is chosen; copy it again." : "");
    this.box.focus();
    this.box.select();
    const copied = await navigator.clipboard?.writeText(code).then(() => true, () => false);
    this.notice.textContent = copied || document.execCommand("copy") // the old way, for pages that may not use the new one
      ? "Copied; paste it into a cell."
      : "Selected. This page may not copy, so press Ctrl+C (⌘C).";
  }
}
