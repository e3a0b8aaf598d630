// The page's side of linq_nb.Recorder. A widget has one Session, which holds microphone and sound, and any number of
// views. The kernel decides what is kept: `_cards` lists the takes without sound; the others wait in `pending`.
// elements.js is joined before it.

const SILENCE = 0.003; // of full scale, as in linq_nb.preflight
const BAR_MS = 60;
const BARS = 48;
const ANSWER_MS = 5000;
const START_MS = 8000; // a sound output that is there starts in a fraction of it
const SHORTEST_S = 0.1;

const UNANSWERED = "The kernel has not answered yet: it is busy, or it was restarted " +
  "(then run the cell again for a new recorder). The sound is still in this page: Download keeps it as a file.";

const TAP = `registerProcessor("linq-tap", class extends AudioWorkletProcessor {
  constructor() { super(); this.block = new Int16Array(1024); this.filled = 0; }
  process([channels]) {
    for (let i = 0; i < (channels[0]?.length ?? 0); i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = Math.round(Math.max(-1, Math.min(1, sum / channels.length)) * 32767);
      if (this.filled === this.block.length) { this.port.postMessage(this.block); this.filled = 0; }
    }
    return true;
  }
})`;

// --- why there is no microphone -------------------------------------------------------------------------------

const OR_FILE = "Or choose an audio file below.";
const NEWER = "Use a current Chrome, Edge, Firefox or Safari.";

const REFUSALS = {
  NoMediaDevices: `This browser offers no microphone to pages. ${NEWER}`,
  NoAudioWorklet: `This browser cannot record (it has no AudioWorklet). ${NEWER}`,
  WorkletRefused: "The page's security policy does not let the recorder start. " +
    "Ask whoever runs this server to allow blob: scripts (worker-src blob:).",
  NoSoundOutput: "This browser does not start its sound, as when there is no loudspeaker; " +
    "without it Firefox does not record. Connect headphones or a loudspeaker (a virtual one will do), " +
    "then press Record again.",
  NotFoundError: "No microphone was found. Connect one, then press Record again.",
  NotReadableError: "The microphone is there, but another program holds it or it does not start. " +
    "Close that program (a call, perhaps), then press Record again.",
};

/** Return why there is no microphone, and what to do. */
export function refusal(error, place) {
  return `${reason(error, place)} ${OR_FILE}`;
}

function reason(error, place) {
  const name = error?.name ?? "";
  if (place.vscode) {
    return "VS Code gives notebooks no microphone. Open this notebook in a browser (jupyter lab) to record.";
  }
  if (!place.secure) {
    return "This page is not secure (plain http from another machine), so the browser keeps the microphone from it. " +
      "Open it over https, or as http://localhost through `ssh -L 8888:localhost:8888 HOST`.";
  }
  if (name === "NotAllowedError" || name === "SecurityError") return notAllowed(error, place);
  const problem = `${name || "Error"}: ${error?.message ?? error}`;
  return REFUSALS[name] ?? `The microphone did not start (${problem}). Press Record again.`;
}

function notAllowed(error, place) {
  if (place.allowed === false || error.name === "SecurityError") {
    return place.framed
      ? "This notebook is shown inside another page, which does not pass the microphone on. " +
        'Open it in a tab of its own (or its frame needs allow="microphone").'
      : "The server of this page forbids the microphone (its Permissions-Policy header). " +
        "Ask whoever runs it to allow microphone=(self).";
  }
  if (place.permission === "granted" || /system/i.test(error.message)) {
    return "The operating system keeps the microphone from this browser. " +
      "Allow it in the system's privacy settings, then press Record again.";
  }
  if (place.permission === "prompt") {
    return "The browser asked for the microphone and got no yes. Press Record again and choose Allow.";
  }
  return "The microphone is blocked for this page. Open the site settings beside the address, allow the microphone, " +
    "then press Record again.";
}

