"""JupyterLab and the system's Chromium for tests and pictures: a server, a page, a notebook.

Everything stays on 127.0.0.1; nothing is ever downloaded, also no browser.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import linq_nb

PATIENCE_MS = 180_000
"""How long a page is waited for, in milliseconds. A passing test never waits so long, however busy the machine is."""

CHROMIUM_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
LAB_SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
LABS_OWN = "Canceled future for create_subshell_request"
"""JupyterLab 4.6 raises this itself when a kernel is shut down before Lab has opened its subshell."""

HELD_LINQ = """
import httpx, itertools, time
class Held(httpx.BaseTransport):
    "A Linq that accepts five memos; the next wait until the batch is stopped."
    def __init__(self, inner):
        self.inner, self.numbers = inner, itertools.count(1)
    def handle_request(self, request):
        if request.url.path.endswith("/voicememo") and next(self.numbers) > 5:
            while not outbox.last_batch.stopped_by:
                time.sleep(0.02)
        return self.inner.handle_request(request)
demo = outbox.demo
outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, transport=Held(demo.transport()),
                         journal=":memory:", clock=demo.now, sleep=demo.sleep)
"""
"""Code for a notebook that has an ``outbox`` of the demo: the same demo as a live Linq whose batch can be stopped."""

SPILLED = """root => {
  const outer = root.parentElement, spilled = [], texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    const right = Math.max(...[...range.getClientRects()].filter(rect => rect.width).map(rect => rect.right), 0);
    for (let box = texts.currentNode.parentElement; right && box !== outer; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.display === 'inline' || style.display === 'contents') continue;
      if (right <= box.getBoundingClientRect().right + 1 && style.overflowX === 'visible') continue;
      if (style.overflowX === 'auto' || style.textOverflow === 'ellipsis' || style.clipPath !== 'none') break;
      if (right <= box.getBoundingClientRect().right + 1) continue;
      spilled.push(`${box.tagName}.${box.className}: ${texts.currentNode.textContent.slice(0, 60)}`);
      break;
    }
  }
  return spilled;
}"""
"""Script that lists the texts that leave their box below a root, but those that scroll or end with an ellipsis."""

STOPPABLE_SECONDS = """(() => {
  const every = window.setInterval;
  window.setInterval = (call, ms, ...more) => every(() => window.isHeld && ms === 1000 || call(...more), ms);
})()"""
"""Script for a new page: while ``window.isHeld`` is true its seconds stand still, as those of a countdown."""

STOP_SECONDS = "isHeld => { window.isHeld = isHeld; }"

NOTE = """root => {
  const text = ({type, target}) => type === 'attributes' ? target.getAttribute('aria-label') : target.textContent;
  window.noted = [];
  new MutationObserver(changes => window.noted.push(...changes.map(text)))
    .observe(root, {subtree: true, childList: true, characterData: true, attributeFilter: ['aria-label']});
}"""
"""Script that notes the texts and names below a root from now on: also those that pass before a test looks."""

NOTED = "pattern => window.noted.some(text => RegExp(pattern).test(text))"

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

_OPEN = """async ([path, id]) => {
  const app = window.jupyterapp;
  const panel = await app.commands.execute('docmanager:open', id ? {path, kernel: {id}} : {path});
  await panel.context.ready; await panel.sessionContext.ready; app.shell.activateById(panel.id);
}"""
_READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return !!(kernel && panel.sessionContext.isReady && panel.content.widgets?.length
            && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""
_RUN = """async (index) => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  app.shell.activateById(panel.id);
  panel.content.activeCellIndex = index; panel.content.deselectAll();
  return await app.commands.execute('notebook:run-cell');
}"""
_CLOSE = """async (code) => {
  window.isHeld = false;
  const panel = window.jupyterapp.shell.currentWidget, session = panel?.sessionContext?.session;
  if (!panel?.sessionContext) return null;
  const isQuiet = session?.kernel?.connectionStatus === 'connected' && session.kernel.status === 'idle';
  const reply = isQuiet ? await session.kernel.requestExecute({code, silent: true}).done : null;
  const id = reply?.content.status === 'ok' ? session.kernel.id : null;
  if (!id) await panel.sessionContext.shutdown();
  panel.context.model.dirty = false; panel.close();
  return id;
}"""
_AS_NEW = """
def as_new():
    import sys
    from ipywidgets import Widget
    from IPython import get_ipython
    Widget.close_all()
    for name, module in list(sys.modules.items()):  # None hides a package, as a test of a missing extra does
        if name.partition(".")[0] == "linq_nb" or module is None:
            del sys.modules[name]
    get_ipython().reset(new_session=True)
