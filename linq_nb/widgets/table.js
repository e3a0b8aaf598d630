// A table of one page of sends, which the kernel sorts and pages: the arrow keys move, Enter opens, a heading sorts.
// A view has columns {name, label, meaning, number}, rows {id, cells, colour}, sort, descending, offset, page, total.
// Roles are explicit: a page may lay out a narrow table as a grid, which would take them away.

class Table {
  /** `ask(kind, more, then)` asks the kernel; `content(column, text, row)` returns what a cell holds. */
  constructor(ask, content) {
    Object.assign(this, { ask, content, opened: null, openedPlace: 0 });
    this.head = h("thead", { role: "rowgroup" });
    this.body = h("tbody", { role: "rowgroup", onkeydown: (event) => this.moved(event) });
    const caption = h("caption", {}, "Sends; Enter opens one, the arrow keys move");
    this.scroll = h("div", { className: "linq-table", role: "region", tabIndex: 0, "aria-label": "Table of sends" },
      h("table", { role: "table" }, caption, this.head, this.body));
    this.previous = h("button", { type: "button", onclick: () => this.turnBy(-1) }, "Previous");
    this.next = h("button", { type: "button", onclick: () => this.turnBy(1) }, "Next");
    this.pageText = h("span", { role: "status" });
  }

  draw(view) {
    this.view = view;
    const focused = this.body.contains(document.activeElement) ? this.rowButtons().indexOf(document.activeElement) : -1;
    const heading = this.head.contains(document.activeElement) ? this.headings().indexOf(document.activeElement) : -1;
    this.head.replaceChildren(h("tr", { role: "row" }, ...view.columns.map((column) => this.heading(column))));
    this.body.replaceChildren(...view.rows.map((row, place) => this.row(row, place)));
    const last = view.offset + view.rows.length;
    const place = `${number(view.offset + 1)}–${number(last)} of ${number(view.total)}`;
    this.pageText.textContent = view.total ? place : "no sends";
    this.previous.disabled = !view.offset;
    this.next.disabled = last >= view.total;
    if (focused >= 0) this.focusRow(focused);
    if (heading >= 0) this.headings()[heading]?.focus();
  }

  heading({ name, label, meaning }) {
    const isSorted = this.view.sort === name;
    const arrow = isSorted ? (this.view.descending ? " ▼" : " ▲") : "";
    return h("th", { scope: "col", role: "columnheader", "aria-sort": isSorted ? (this.view.descending ? "descending" : "ascending") : "none",
      className: `linq-table-${name}` }, h("button", { type: "button", title: meaning, onclick: () => this.sorted(name) }, label + arrow));
  }

  row(row, place) {
    const cells = row.cells.map((text, at) => {
      const column = this.view.columns[at];
      const content = this.content(column, text, row);
      if (at) return h("td", { role: "cell", className: `linq-table-${column.name}${column.number ? " linq-table-number" : ""}`, title: text }, ...content);
      const open = h("button", { type: "button", tabIndex: place ? -1 : 0, "aria-label": `Open ${row.cells.slice(0, 3).join(", ")}` },
        ...(text ? content : ["(none)"]));
      return h("th", { scope: "row", role: "rowheader", className: `linq-table-${column.name}` }, open);
    });
    const element = h("tr", { role: "row", onclick: () => this.open(row, place) }, ...cells);
    element.classList.toggle("linq-table-opened", row.id === this.opened);
    return element;
  }

  open(row, place) {
    this.opened = row.id;
    this.openedPlace = place;
    this.ask("open", { send_id: row.id });
  }

  /** Mark the row of this id as the opened one; null marks none. */
  mark(id) {
    this.opened = id;
    for (const [place, row] of this.view.rows.entries()) {
      this.body.children[place]?.classList.toggle("linq-table-opened", row.id === id);
    }
  }

  rowButtons() { return [...this.body.querySelectorAll("th > button")]; }

  headings() { return [...this.head.querySelectorAll("button")]; }

  focusRow(place) {
    const buttons = this.rowButtons();
    const target = buttons[Math.min(place, buttons.length - 1)];
    for (const button of buttons) button.tabIndex = button === target ? 0 : -1;
    target?.focus();
  }

  moved(event) {
    const buttons = this.rowButtons();
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to !== undefined) this.focusRow(Math.max(0, to));
    else if (event.key === "PageDown" && !this.next.disabled) this.turnBy(1);
    else if (event.key === "PageUp" && !this.previous.disabled) this.turnBy(-1);
    else return;
    event.preventDefault();
  }

  turnBy(step) { this.ask("page", { offset: this.view.offset + step * this.view.page }, () => this.focusRow(0)); }

  sorted(name) {
    const place = this.view.columns.findIndex((column) => column.name === name);
    const descending = this.view.sort === name ? !this.view.descending : false;
    this.ask("sort", { column: name, descending }, () => this.headings()[place]?.focus());
  }
}

/** What the opened row of a table holds, shown below the table; Escape and its button close it. */
class OpenedRow {
  constructor(table) {
    this.table = table;
    this.element = h("section", { className: "linq-ui-detail", hidden: true, "aria-label": "One send",
      onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); this.close(); } } });
  }

  show(id, heading, ...content) {
    this.table.mark(id);
    const title = h("h4", { tabIndex: -1 }, ...heading);
    this.element.replaceChildren(title, ...content);
    this.element.hidden = false;
    title.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  closeButton() { return h("button", { type: "button", onclick: () => this.close() }, "Close"); }

  hide() {
    this.element.hidden = true;
    this.table.mark(null);
  }

  close() {
    this.hide();
    this.table.focusRow(this.table.openedPlace);
  }
}
