// The explorer's page: it shows what the kernel counted, and asks it for more. elements.js and table.js are joined before
// it. All text is set as text, never as HTML; the exceptions are the memo's card and the audit, which the kernel made and
// escaped.

const LOOK_MS = 5000;
const CHART_HEIGHT = 132;
const GROUND = 108;
const WIDEST = 56;
const FILTERS = [["chat", "Chat"], ["line", "Line"], ["service", "Service"], ["status", "Status"], ["error", "Error"],
  ["format", "Format"]];

const total = (bar) => Object.values(bar.counts).reduce((sum, count) => sum + count, 0);
const utcInput = (iso) => (iso ? iso.slice(0, 16) : "");

class View {
  constructor(model, el) {
    Object.assign(this, { model, el, id: newId() });
    this.build();
    this.questions = new Questions(model, this.root, (message, question) => this.answered(message, question), (why) => this.say(why, true));
    this.onView = () => this.draw();
    model.on("change:_view", this.onView);
    this.sizes = new ResizeObserver(() => this.drawChart());
    this.sizes.observe(this.chart);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.draw();
  }

  close() {
    clearInterval(this.timer);
    this.sizes.disconnect();
    this.questions.close();
    this.model.off("change:_view", this.onView);
  }

  // talking with the kernel

  ask(kind, more = {}, then = null) { this.questions.ask(kind, more, then); }

  answered(message, question) {
    if (!question.quiet) this.say("");
    if (message.kind === "detail") this.showDetail(message.detail);
    else if (message.kind === "code") this.showCode(message.code);
    else if (message.kind === "audit") this.showAudit(message.html);
    else if (message.kind === "said") this.say(message.text);
    else if (message.kind === "news") this.showNews(message);
  }

  look() {
    if (document.hidden || this.questions.isWaiting("look") || !this.view.can_act || !this.root.isConnected) return;
    this.questions.ask("look", {}, null, true);
  }

  filter(changes) { this.ask("filter", { changes }); }

  get view() { return this.model.get("_view"); }

  // the parts that stay

