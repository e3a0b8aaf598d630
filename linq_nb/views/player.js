/** Make the bubble of each card the player of its sound: play, seek, position, one memo at a time.
 *  Where this does not run, the browser's own player stands below the bubble. */
function linqPlayers(root) {
  const clock = (seconds) => {
    const whole = Math.floor(seconds + 0.05), two = (value) => String(value).padStart(2, "0");
    return whole < 3600 ? `${Math.floor(whole / 60)}:${two(whole % 60)}` : `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  };
  const add = (tag, className, properties) => Object.assign(document.createElement(tag), { className, ...properties });
  if (!document.getElementById("linq-nb-player-style")) {
    document.head.append(add("style", "", { id: "linq-nb-player-style", textContent: `
      .linq-nb-bubble { position: relative; width: fit-content; max-width: 100%; forced-color-adjust: none; }
      .linq-nb-bubble > * { position: absolute; box-sizing: border-box; margin: 0; padding: 0; border: 0; }
      .linq-nb-bubble > img { position: static; }
      .linq-nb-bubble > .linq-nb-play { left: 4%; top: 17.2%; width: 12%; height: 62%; min-height: 0; border-radius: 50%; background: #fff; color: #0070e0; cursor: pointer; }
      .linq-nb-play::before { content: ""; position: absolute; inset: 28% 24% 28% 35%; background: currentColor; clip-path: polygon(0 0, 100% 50%, 0 100%); }
      .linq-nb-playing::before { inset: 28% 30%; clip-path: polygon(0 0, 33% 0, 33% 100%, 67% 100%, 67% 0, 100% 0, 100% 100%, 0 100%); }
      .linq-nb-bubble > .linq-nb-shade { top: 17%; height: 63%; background: #0070e0; opacity: 0.62; pointer-events: none; }
      .linq-nb-bubble > .linq-nb-seek { left: 19%; top: 8%; width: 60%; height: 80%; opacity: 0; cursor: pointer; }
      .linq-nb-bubble > .linq-nb-now { right: 6%; top: 17%; width: 14%; height: 63%; display: flex; align-items: center; justify-content: end;
        background: #0070e0; color: #fff; font: 500 14px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; pointer-events: none; }
      .linq-nb-bubble > [hidden] { display: none !important; }
      .linq-nb-bubble > .linq-nb-play:focus-visible, .linq-nb-bubble:has(.linq-nb-seek:focus-visible) { outline: 2px solid #ffb300; outline-offset: -2px; }` }));
  }
  for (const card of root.querySelectorAll(".linq-nb-memo[data-seconds]")) {
    const audio = card.querySelector("audio"), image = card.querySelector("img");
    if (!audio || !image || card.querySelector(".linq-nb-play")) continue;
    const bubble = add("div", "linq-nb-bubble"), shade = add("div", "linq-nb-shade", { hidden: true }), now = add("span", "linq-nb-now", { hidden: true });
    const seconds = Number(card.dataset.seconds), length = clock(seconds), style = audio.style.display;
    const play = add("button", "linq-nb-play", { type: "button" });
    const seek = add("input", "linq-nb-seek", { type: "range", min: 0, max: seconds, step: seconds / 200, value: 0 });
    seek.setAttribute("aria-label", "Position in the voice memo");
    const show = () => {
      const at = Math.min(audio.currentTime, seconds), isFresh = audio.paused && (at === 0 || audio.ended);
      play.classList.toggle("linq-nb-playing", !audio.paused);
      play.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} the voice memo`);
      seek.value = at;
      seek.setAttribute("aria-valuetext", `${clock(at)} of ${length}`);
      shade.hidden = now.hidden = isFresh;
      shade.style.left = `${19.4 + (58.6 * at) / seconds}%`;
      shade.style.width = `${58.6 * (1 - at / seconds)}%`;
      now.textContent = clock(at);
      if (!audio.paused && bubble.isConnected) requestAnimationFrame(show);
    };
    const native = () => { // this browser does not play it: its own player says so
      bubble.replaceWith(image);
      Object.assign(audio, { controls: true }).style.display = style;
      delete card.dataset.seconds;
    };
    play.onclick = () => (audio.paused ? audio.play().catch((error) => (error.name === "NotSupportedError" ? native() : null)) : audio.pause());
    seek.oninput = () => { audio.currentTime = Math.min(Number(seek.value), Math.max(0, (audio.duration || seconds) - 0.02)); show(); };
    seek.onkeydown = (event) => { // JupyterLab leaves the arrow keys without effect
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!steps) return;
      event.preventDefault();
      event.stopPropagation();
      seek.value = Number(seek.value) + (steps * seconds) / 20;
      seek.oninput();
    };
    audio.onplay = () => {
      for (const other of document.querySelectorAll(".linq-nb-memo audio")) if (other !== audio) other.pause();
      show();
    };
    audio.onpause = audio.onended = audio.onseeked = show;
    audio.onerror = native;
    bubble.dataset.lmSuppressShortcuts = "true";
    image.replaceWith(bubble);
    bubble.append(image, shade, now, seek, play);
    audio.controls = false;
    audio.style.display = "none";
    show();
  }
}
