// The list of chats: a combobox whose list box stays open. A thousand chats are filtered here, without the kernel;
// a hundred are drawn.
const MAX_SHOWN = 100;
const MAX_CHIPS = 30;
const PATIENCE_MS = 5000;
const TONES = new Map([["iMessage", "blue"], ["SMS", "green"], ["RCS", "violet"]]);

const QUOTES = [[/[`\u00b4\u2018-\u201b\u2032\u2035\u02b9\u02bb-\u02bd\u02c8]/gu, "'"], [/[\u201c-\u201f\u2033\u2036\u02ba]/gu, '"']];
const unquoted = (text) => QUOTES.reduce((written, [signs, plain]) => written.replace(signs, plain), text);
const fold = (text) => unquoted(text).normalize("NFKD").replace(/[\p{M}\p{Cf}]/gu, "")
  .replace(/[\p{Pd}\u2212\u2043]/gu, "-").toLowerCase(); // as it looks, without accents
const digits = (text) => text.replace(/[^\d+]/g, "").replace(/^\+?00/, "+");
const looksLikeNumber = (text) => /^[\d+() .\-/]{3,}$/.test(text) && /\d/.test(text);
const counted = (count) => `${number(count)} ${count === 1 ? "chat" : "chats"}`;

/** Make the list of chats; `tools` are further buttons beside its own. `elements` go one after the other into a page. */
function makePicker(model, tools) {
  const id = newId();
  let chats = [], matches = [], active = -1, isComplete = true;

  const chips = h("ul", { className: "linq-nb-chips", "aria-label": "Chosen chats" });
  const input = h("input", { id: `${id}-input`, className: "linq-nb-input", type: "text", autocomplete: "off", spellcheck: false,
    placeholder: "type a name or number", role: "combobox", "aria-autocomplete": "list", "aria-controls": `${id}-list`, "aria-describedby": `${id}-count` });
  const list = h("div", { id: `${id}-list`, className: "linq-nb-list", role: "listbox", "aria-label": "Chats", "aria-multiselectable": "true",
    tabIndex: -1 }); // the arrow keys move in it; Tab goes on
  const count = h("span", { id: `${id}-count`, className: "linq-nb-count", role: "status" });
  const all = button("Select all", () => choose([...new Set([...chosen(), ...matches.map((chat) => chat.id)])]));
  const none = button("Clear", () => { choose([]); input.focus(); });
  const elements = [h("label", { className: "linq-nb-label", htmlFor: input.id }, "To"), h("div", { className: "linq-nb-field" }, chips, input), list,
    h("div", { className: "linq-ui-tools" }, count, all, none, ...tools)];

  const chosen = () => model.get("chosen");

  function choose(ids) {
    model.set("chosen", ids);
    model.save_changes();
  }

  function toggle(chat) {
    const isChosen = chosen().includes(chat.id);
    choose(isChosen ? chosen().filter((id) => id !== chat.id) : [...chosen(), chat.id]);
  }

  function filter() {
    const text = input.value.trim();
    const words = fold(text).split(/\s+/).filter(Boolean);
    const handle = looksLikeNumber(fold(text)) ? digits(fold(text)) : null;
    matches = chats.filter((chat) => words.every((word) => chat.folded.includes(word))
      || (handle && chat.numbers.some((digits) => digits.includes(handle))));
    active = -1;
    drawList();
  }

  function drawList() {
    const shown = matches.slice(0, MAX_SHOWN);
    list.replaceChildren(...shown.map(option));
    list.hidden = !shown.length;
    const unchosen = matches.filter((chat) => !chosen().includes(chat.id)).length;
    all.hidden = unchosen < 2;
    all.textContent = input.value.trim() ? `Select all ${number(matches.length)} that match` : `Select all ${number(matches.length)}`;
    none.hidden = chosen().length < 2;
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
    return `${number(matches.length)} of ${counted(chats.length)} ${match}`;
  }

  function option(chat, index) {
    const isChosen = chosen().includes(chat.id);
    const tag = (text, colour) => (text ? [" ", pill(text, colour)] : []);
    return h("div", { id: `${id}-${index}`, className: "linq-nb-option", role: "option", "aria-selected": String(isChosen),
      onmousedown: (event) => event.preventDefault(), // the cursor stays in the field
      onclick: () => { active = index; toggle(chat); } },
    h("span", { className: "linq-nb-tick", "aria-hidden": "true" }, isChosen ? "✓" : ""), h("bdi", { className: "linq-nb-name" }, chat.name), " ",
    h("span", { className: "linq-nb-detail" }, chat.detail), ...tag(chat.health, "red"),
    ...tag(chat.service, TONES.get(chat.service) ?? "grey"));
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
    const more = chosen().length - MAX_CHIPS;
    chips.replaceChildren(...chosen().slice(0, MAX_CHIPS).map((id) => {
      const chat = byId.get(id) ?? { id, name: id };
      return h("li", {}, chip(chat.name, `Remove ${chat.name}`, () => { toggle(chat); input.focus(); }));
    }));
    if (more > 0) chips.append(h("li", {}, `and ${number(more)} more`));
  }

  function onKey(event) {
    const shown = list.children.length;
    if (event.key === "ArrowDown" && shown) point((active + 1) % shown);
    else if (event.key === "ArrowUp" && shown) point((active <= 0 ? shown : active) - 1);
    else if (event.key === "Enter") enter();
    else if (event.key === "Escape" && input.value) { input.value = ""; filter(); }
    else if (event.key === "Backspace" && !input.value && chosen().length) {
      toggle({ id: chosen().at(-1) });
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function enter() {
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
  model.on("msg:custom", onMessage);
  drawChips();
  count.textContent = "Reading the chats …";
  const waiting = setTimeout(() => {
    count.textContent = "No answer from the kernel yet: it is busy, or it was restarted (then run this cell again).";
  }, PATIENCE_MS);
  return {
    elements,
    focus: () => input.focus(),
    close() {
      clearTimeout(waiting);
      model.off("change:chosen", onChosen);
      model.off("msg:custom", onMessage);
    },
  };
}