async function lookAround() {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  let permission = null;
  try {
    permission = (await navigator.permissions.query({ name: "microphone" })).state;
  } catch { /* a browser that does not tell */ }
  return {
    vscode: location.protocol.startsWith("vscode") || /\.vscode-(cdn|webview)\.net$/.test(location.hostname),
    secure: window.isSecureContext,
    framed: window.self !== window.top,
    allowed: policy ? policy.allowsFeature("microphone") : null,
    permission,
  };
}

// --- microphone -----------------------------------------------------------------------------------------------

/** Open the microphone; `hear` gets its 16-bit blocks, `lost` is called when it is disconnected. */
async function openMicrophone(hear, lost) {
  if (!navigator.mediaDevices?.getUserMedia) throw named("NoMediaDevices");
  if (!window.AudioWorkletNode) throw named("NoAudioWorklet");
  // Only the loudness is corrected. Nothing is played, so there is no echo to cancel.
  const wanted = { channelCount: 1, autoGainControl: true, echoCancellation: false, noiseSuppression: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
  const { sampleRate } = stream.getAudioTracks()[0].getSettings(); // without it the context takes the loudspeaker's rate
  const context = new AudioContext(sampleRate ? { sampleRate } : {});
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    if (context.state !== "closed") context.close();
  };
  try {
    await loadTap(context);
    const source = context.createMediaStreamSource(stream);
    const tap = new AudioWorkletNode(context, "linq-tap", { outputChannelCount: [1] });
    tap.port.onmessage = (event) => hear(event.data);
    stream.getAudioTracks()[0].onended = lost;
    source.connect(tap).connect(context.destination); // it plays silence; a browser may skip a node without a destination
    await inTime(context.resume(), "NoSoundOutput");
    return { rate: context.sampleRate, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function loadTap(context) {
  const url = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(url);
  } catch {
    throw named("WorkletRefused");
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Wait for a promise that may never settle; after START_MS it fails with this name. */
async function inTime(promise, name) {
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(named(name)), START_MS); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const named = (name) => Object.assign(new Error(name), { name });

// --- bytes ----------------------------------------------------------------------------------------------------

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function joined(blocks, frames) {
  const all = new Int16Array(frames);
  let at = 0;
  for (const block of blocks) {
    all.set(block.subarray(0, frames - at), at);
    at += Math.min(block.length, frames - at);
  }
  return new Uint8Array(all.buffer);
}

function wav(pcm, rate) {
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((c, i) => head.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF"); head.setUint32(4, 36 + pcm.length, true); text(8, "WAVEfmt ");
  head.setUint32(16, 16, true); head.setUint16(20, 1, true); head.setUint16(22, 1, true);
  head.setUint32(24, rate, true); head.setUint32(28, 2 * rate, true); head.setUint16(32, 2, true);
  head.setUint16(34, 16, true); text(36, "data"); head.setUint32(40, pcm.length, true);
  return new Blob([head, pcm], { type: "audio/wav" });
}

const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
const megabytes = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${+(bytes / 1e6).toFixed(1)} MB`);

// --- the session ----------------------------------------------------------------------------------------------

/** Focus an element that the page shows only after this, or after the box around it; gives up after so many frames. */
function focusWhenShown(element, frames) {
  if (element.offsetParent) element.focus();
  else if (frames) requestAnimationFrame(() => focusWhenShown(element, frames - 1));
}

class Session {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.state = "idle"; // asking, countdown, recording, paused
    this.status = "";
    this.alert = "";
    this.silent = false; // the kernel has not answered
    this.pending = new Map(); // take id -> a take that the kernel does not have yet
    this.sounds = new Map(); // take id -> Blob, to play
    this.fetching = new Map();
    this.counted = 0;
    model.on("change:_cards", () => this.forget());
    model.on("msg:custom", (message, buffers) => this.answer(message, buffers));
    this.leaving = (event) => { if (this.atRisk) event.preventDefault(); };
    window.addEventListener("beforeunload", this.leaving);
  }

  get cards() { return this.model.get("_cards") ?? []; }
  get atRisk() { return this.pending.size > 0 || this.state === "recording" || this.state === "paused"; }
  get seconds() { return this.rate ? this.frames / this.rate : 0; }

  /** Seconds that fit, at the rate of the microphone: as WAV, or as the M4A that the kernel can make. */
  limit(rate) {
    return Math.max((this.model.get("_limit_bytes") - 44) / 2 / rate, this.model.get("_m4a_seconds"));
  }

  draw() { for (const view of this.views) view.draw(); }

  set(state, status = "") {
    this.state = state;
    this.status = status;
    this.draw();
  }

  // recording

  press(event) {
    if (event.detail > 1) return; // the second of a double click
    if (this.state === "idle") this.start();
    else if (this.state === "countdown") this.begin();
    else if (this.state !== "asking") this.finish();
  }

  /** Start without a press if the kernel asked for that: once, not again after a reload. */
  startOnce(view) {
    if (!this.model.get("_starts")) return;
    this.model.set("_starts", false);
    this.model.save_changes();
    this.start();
    focusWhenShown(view.main, 100);
  }

  async start() {
    const run = (this.run = {});
    this.alert = "";
    this.set("asking", "Waiting for the microphone. If the browser asks, choose Allow.");
    let microphone;
    try {
      microphone = await openMicrophone((block) => this.hear(run, block), () => this.lost(run));
    } catch (error) {
      const place = await lookAround();
      if (run !== this.run) return;
      this.alert = refusal(error, place);
      return this.set("idle");
    }
    if (run !== this.run) return microphone.close();
    this.microphone = microphone;
    this.rate = microphone.rate;
    [this.blocks, this.frames, this.heard, this.hinted] = [[], 0, 0, 0];
    this.counted = 3;
    this.set("countdown", "Recording starts in 3 seconds.");
    this.timer = setInterval(() => (--this.counted > 0 ? this.draw() : this.begin()), 1000);
  }

  begin() {
    clearInterval(this.timer);
    this.set("recording", "Recording.");
  }

  pause() {
    if (this.state === "recording") this.set("paused", "Paused.");
    else if (this.state === "paused") this.set("recording", "Recording goes on.");
  }

  cancel() {
    this.release();
    this.set("idle", "Nothing was recorded.");
  }

  hear(run, block) {
    if (run !== this.run || !this.microphone) return;
    let peak = 0;
    for (const value of block) peak = Math.max(peak, Math.abs(value));
    this.level = peak / 32767;
    this.heard = Math.max(this.heard, peak / 32767);
    if (this.state !== "recording") return;
    this.blocks.push(block);
    this.frames += block.length;
    const most = Math.floor(this.limit(this.rate) * this.rate);
    if (this.frames >= most) {
      this.frames = most;
      return this.finish(`It is full at ${clock(most / this.rate)}: ${megabytes(this.model.get("_limit_bytes"))} is the most.`);
    }
    this.hint(most / this.rate - this.seconds);
  }

  /** Say once that nothing is heard, or that the end is near. */
  hint(left) {
    if (this.seconds > 3 && this.heard < SILENCE && this.hinted < 1) {
      this.hinted = 1;
      this.status = "Recording, but nothing is heard. Is this the right microphone, and is it switched on?";
    } else if (this.heard >= SILENCE && this.hinted === 1) {
      this.hinted = 0;
      this.status = "Recording.";
    } else if (left < 10 && this.hinted < 2 && this.limit(this.rate) > 20) {
      this.hinted = 2;
      this.status = "10 seconds left.";
    } else return;
    this.draw();
  }

  lost(run) {
    if (run !== this.run) return;
    if (this.state === "recording" || this.state === "paused") {
      this.alert = "The microphone went away. What was recorded until then is below.";
      this.finish();
    } else {
      this.alert = "The microphone went away. Connect it, then press Record again. " + OR_FILE;
      this.cancel();
    }
  }

  finish(why = "") {
    const [blocks, frames, rate] = [this.blocks, this.frames, this.rate];
    this.release();
    if (frames < SHORTEST_S * rate) return this.set("idle", "That was too short; nothing was kept.");
    this.set("idle", why || "Stopped.");
    const pcm = joined(blocks, frames);
    const item = { what: "recording", name: "New take", bytes: pcm, rate_hz: rate, seconds: frames / rate, ended: why };
    this.deliver(item, wav(pcm, rate));
  }

  /** Release the microphone. */
  release() {
    clearInterval(this.timer);
    this.run = null;
    this.microphone?.close();
    this.microphone = this.blocks = null;
    this.level = 0;
  }

  // to the kernel

  async choose(file) {
    this.alert = "";
    if (!file.size) this.alert = `${file.name} is empty. Choose another file.`;
    else if (file.size > this.model.get("_max_file_bytes")) this.alert = `${file.name} is ${megabytes(file.size)}; a memo has at most 10 MB.`;
    else {
      try {
        const bytes = new Uint8Array(await file.arrayBuffer());
        return this.deliver({ what: "file", name: file.name, bytes }, file);
      } catch {
        this.alert = `${file.name} could not be read. Choose it again.`;
      }
    }
    this.draw();
  }

  deliver(item, sound) {
    item.id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
    item.attempt = 0;
    item.crc32 = crc32(item.bytes);
    this.pending.set(item.id, item);
    this.sounds.set(item.id, sound);
    this.transfer(item);
  }

  transfer(item) {
    Object.assign(item, { attempt: item.attempt + 1, why: "", done: 0 });
    const chunks = Math.ceil(item.bytes.length / this.model.get("_chunk_bytes"));
    const { id: take, attempt, what, name, rate_hz, crc32 } = item;
    this.ask({ kind: "begin", take, attempt, what, name, rate_hz, crc32, chunks, size_bytes: item.bytes.length });
    this.draw();
  }

  sendChunk(item, chunk) {
    const size = this.model.get("_chunk_bytes");
    const bytes = item.bytes.slice(chunk * size, (chunk + 1) * size);
    item.done = (chunk * size) / item.bytes.length;
    this.ask({ kind: "chunk", take: item.id, attempt: item.attempt, chunk }, [bytes.buffer]);
    this.draw();
  }

  /** Send a message and show it when the kernel does not answer. */
  ask(content, buffers = []) {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => { this.silent = true; this.draw(); }, ANSWER_MS);
    try {
      this.model.send(content, undefined, buffers);
    } catch {
      this.silent = true;
      this.draw();
    }
  }

  answer(message, buffers) {
    clearTimeout(this.watch);
    this.silent = false;
    const item = this.pending.get(message.take);
    const mine = item && item.attempt === message.attempt;
    if (message.kind === "next" && mine) return this.sendChunk(item, message.chunk);
    if (message.kind === "sound") this.collect(message, buffers[0]);
    else if (message.kind === "kept" && mine) this.kept(item);
    else if (message.kind === "failed") this.failed(message, mine ? item : null);
    else if (message.kind === "busy" && mine) item.done = 1;
    this.draw();
  }

  kept(item) {
    this.pending.delete(item.id);
    if (item.what === "file") this.sounds.delete(item.id); // the kernel has a version that every browser plays
    const card = this.cards.find((card) => card.id === item.id);
    if (card) this.status = `${item.ended ?? ""} ${card.name} is kept: ${card.facts}.`.trim();
  }

  failed(message, item) {
    this.fetching.get(message.take)?.reject(new Error(message.why));
    if (item?.what === "file") {
      this.alert = `${item.name}: ${message.why}`;
      this.drop(item.id);
    } else if (item) item.why = message.why;
    else this.alert = message.why;
  }

  drop(id) {
    this.pending.delete(id);
    this.sounds.delete(id);
    this.draw();
  }

  /** Forget the sounds that the kernel no longer has. */
  forget() {
    const kept = new Set([...this.cards.map((card) => card.id), ...this.pending.keys()]);
    for (const id of this.sounds.keys()) if (!kept.has(id)) this.sounds.delete(id);
    this.draw();
  }

  // playing a take again

  /** Return the sound of a take, from the kernel after a reload. */
  sound(id) {
    if (this.sounds.has(id)) return Promise.resolve(this.sounds.get(id));
    if (!this.fetching.has(id)) {
      const wanted = { parts: [], size: 0 };
      wanted.promise = new Promise((resolve, reject) => Object.assign(wanted, { resolve, reject }));
      wanted.promise.catch(() => {}).finally(() => this.fetching.delete(id));
      this.fetching.set(id, wanted);
      this.ask({ kind: "fetch", take: id });
    }
    return this.fetching.get(id).promise;
  }

  collect(message, buffer) {
    const wanted = this.fetching.get(message.take);
    if (!wanted || message.start !== wanted.size) return;
    wanted.parts.push(buffer);
    wanted.size += buffer.byteLength;
    if (wanted.size < message.size_bytes) return;
    this.sounds.set(message.take, new Blob(wanted.parts, { type: message.mime }));
    wanted.resolve(this.sounds.get(message.take));
  }

  // views

  /** Remove a view. With the last view the recording ends, and what was recorded is kept. */
  hide(view) {
    this.views.delete(view);
    if (this.views.size) return;
    if (this.state === "recording" || this.state === "paused") this.finish();
    else if (this.state !== "idle") this.cancel();
  }

  close() {
    this.release();
    clearTimeout(this.watch);
    window.removeEventListener("beforeunload", this.leaving);
    this.pending.clear();
    this.sounds.clear();
  }
}

// --- the view -------------------------------------------------------------------------------------------------

/** Set a text only where it changed, so that a live region speaks once. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

class View {
  constructor(session, el) {
    this.session = session;
    this.rows = new Map();
    this.group = newId();
    this.player = new Audio();
    this.player.addEventListener("ended", () => this.stop());
    this.player.addEventListener("error", () => this.player.src && this.unplayable());
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.build(el);
    this.ticker = setInterval(() => this.tick(), BAR_MS);
    session.views.add(this);
    this.draw();
  }

  build(el) {
    const s = this.session;
    this.main = h("button", { type: "button", className: "linq-rec-main", onclick: (event) => s.press(event) });
    this.pause = h("button", { type: "button", onclick: () => s.pause() });
    this.cancel = h("button", { type: "button", onclick: () => { s.cancel(); this.main.focus(); } }, "Cancel");
    this.time = h("span", { className: "linq-rec-time", role: "timer" });
    this.left = h("span", { className: "linq-ui-quiet" });
    this.meter = h("div", { className: "linq-rec-meter", "aria-hidden": "true" });
    this.bars = Array.from({ length: BARS }, () => this.meter.appendChild(h("i")));
    this.status = h("p", { className: "linq-rec-status", role: "status" });
    this.alert = h("p", { className: "linq-ui-alert linq-rec-alert", role: "alert" });
    this.list = h("ul", { className: "linq-rec-takes", "aria-label": "Takes" });
    const accept = "audio/*,.mp3,.m4a,.aac,.caf,.wav,.aif,.aiff,.amr";
    this.file = h("input", { type: "file", accept, onchange: () => this.upload() });
    const choose = h("label", { className: "linq-rec-file" }, this.file, "Choose an audio file");
    this.root = h("section",
      { className: "linq-ui linq-rec", "aria-label": "Voice recorder", "data-lm-suppress-shortcuts": "true" },
      h("div", { className: "linq-rec-stage" },
        h("div", { className: "linq-rec-buttons" }, this.main, this.pause, this.cancel),
        this.meter,
        h("div", { className: "linq-rec-clock" }, this.time, this.left)),
      this.status, this.alert, this.list,
      h("div", { className: "linq-rec-foot" }, choose, h("span", {}, "MP3, M4A, AAC, CAF, WAV, AIFF or AMR")));
    el.append(this.root);
  }

  upload() {
    const [file] = this.file.files;
    if (file) this.session.choose(file);
    this.file.value = "";
  }

  // drawing after a change

  draw() {
    const s = this.session;
    const names = { idle: "Record", asking: "Waiting …", countdown: "Start now", recording: "Stop", paused: "Stop" };
    this.root.dataset.state = s.state;
    say(this.main, names[s.state]);
    this.main.setAttribute("aria-disabled", s.state === "asking");
    say(this.pause, { recording: "Pause", paused: "Resume" }[s.state] ?? "");
    this.cancel.hidden = s.state !== "asking" && s.state !== "countdown";
    say(this.status, s.status || (s.cards.length || s.pending.size ? "" : "Press Record. You can listen before anything is sent."));
    say(this.alert, s.silent ? UNANSWERED : s.alert);
    this.drawClock();
    this.drawTakes();
  }

  drawClock() {
    const s = this.session;
    const running = s.state === "recording" || s.state === "paused";
    if (s.state === "countdown") this.time.textContent = String(Math.max(1, s.counted));
    else this.time.textContent = clock(running ? s.seconds : 0);
    if (running) this.left.textContent = `${clock(Math.ceil(Math.max(0, s.limit(s.rate) - s.seconds)))} left`;
    else {
      const most = s.limit(s.rate || 48000);
      this.left.textContent = `${s.rate ? "" : "about "}${clock(most)} fits in ${megabytes(s.model.get("_limit_bytes"))}`;
    }
  }

  drawTakes() {
    const s = this.session;
    const cards = s.cards;
    const waiting = [...s.pending.values()].filter((item) => !cards.some((card) => card.id === item.id));
    const shown = [...cards, ...waiting].map((card) => card.id);
    for (const [id, row] of this.rows) if (!shown.includes(id)) this.remove(id, row);
    for (const card of cards) this.row(card.id, Kept).draw(card);
    for (const item of waiting) this.row(item.id, Waiting).draw(item);
    this.list.hidden = !shown.length;
  }

  /** Return the row of a take, made anew when its kind has changed. */
  row(id, Kind) {
    const row = this.rows.get(id);
    if (row instanceof Kind) return row;
    const made = new Kind(this, id);
    if (row) row.element.replaceWith(made.element);
    else this.list.append(made.element);
    this.rows.set(id, made);
    return made;
  }

  remove(id, row) {
    const held = row.element.contains(document.activeElement);
    if (this.playing === id) this.stop();
    row.element.remove();
    this.rows.delete(id);
    if (held) this.main.focus();
  }

  // drawing at regular times

  tick() {
    const s = this.session;
    if (s.state === "recording" || s.state === "paused") this.drawClock();
    if (s.microphone) this.drawMeter(s.level ?? 0);
    else if (this.lively) this.drawMeter(0, true);
    if (this.playing) this.progress();
  }

  /** Draw the loudness of the last seconds, the newest at the right; a steady bar for people who avoid motion. */
  drawMeter(level, still = false) {
    this.lively = !still;
    const height = Math.pow(Math.min(1, level), 0.5);
    if (this.calm.matches) {
      this.bars.forEach((bar, i) => bar.style.setProperty("--level", i < height * BARS ? 0.6 : 0));
      return;
    }
    this.levels = still ? [] : [...(this.levels ?? []), height].slice(-BARS);
    this.bars.forEach((bar, i) => {
      const value = this.levels[i - BARS + this.levels.length] ?? 0;
      bar.style.setProperty("--level", value.toFixed(2));
      bar.classList.toggle("linq-rec-loud", value > 0.99);
    });
  }

  // playing a take

  async play(id, start, end) {
    if (this.playing === id) return this.stop();
    this.stop();
    this.playing = id;
    this.range = [start, end];
    try {
      const blob = await this.session.sound(id);
      if (this.playing !== id) return;
      this.url = URL.createObjectURL(blob);
      this.player.src = this.url;
      this.player.currentTime = start;
      await this.player.play();
    } catch (error) {
      if (this.playing === id && error?.name !== "AbortError") this.unplayable();
    }
    this.draw();
  }

  unplayable() {
    this.stop();
    this.session.alert = "This browser could not play it; what is sent is not changed by that.";
    this.session.draw();
  }

  progress() {
    const at = this.player.currentTime;
    if (at >= this.range[1] && this.url) return this.stop();
    this.rows.get(this.playing)?.shade?.(at);
  }

  stop() {
    const id = this.playing;
    this.playing = null;
    this.player.pause();
    this.player.removeAttribute("src");
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.rows.get(id)?.shade?.(null);
    this.draw();
  }

  async download(id, name) {
    try {
      const url = URL.createObjectURL(await this.session.sound(id));
      h("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    } catch (error) {
      this.session.alert = error.message;
      this.session.draw();
    }
  }

  close() {
    clearInterval(this.ticker);
    this.session.views.delete(this);
    this.stop();
    this.session.hide(this);
    this.root.remove();
  }
}

/** What every row of a take has. */
class TakeRow {
  constructor(view, id) {
    Object.assign(this, { view, id });
    this.name = h("b");
    this.facts = h("span", { className: "linq-ui-quiet" });
    this.notes = h("p", { className: "linq-rec-notes" });
    this.save = h("button", { type: "button", onclick: () => view.download(id, this.filename) }, "Download");
    this.discard = h("button", { type: "button", onclick: () => this.drop() }, "Discard");
  }
}

/** A take that the kernel keeps: chosen or not, heard, trimmed, downloaded, discarded. */
class Kept extends TakeRow {
  constructor(view, id) {
    super(view, id);
    const s = view.session;
    const ask = (kind, more = {}) => s.ask({ kind, take: id, ...more });
    this.radio = h("input", { type: "radio", name: view.group, onchange: () => ask("choose") });
    this.play = h("button", { type: "button", className: "linq-rec-play", onclick: () => this.hear() });
    this.wave = h("span", { className: "linq-rec-wave", "aria-hidden": "true" });
    this.length = h("span", { className: "linq-rec-length" });
    const time = () => h("input", { type: "number", min: "0", step: "0.1", onchange: () => this.trim(ask) });
    [this.from, this.to] = [time(), time()];
    this.cut = h("span", { className: "linq-rec-trim" },
      h("label", {}, "from ", this.from, " s"), h("label", {}, "to ", this.to, " s"));
    this.yes = h("button", { type: "button", className: "linq-ui-danger", onclick: () => ask("discard") });
    this.no = h("button", { type: "button", onclick: () => this.sure(false) }, "Keep it");
    this.yes.hidden = this.no.hidden = true;
    this.element = h("li", {},
      h("div", { className: "linq-rec-head" }, h("label", {}, this.radio, this.name), this.facts),
      h("div", { className: "linq-rec-bubble" }, this.play, this.wave, this.length),
      h("div", { className: "linq-rec-tools" }, this.cut, this.save, this.discard, this.yes, this.no),
      this.notes);
  }

  draw(card) {
    const playing = this.view.playing === this.id;
    this.filename = card.filename.replace(/\.[^.]*$/, ".wav");
    const old = this.card;
    this.card = card;
    if (card.chosen !== old?.chosen) this.radio.checked = card.chosen; // an answer to something else undoes no click
    this.radio.setAttribute("aria-label", `Use ${card.name}`);
    this.element.classList.toggle("linq-rec-chosen", card.chosen);
    say(this.name, card.name);
    say(this.facts, card.facts);
    say(this.length, card.length);
    this.play.setAttribute("aria-label", `${playing ? "Stop" : "Play"} ${card.name}`);
    this.play.classList.toggle("linq-rec-playing", playing);
    this.save.setAttribute("aria-label", `Download ${card.name}`);
    this.discard.setAttribute("aria-label", `Discard ${card.name}`);
    this.yes.textContent = `Discard ${card.name}`;
    this.cut.hidden = this.save.hidden = !card.can_trim; // the file is on the disk already
    this.play.hidden = !card.can_play;
    this.time(this.from, "Start", card.start_ms, old?.start_ms);
    this.time(this.to, "End", card.end_ms, old?.end_ms);
    say(this.notes, card.notes.join(" · "));
    if (this.wave.childElementCount !== card.peaks.length) {
      this.wave.replaceChildren(...card.peaks.map((peak) => h("i", { style: `--level:${peak / 100}` })));
    }
    this.shade(null);
  }

  /** Show a time that the kernel has changed, but not while a person edits it. */
  time(input, what, ms, old) {
    input.setAttribute("aria-label", `${what} of ${this.card.name} in seconds`);
    input.max = (this.card.recorded_ms / 1000).toFixed(1);
    if (ms !== old && (old === undefined || input !== document.activeElement)) input.value = (ms / 1000).toFixed(1);
  }

  trim(ask) {
    const { start_ms, end_ms, recorded_ms } = this.card;
    // Times are shown to a tenth; a time that was not edited keeps its milliseconds.
    const read = (input, ms) => (input.value === (ms / 1000).toFixed(1) ? ms : Math.round(1000 * Number(input.value)));
    const [start, end] = [Math.max(0, read(this.from, start_ms)), Math.min(recorded_ms, read(this.to, end_ms))];
    const wrong = !(this.from.value && this.to.value && end - start >= 1000 * SHORTEST_S);
    if (this.view.playing === this.id) this.view.stop();
    this.view.session.alert = wrong ? `${this.card.name}: the start must lie at least 0.1 s before the end.` : "";
    [this.from.value, this.to.value] = (wrong ? [start_ms, end_ms] : [start, end]).map((ms) => (ms / 1000).toFixed(1));
    if (!wrong) ask("trim", { start_ms: start, end_ms: end });
    this.view.session.draw();
  }

  drop() { this.sure(true); }

  sure(asked) {
    this.discard.hidden = asked;
    this.yes.hidden = this.no.hidden = !asked;
    (asked ? this.no : this.discard).focus();
  }

  hear() { this.view.play(this.id, this.card.start_ms / 1000, this.card.end_ms / 1000 || Infinity); this.view.draw(); }

  /** Mark the bars that are cut off, and those that are not played yet. */
  shade(at) {
    const { start_ms, end_ms, recorded_ms, peaks } = this.card;
    [...this.wave.children].forEach((bar, i) => {
      const ms = ((i + 0.5) / peaks.length) * recorded_ms;
      bar.className = ms < start_ms || ms > end_ms ? "linq-rec-cut" : at !== null && ms > at * 1000 ? "linq-rec-ahead" : "";
    });
  }
}

/** A take on its way to the kernel, or a take that did not arrive whole. */
class Waiting extends TakeRow {
  constructor(view, id) {
    super(view, id);
    const s = view.session;
    this.notes.setAttribute("role", "alert");
    this.bar = h("progress", { max: 1 });
    this.again = h("button", { type: "button", onclick: () => s.transfer(s.pending.get(id)) }, "Send to the kernel again");
    this.tools = h("div", { className: "linq-rec-tools" }, this.again, this.save, this.discard);
    this.element = h("li", {},
      h("div", { className: "linq-rec-head" }, this.name, this.facts), this.bar, this.notes, this.tools);
  }

  drop() { this.view.session.drop(this.id); }

  draw(item) {
    const stuck = Boolean(item.why) || this.view.session.silent;
    this.filename = item.what === "file" ? item.name : "take.wav";
    say(this.name, item.name);
    const length = item.seconds ? `${clock(Math.max(1, item.seconds))} · ` : "";
    say(this.facts, length + (stuck ? "not in the kernel yet" : item.done === 1 ? "being checked" : "going to the kernel"));
    this.bar.value = item.done;
    this.bar.setAttribute("aria-label", `${item.name}: part that has arrived`);
    this.bar.hidden = stuck;
    say(this.notes, item.why);
    this.tools.hidden = !stuck;
  }
}

export default () => {
  let session;
  return {
    initialize({ model }) {
      session = new Session(model);
      return () => session.close();
    },
    render({ el }) {
      const view = new View(session, el);
      session.startOnce(view);
      return () => view.close();
    },
  };
};