as_new()
"""
"""Code that resets a kernel for the next notebook; where it fails, another kernel is started."""
_THEME = """async (theme) => {
  await window.jupyterapp.commands.execute('apputils:change-theme', {theme});
}"""
_THEMED = """name => document.body.dataset.jpThemeLight === String(name === 'light')
  && !document.getElementById('jupyterlab-splash')"""
"""Wait until the splash screen of a new theme is gone: JupyterLab throws (removeChild) on an earlier switch."""


def chromium() -> str | None:
    """Find the system's Chromium, or the browser that ``LINQ_NB_CHROMIUM`` names."""
    names = (os.environ.get("LINQ_NB_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def missing() -> str | None:
    """Name the missing requirements of the browser tests, or return None."""
    modules = ("playwright", "jupyterlab", "ipykernel", "nbformat", "axe_playwright_python")
    parts = [name for name in modules if not importlib.util.find_spec(name)]
    parts += [] if chromium() else ["Chromium (set LINQ_NB_CHROMIUM to its path)"]
    return f"browser tests need {', '.join(parts)}" if parts else None


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, the folder it serves and its log."""

    url: str
    token: str
    root: Path
    log: Path
    idle_kernels: list[str] = field(default_factory=list)


@contextlib.contextmanager
def running_lab(root: Path, home: Path) -> Iterator[Lab]:
    """Serve ``root`` with JupyterLab on a free loopback port; all its state lives below ``home``."""
    overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps(LAB_SETTINGS))
    port, token, log = free_port(), secrets.token_hex(16), home / "server.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            _command(root, port, token),
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=_environment(home),
            start_new_session=True,
        )
    lab = Lab(f"http://127.0.0.1:{port}", token, root, log)
    try:
        _await_answer(server, lab)
        yield lab
    finally:
        _stop(server)


@contextlib.contextmanager
def open_page(lab: Lab, **context: Any) -> Iterator[Any]:
    """Open JupyterLab in a fresh headless Chromium and wait until it is restored."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, headless(driver.chromium) as browser:
        yield visit(lab, new_page(browser, permissions=["microphone"], **context))


def new_page(browser: Any, **context: Any) -> Any:
    """Open a page in a context of its own, whose pages are waited for with patience."""
    opened = browser.new_context(**context)
    opened.set_default_timeout(PATIENCE_MS)
    opened.add_init_script(STOPPABLE_SECONDS)
    return opened.new_page()


def visit(lab: Lab, page: Any) -> Any:
    """Bring a page to JupyterLab and wait until it is restored."""
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell")
    page.evaluate("() => window.jupyterapp.restored")
    return page


@contextlib.contextmanager
def headless(kind: Any, *more: str, without: Sequence[str] = ()) -> Iterator[Any]:
    """Launch Chromium without a window, with flags added or removed; as root, without its sandbox."""
    flags = [flag for flag in CHROMIUM_FLAGS if flag not in without]
    flags += [*more, *(["--no-sandbox"] if _is_root() else [])]
    browser = kind.launch(executable_path=chromium(), args=flags, timeout=PATIENCE_MS)
    try:
        yield browser
    finally:
        browser.close()


@dataclass
class Guard:
    """Listens to a page: errors of its scripts and requests that would leave the machine."""

    page: Any
    home: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def __enter__(self) -> Guard:
        self.page.on("pageerror", self._on_error)
        self.page.on("request", self._on_request)
        self.page.on("websocket", self._on_request)
        return self

    def __exit__(self, *failure: object) -> None:
        self.page.remove_listener("pageerror", self._on_error)
        self.page.remove_listener("request", self._on_request)
        self.page.remove_listener("websocket", self._on_request)

    def check(self) -> None:
        assert not self.errors, self.errors
        assert not self.foreign, f"the page asked for {self.foreign[:5]}"

    def _on_error(self, error: Any) -> None:
        if LABS_OWN not in str(error):
            self.errors.append(str(error))

    def _on_request(self, request: Any) -> None:
        own = (f"{self.home}/", f"{self.home.replace('http', 'ws', 1)}/", "data:", "blob:")
        if not request.url.startswith(own):
            self.foreign.append(request.url)


@dataclass
class Notebook:
    """The notebook in front: write cells, run them, look at their outputs."""

    page: Any
    lab: Lab
    name: str

    def open(self, *cells: str, outputs: Sequence[dict[str, str] | None] = ()) -> Notebook:
        """Write a notebook of code cells and open it; stored ``outputs`` (mime bundles) are untrusted."""
        import nbformat

        code_cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        for cell, data in zip(code_cells, outputs, strict=False):
            if data:
                cell.execution_count = 1
                cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
        book = nbformat.v4.new_notebook(cells=code_cells)
        book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.lab.root / f"{self.name}.ipynb")
        idle = self.lab.idle_kernels
        return self.again(idle.pop() if idle else None)

    def again(self, kernel: str | None = None) -> Notebook:
        """Open the notebook as it is saved, which a reloaded page does not do by itself; ``kernel`` is an id."""
        self.page.evaluate(_OPEN, [f"{self.name}.ipynb", kernel])
        return self.ready()

    def ready(self) -> Notebook:
        """Wait until the notebook in front has a kernel to run its cells: before that, a run is lost."""
        self.page.wait_for_function(_READY)
        return self

    def reload(self) -> None:
        """Reload the page, and open the notebook as it is saved."""
        visit(self.lab, self.page)
        self.again()

    def run(self, index: int) -> None:
        """Run one cell and wait until it has ended."""
        self.page.evaluate(_RUN, index)

    def save(self) -> None:
        """Save the notebook as it stands."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def toggle_widget_state(self) -> None:
        """Switch on or off that the state of widgets is saved with the notebook."""
        command = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", command)

    def restart(self) -> None:
        """Restart the kernel: its widgets are gone."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    def theme(self, name: str) -> None:
        """Switch to the ``light`` or the ``dark`` theme."""
        self.page.evaluate(_THEME, THEMES[name])
        self.page.wait_for_function(_THEMED, arg=name)

    def themes(self) -> Iterator[str]:
        """Switch to each theme in turn."""
        for name in reversed(THEMES):
            self.theme(name)
            yield name

    def cell(self, index: int) -> Any:
        """Return the cell's locator; panels behind this one are left out."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-cell").nth(index)

    def output(self, index: int) -> Any:
        """Return the locator of the cell's outputs."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def assert_no_widget(self, index: int) -> None:
        """JupyterLab has no model for the cell's widget, and hides its message about that."""
        from playwright.sync_api import expect

        expect(self.cell(index)).to_contain_text("model not found", use_inner_text=False)
        expect(self.cell(index).get_by_text("model not found")).to_be_hidden()

    def close(self) -> None:
        """Close the notebook and keep its kernel for the next one; shut it down where it cannot be made as new."""
        if kernel := self.page.evaluate(_CLOSE, _AS_NEW):
            self.lab.idle_kernels.append(kernel)


def serious(page: Any, part: str) -> list[str]:
    """Return the serious barriers that axe-core finds in a part of the front notebook, and where."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page, context=f".jp-NotebookPanel:not(.lm-mod-hidden) {part}").response["violations"]
    bad = [violation for violation in violations if violation["impact"] in ("serious", "critical")]
    return [
        f"{violation['id']}: {node['html'][:150]} {node['failureSummary'][:200]}"
        for violation in bad
        for node in violation["nodes"]
    ]


def _command(root: Path, port: int, token: str) -> list[str]:
    """Return how JupyterLab is started."""
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        *(["--allow-root"] if _is_root() else []),
    ]  # fmt: skip


def _environment(home: Path) -> dict[str, str]:
    """Return an environment that keeps state below ``home`` and in which kernels import this linq_nb."""
    here = str(Path(linq_nb.__path__[0]).parent)
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    return {**os.environ, **{key: str(home / name) for key, name in folders.items()}, "PYTHONPATH": path}


def _await_answer(server: subprocess.Popen[bytes], lab: Lab, timeout_s: float = PATIENCE_MS / 1000) -> None:
    """Wait until the server answers; raises RuntimeError with the end of its log when it does not."""
    ask = urllib.request.Request(f"{lab.url}/api/status", headers={"Authorization": f"token {lab.token}"})
    until = time.monotonic() + timeout_s
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(ask, timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{lab.log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and its kernels: they share a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(15)


def free_port() -> int:
    """Return a free port of 127.0.0.1, below those that the system hands out: it stays free until it is used."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
