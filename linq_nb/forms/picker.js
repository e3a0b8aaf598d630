// The list of chats: a combobox whose list box stays open. A thousand chats are filtered here, without the kernel;
// a hundred are drawn. Every text is set as text.
const MAX_SHOWN = 100;
const PATIENCE_MS = 5000;
const TONES = new Map([["iMessage", "blue"], ["SMS", "green"], ["RCS", "violet"]]);

const QUOTES = [[/[`\u00b4\u2018-\u201b\u2032\u2035\u02b9\u02bb-\u02bd\u02c8]/gu, "'"], [/[\u201c-\u201f\u2033\u2036\u02ba]/gu, '"']];
const unquoted = (text) => QUOTES.reduce((written, [signs, plain]) => written.replace(signs, plain), text);
const fold = (text) => unquoted(text).normalize("NFKD").replace(/[\p{M}\p{Cf}]/gu, "")
  .replace(/[\p{Pd}\u2212\u2043]/gu, "-").toLowerCase(); // as it looks, without accents
const digits = (text) => text.replace(/[^\d+]/g, "").replace(/^\+?00/, "+");
const looksLikeNumber = (text) => /^[\d+() .\-/]{3,}$/.test(text) && /\d/.test(text);
const counted = (number) => `${number.toLocaleString("en")} ${number === 1 ? "chat" : "chats"}`;

function make(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function render({ model, el }) {
  const id = `linq-nb-${Math.random().toString(36).slice(2)}`;
  let chats = [], matches = [], active = -1, isComplete = true;

  const root = make("div", "linq-nb-picker");
  const label = make("label", "linq-nb-label", "To");
  const field = make("div", "linq-nb-field");
  const chips = make("ul", "linq-nb-chips");
  const input = make("input", "linq-nb-input");
  const list = make("div", "linq-nb-list");
  const count = make("div", "linq-nb-count");
  label.htmlFor = input.id = `${id}-input`;
  list.id = `${id}-list`;
  list.tabIndex = -1; // the arrow keys move in it; Tab goes on
  chips.setAttribute("aria-label", "Chosen chats");
  Object.assign(input, { type: "text", autocomplete: "off", spellcheck: false });
  input.placeholder = "type a name or number";
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-describedby": `${id}-count`,
  })) input.setAttribute(name, value);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Chats");
  list.setAttribute("aria-multiselectable", "true");
  count.id = `${id}-count`;
  count.setAttribute("role", "status");
  field.append(chips, input);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab: keys pressed here are not for its cells
  root.append(label, field, list, count);
  el.append(root);

  const chosen = () => model.get("chosen");
  const choosable = () => !model.get("disabled");

  function toggle(chat) {
    if (!choosable()) return;
    const isChosen = chosen().includes(chat.id);
    model.set("chosen", isChosen ? chosen().filter((id) => id !== chat.id) : [...chosen(), chat.id]);
    model.save_changes();
  }

  function filter() {
    const text = input.value.trim();
    const words = fold(text).split(/\s+/).filter(Boolean);
    const number = looksLikeNumber(fold(text)) ? digits(fold(text)) : null;
    matches = chats.filter((chat) => words.every((word) => chat.folded.includes(word))
      || (number && chat.numbers.some((digits) => digits.includes(number))));
    active = -1;
    drawList();
  }

  function drawList() {
    const shown = matches.slice(0, MAX_SHOWN);
    list.replaceChildren(...shown.map(option));
    list.hidden = !shown.length;
    input.setAttribute("aria-expanded", String(!!shown.length));
    point(active);
    const more = matches.length - shown.length;
    if (!isComplete) count.textContent = "The chats could not be read; run this cell again, or type a name and press Enter.";
    else if (!chats.length) count.textContent = "There are no chats yet.";
    else if (!matches.length) count.textContent = "No chat matches; Enter looks for this name, number or chat id.";
    else count.textContent = countText() + (more > 0 ? `; the first ${MAX_SHOWN} are shown, type to find the others` : "");
  }

  function countText() {
    if (!input.value.trim()) return counted(chats.length);
    const match = matches.length === 1 ? "matches" : "match";
    return `${matches.length.toLocaleString("en")} of ${counted(chats.length)} ${match}`;
  }

  function option(chat, index) {
    const isChosen = chosen().includes(chat.id);
    const row = make("div", "linq-nb-option");
    row.id = `${id}-${index}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(isChosen));
    const tick = make("span", "linq-nb-tick", isChosen ? "✓" : "");
    tick.setAttribute("aria-hidden", "true");
    const name = make("bdi", "linq-nb-name", chat.name);
    row.append(tick, name, " ", make("span", "linq-nb-detail", chat.detail), " ");
    if (chat.health) row.append(make("span", "linq-nb-badge linq-nb-red", chat.health), " ");
    if (chat.service) row.append(make("span", `linq-nb-badge linq-nb-${TONES.get(chat.service) ?? "grey"}`, chat.service));
    row.addEventListener("mousedown", (event) => event.preventDefault()); // the cursor stays in the field
    row.addEventListener("click", () => { active = index; toggle(chat); });
    return row;
  }

  function point(index) {
    active = index;
    for (const row of list.children) row.classList.remove("linq-nb-active");
    const row = list.children[active];
    if (!row) return input.removeAttribute("aria-activedescendant");
    row.classList.add("linq-nb-active");
    input.setAttribute("aria-activedescendant", row.id);
    // not scrollIntoView, which would scroll the notebook too
    if (row.offsetTop < list.scrollTop) list.scrollTop = row.offsetTop;
    else if (row.offsetTop + row.offsetHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = row.offsetTop + row.offsetHeight - list.clientHeight;
  }

  function drawChips() {
    const byId = new Map(chats.map((chat) => [chat.id, chat]));
    chips.hidden = !chosen().length;
    chips.replaceChildren(...chosen().map((id) => {
      const chat = byId.get(id) ?? { id, name: id };
      const item = make("li", "linq-nb-chip");
      const button = make("button", "linq-nb-remove");
      button.type = "button";
      button.disabled = !choosable();
      button.setAttribute("aria-label", `Remove ${chat.name}`);
      button.append(make("bdi", "", chat.name), make("span", "linq-nb-cross", "×"));
      button.addEventListener("click", () => { toggle(chat); input.focus(); });
      item.append(button);
      return item;
    }));
  }

  function onKey(event) {
    const shown = list.children.length;
    if (event.key === "ArrowDown" && shown) point((active + 1) % shown);
    else if (event.key === "ArrowUp" && shown) point((active <= 0 ? shown : active) - 1);
    else if (event.key === "Enter") choose();
    else if (event.key === "Escape" && input.value) { input.value = ""; filter(); }
    else if (event.key === "Backspace" && !input.value && chosen().length) {
      toggle({ id: chosen().at(-1) });
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function choose() {
    const text = input.value.trim();
    const exact = matches.filter((chat) => fold(chat.name) === fold(text));
    const match = active >= 0 ? matches[active] : matches.length === 1 ? matches[0] : exact.length === 1 ? exact[0] : null;
    if (match) { toggle(match); input.select(); }
    else if (text && !matches.length) model.send({ kind: "find", text });
    else if (matches.length) point(0);
  }

  function onChosen() {
    const kept = active, top = list.scrollTop;
    drawChips();
    drawList();
    list.scrollTop = top;
    point(kept);
  }

  function onDisabled() {
    input.disabled = !choosable();
    list.setAttribute("aria-disabled", String(!choosable()));
    drawChips();
  }

  function onMessage(message) {
    clearTimeout(waiting);
    if (message.kind !== "chats") return;
    isComplete = message.is_complete;
    chats = message.chats.map((chat) =>
      ({ ...chat, folded: fold(`${chat.name} ${chat.handles} ${chat.service} ${chat.health}`), numbers: chat.handles.split(" ").map(digits) }));
    drawChips();
    filter();
  }

  input.addEventListener("input", filter);
  input.addEventListener("keydown", onKey);
  model.on("change:chosen", onChosen);
  model.on("change:disabled", onDisabled);
  model.on("msg:custom", onMessage);
  onDisabled();
  count.textContent = "Reading the chats …";
  model.send({ kind: "ready" });
  const waiting = setTimeout(() => {
    count.textContent = "No answer from the kernel yet: it is busy, or it was restarted (then run this cell again).";
  }, PATIENCE_MS);
  return () => {
    clearTimeout(waiting);
    model.off("change:chosen", onChosen);
    model.off("change:disabled", onDisabled);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