  build() {
    const label = (text, control) => h("label", {}, h("span", {}, text), control);
    this.search = h("input", { type: "search", placeholder: "name, file, error or id", oninput: () => this.searched() });
    this.selects = Object.fromEntries(FILTERS.map(([name]) => [name, h("select", {
      onchange: (event) => this.filter({ [name]: event.target.value || null }),
    })]));
    this.since = h("input", { type: "datetime-local", onchange: () => this.period() });
    this.until = h("input", { type: "datetime-local", onchange: () => this.period() });
    this.needsMe = h("input", { type: "checkbox", onchange: () => this.filter({ needs_me: this.needsMe.checked }) });
    this.clear = h("button", { type: "button", onclick: () => { this.search.value = ""; this.ask("clear"); } }, "Clear filter");
    const bar = h("div", { className: "linq-x-filters", role: "search", "aria-label": "Filter of the sends" },
      label("Search", this.search), ...FILTERS.map(([name, text]) => label(text, this.selects[name])),
      label("From (UTC)", this.since), label("Until (UTC)", this.until),
      h("label", { className: "linq-x-check" }, this.needsMe, h("span", {}, "Only what needs me")), this.clear);

    this.mode = h("span", { className: "linq-ui-mode" });
    this.news = h("button", { type: "button", className: "linq-x-news", hidden: true, onclick: () => this.update() });
    this.batch = h("span", { className: "linq-ui-quiet" });
    this.status = h("p", { className: "linq-ui-said", role: "status" });
    this.alert = h("p", { className: "linq-ui-alert", role: "alert" });
    this.tiles = h("dl", { className: "linq-x-tiles" });

    this.chart = h("div", { className: "linq-x-chart" });
    this.legend = h("div", { className: "linq-x-legend" });
    this.chats = h("div", { className: "linq-x-bars" });
    this.errors = h("div", { className: "linq-x-bars" });
    const leading = h("div", { className: "linq-x-leading" },
      h("section", { "aria-label": "Leading chats" }, h("h4", {}, "Leading chats"), this.chats),
      h("section", { "aria-label": "Leading errors" }, h("h4", {}, "Leading errors"), this.errors));

    this.table = new Table((...question) => this.ask(...question), ({ name }, text, row) => (name === "status"
      ? [h("i", { className: "linq-table-dot", style: `background:var(--x-${row.colour})` }), text] : [text]));
    this.columns = h("div", { className: "linq-x-columns" });
    const columns = h("details", {}, h("summary", {}, "Columns"), this.columns);
    this.format = h("select", { "aria-label": "Format of the export" },
      ...[["csv", "CSV"], ["excel", "Excel"], ["parquet", "Parquet"]].map(([value, text]) => h("option", { value }, text)));
    const tools = h("div", { className: "linq-ui-tools" }, this.table.previous, this.table.pageText, this.table.next, columns,
      h("span", { className: "linq-x-right" },
        h("button", { type: "button", title: "What went wrong, since when, in which chats; who got a memo twice; how long deliveries take",
          onclick: () => this.ask("audit") }, "Audit"),
        h("button", { type: "button", onclick: () => this.ask("code") }, "Copy as Python"), this.format,
        h("button", { type: "button", onclick: () => this.ask("export", { format: this.format.value }) }, "Export")));
    this.code = h("pre", { hidden: true, tabIndex: 0, role: "region", "aria-label": "The filter as Python" });
    this.detail = new OpenedRow(this.table);
    this.audit = h("section", { className: "linq-ui-detail", hidden: true, tabIndex: -1, "aria-label": "Audit of the chosen sends",
      onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); this.audit.hidden = true; } } });

    this.root = h("div", { className: "linq-ui linq-x", "data-lm-suppress-shortcuts": "true" },
      h("div", { className: "linq-ui-top" }, this.mode, this.news, this.batch), bar, this.status, this.alert, this.tiles,
      this.chart, this.legend, leading, tools, this.code, this.audit, this.table.scroll, this.detail.element);
    this.el.append(this.root);
  }

  say(text, isError = false) {
    this.status.textContent = isError ? "" : text;
    this.alert.textContent = isError ? text : "";
  }

  searched() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.filter({ text: this.search.value }), 250);
  }

  period() {
    const read = (input) => (input.value ? `${input.value}:00+00:00` : null);
    this.filter({ since: read(this.since), until: read(this.until) });
  }

  update() {
    this.news.hidden = true;
    this.ask("update");
  }

  showNews({ news, batch }) {
    this.news.hidden = !news;
    this.news.textContent = `${number(news)} new`;
    this.news.setAttribute("aria-label", `${number(news)} new or changed sends: show them`);
    if (this.batch.textContent !== batch) this.batch.textContent = batch;
  }

  // drawing what the kernel counted

  draw() {
    const view = this.view;
    showMode(this.mode, this.model.get("_mode"));
    this.drawFilter(view);
    this.tiles.replaceChildren(...view.tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    this.drawChart();
    this.drawLegend(view);
    this.drawBars(this.chats, view.chats, (row) => ({ chat: row.key }));
    this.drawBars(this.errors, view.errors, (row) => row.choice);
    if (!view.errors.length) this.errors.append(h("p", { className: "linq-ui-quiet" }, "none"));
    this.drawTable(view);
    if (this.timesForgotten !== view.times_forgotten) { // they may show a chat that was forgotten
      this.detail.hide();
      this.audit.hidden = true;
    }
    this.timesForgotten = view.times_forgotten;
  }

  drawFilter(view) {
    const filter = view.filter;
    if (document.activeElement !== this.search) this.search.value = filter.text;
    for (const [name] of FILTERS) {
      const select = this.selects[name];
      const wanted = filter[name] ?? "";
      const options = [["", "all"], ...view.choices[name]];
      if (wanted && !options.some(([value]) => value === wanted)) options.push([wanted, wanted]);
      const signature = JSON.stringify(options);
      if (select.dataset.signature !== signature) {
        select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
        select.dataset.signature = signature;
      }
      select.value = wanted;
    }
    this.since.value = utcInput(filter.since);
    this.until.value = utcInput(filter.until);
    this.needsMe.checked = filter.needs_me;
  }

  /** Draw a bar for each row; a click chooses its sends, by what `choice(row)` returns. */
  drawBars(element, rows, choice) {
    const most = Math.max(1, ...rows.map((row) => row.sends));
    element.replaceChildren(...rows.map((row) => {
      const wrong = row.wrong ? `, ${number(row.wrong)} went wrong` : "";
      return h("button", { type: "button", title: row.todo ?? "", onclick: () => this.filter(choice(row)) },
        h("span", { className: "linq-x-fill", "aria-hidden": "true", style: `width:${(100 * row.sends) / most}%` }),
        h("span", { className: "linq-x-name" }, row.label),
        h("span", { className: "linq-x-count" }, number(row.sends) + wrong));
    }));
  }

  // the chart: stacked bars, each status with a colour and a pattern of its own

  fill(place, colour) { return place % 6 ? `url(#${this.id}-${place % 6}-${colour})` : `var(--x-${colour})`; }

  patterns(statuses) {
    const shapes = ["", "M0 6L6 0", "M1.5 1.5h2v2h-2z", "M0 3H6", "M0 0L6 6M0 6L6 0", "M3 0V6"];
    return s("defs", {}, ...statuses.flatMap(({ colour }, place) => {
      if (!(place % 6)) return [];
      const pattern = s("pattern", { id: `${this.id}-${place % 6}-${colour}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
        s("rect", { width: 6, height: 6, style: `fill:var(--x-${colour})` }),
        s("path", { d: shapes[place % 6], style: "stroke:var(--x-ground);fill:var(--x-ground)", "stroke-width": 1.6 }));
      return [pattern];
    }));
  }

  drawChart() {
    const { bars, statuses, unit } = this.view;
    const width = Math.floor(this.chart.clientWidth);
    if (!bars.length || !width) {
      this.chart.replaceChildren(bars.length ? "" : h("p", { className: "linq-ui-quiet" }, "no send is chosen"));
      return;
    }
    const tallest = Math.max(...bars.map(total));
    const step = Math.min(width / bars.length, WIDEST);
    const words = `Sends by ${unit} from ${bars[0].label} to ${bars.at(-1).label}, UTC; at most ${number(tallest)} in a bar`;
    const svg = s("svg", { width, height: CHART_HEIGHT, role: "img", "aria-label": words }, this.patterns(statuses));
    bars.forEach((bar, place) => {
      let top = GROUND;
      const parts = statuses.filter(({ word }) => bar.counts[word]).map((status) => {
        const height = (bar.counts[status.word] / tallest) * (GROUND - 14);
        top -= height;
        return s("rect", { x: place * step, y: top, width: Math.max(step - (step > 4 ? 1 : 0), 0.5), height,
          style: `fill:${this.fill(statuses.indexOf(status), status.colour)}` });
      });
      const counts = statuses.filter(({ word }) => bar.counts[word]).map(({ word, label }) => `${number(bar.counts[word])} ${label}`);
      svg.append(s("g", {}, s("title", {}, `${bar.label}: ${counts.join(", ") || "none"}`),
        s("rect", { x: place * step, y: 0, width: step, height: GROUND, fill: "transparent" }), ...parts));
    });
    const text = (x, y, anchor, words_) => s("text", { x, y, "text-anchor": anchor }, words_);
    this.brush = s("rect", { class: "linq-x-brush", y: 0, height: GROUND, width: 0 });
    svg.append(s("path", { class: "linq-x-axis", d: `M0 ${GROUND + 0.5}H${width}` }), text(0, 10, "start", number(tallest)),
      text(0, CHART_HEIGHT - 8, "start", bars[0].label), text(width, CHART_HEIGHT - 8, "end", bars.length > 1 ? bars.at(-1).label : ""), this.brush);
    svg.addEventListener("pointerdown", (event) => this.startBrush(event, svg, step));
    this.chart.replaceChildren(svg);
  }

  startBrush(event, svg, step) {
    const { bars } = this.view;
    const place = (pointer) => Math.min(bars.length - 1, Math.max(0, Math.floor((pointer.clientX - svg.getBoundingClientRect().left) / step)));
    const first = place(event);
    const show = (last) => {
      this.brush.setAttribute("x", Math.min(first, last) * step);
      this.brush.setAttribute("width", (Math.abs(last - first) + 1) * step);
    };
    show(first);
    svg.setPointerCapture(event.pointerId);
    const move = (pointer) => show(place(pointer));
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerup", (pointer) => {
      svg.removeEventListener("pointermove", move);
      const last = place(pointer);
      this.filter({ since: bars[Math.min(first, last)].since, until: bars[Math.max(first, last)].until });
    }, { once: true });
  }

  drawLegend(view) {
    const counts = (word) => view.bars.reduce((sum, bar) => sum + (bar.counts[word] ?? 0), 0);
    this.legend.replaceChildren(...view.statuses.map(({ word, label, colour }, place) => {
      const key = s("svg", { width: 12, height: 12, "aria-hidden": "true" },
        s("rect", { width: 12, height: 12, style: `fill:${this.fill(place, colour)}` }));
      return h("button", { type: "button", onclick: () => this.filter({ status: word }) }, key, `${label} ${number(counts(word))}`);
    }));
  }

  // the table

  drawTable(view) {
    this.table.draw(view);
    const chosen = new Set(view.columns.map(({ name }) => name));
    const boxes = [...this.columns.querySelectorAll("input")];
    if (boxes.length !== view.all_columns.length) {
      this.columns.replaceChildren(...view.all_columns.map((name) =>
        h("label", {}, h("input", { type: "checkbox", value: name, onchange: () => this.chooseColumns() }), name)));
    }
    for (const box of this.columns.querySelectorAll("input")) box.checked = chosen.has(box.value);
  }

  chooseColumns() {
    const names = [...this.columns.querySelectorAll("input:checked")].map((box) => box.value);
    this.ask("columns", { names });
  }

  // one send

  showDetail(detail) {
    const steps = h("ol", { className: "linq-x-steps" }, ...detail.steps.map((step) => h("li", {},
      h("time", {}, step.at), " ", h("b", {}, step.source), " ", step.text)));
    const buttons = actionButtons(detail.actions, (action, reason) => this.ask("act", { send_id: detail.send_id, action, reason }));
    const card = h("div");
    if (detail.card) showCard(card, detail.card);
    this.detail.show(detail.send_id, [detail.title, " ", pill(detail.status, detail.colour)], h("p", { className: "linq-ui-quiet" }, detail.meaning),
      ...(detail.error.length ? [facts(detail.error)] : []), card, h("h5", {}, "Timeline (UTC)"), steps,
      h("div", { className: "linq-ui-tools" }, ...buttons,
        h("button", { type: "button", onclick: () => this.copy(detail.send_id, "the id is copied") }, "Copy the id"),
        this.detail.closeButton()),
      h("details", {}, h("summary", {}, "All facts"), facts(detail.facts)));
  }

  showAudit(html) {
    const page = h("div");
    page.innerHTML = html;
    this.audit.replaceChildren(h("button", { type: "button", onclick: () => { this.audit.hidden = true; } }, "Close"), page);
    this.audit.hidden = false;
    this.audit.focus();
    this.audit.scrollIntoView({ block: "nearest" });
  }

  showCode(code) {
    this.code.textContent = code;
    this.code.hidden = false;
    this.copy(code, "copied");
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(done);
    } catch {
      this.say("This browser does not let the page copy; select the text and copy it.");
      if (this.code.hidden) {
        this.code.textContent = text;
        this.code.hidden = false;
      }
    }
  }
}

export default widgetOf(View);
