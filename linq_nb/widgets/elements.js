// Shared by the pages of our widgets: making elements, and questions to the kernel. All text is set as text, never as
// HTML; the one exception is the card of a memo, which the kernel made and escaped.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; properties that begin with "on" are listeners, those with a dash are attributes. */
function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "scope") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const number = (value) => value.toLocaleString("en-US");
const newId = () => `linq-${Math.random().toString(36).slice(2)}`; // several widgets stand in one page

/** Show the card of a memo, whose HTML the kernel made and escaped; its bubble plays. */
function showCard(element, html) {
  element.innerHTML = html;
  linqPlayers(element);
}

/** A short word on the ground of its colour. */
function pill(text, colour, title = "") {
  return h("span", { className: "linq-ui-pill", style: `background:var(--x-${colour}-ground)`, title }, text);
}

/** Show DEMO or LIVE in its tag; nothing where there is no outbox. */
function showMode(tag, mode) {
  tag.textContent = mode;
  tag.hidden = !mode;
  tag.classList.toggle("linq-ui-live", mode === "LIVE");
}

/** Labels and texts as a list. */
function facts(pairs) {
  return h("dl", { className: "linq-ui-facts" }, ...pairs.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

/** A button for each action on a send, and a field for the reason where one is needed; `act(name, reason)` does it. */
function actionButtons(actions, act) {
  const words = "reason, which the journal keeps";
  const reason = h("input", { type: "text", "aria-label": "Reason, which the journal keeps", placeholder: words });
  const buttons = actions.map(({ name, label, hint }) => h("button", { type: "button", title: hint, onclick: () => act(name, reason.value) }, label));
  return [...buttons, ...(actions.some((action) => action.needs_reason) ? [reason] : [])];
}

/** The questions of one page to the kernel. Each has a number, and gets one answer with the same number. */
class Questions {
  /** `answered(message)` and `failed(why)` get the answers; `root` says aria-busy while one is awaited. */
  constructor(model, root, answered, failed) {
    Object.assign(this, { model, root, answered, failed, asked: 0, waiting: new Map() });
    this.onMessage = (message) => this.receive(message);
    model.on("msg:custom", this.onMessage);
  }

  close() { this.model.off("msg:custom", this.onMessage); }

  /** Ask the kernel; `then` is called after its answer. A `quiet` question shows no wait and no failure. */
  ask(kind, more = {}, then = null, quiet = false) {
    const place = (this.asked += 1);
    this.waiting.set(place, { kind, then, quiet });
    this.showWait();
    this.model.send({ kind, number: place, ...more });
  }

  isWaiting(kind) { return [...this.waiting.values()].some((question) => question.kind === kind); }

  receive(message) {
    const question = this.waiting.get(message.number);
    if (!question) return; // an answer to another view
    this.waiting.delete(message.number);
    this.showWait();
    if (message.kind === "failed") {
      if (!question.quiet) this.failed(message.why);
      return;
    }
    this.answered(message, question);
    question.then?.();
  }

  showWait() {
    this.root.setAttribute("aria-busy", String([...this.waiting.values()].some((question) => !question.quiet)));
  }
}

/** The module of a widget whose page is an object of this class. */
const widgetOf = (Page) => ({
  render({ model, el }) {
    const page = new Page(model, el);
    return () => page.close();
  },
});
