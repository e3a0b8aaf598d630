"""The recorder in Firefox, driven by WebDriver BiDi: Playwright's own Firefox is a download of 100 MB.

Skipped without Firefox (``firefox-esr`` or ``firefox`` on the PATH, or ``LINQ_NB_FIREFOX``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shared import HANG_S, wait_for
from test_recording import site as site

pytestmark = pytest.mark.thorough

FIREFOX = os.environ.get("LINQ_NB_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
SETTINGS = {
    "media.navigator.streams.fake": True,  # a microphone
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.cubeb.backend": "none",  # no sound output, whatever this machine has
}

Evaluate = Callable[[str], Any]


@pytest.fixture
def page(tmp_path: Path, site: int) -> Iterator[Evaluate]:
    """The recorder's page in Firefox: a function that evaluates an expression in it, as a user's click does."""
    if FIREFOX is None:
        pytest.skip("needs Firefox: firefox-esr or firefox on the PATH, or LINQ_NB_FIREFOX")
    websocket = pytest.importorskip("websocket")
    lines = [f'user_pref("{name}", {json.dumps(value)});' for name, value in SETTINGS.items()]
    (tmp_path / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--profile", str(tmp_path), "--remote-debugging-port=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as firefox:
        try:
            assert firefox.stderr is not None
            matches = (re.search(r"BiDi listening on (ws://\S+)", line) for line in firefox.stderr)
            address = next(match[1] for match in matches if match)
            threading.Thread(target=firefox.stderr.read, daemon=True).start()  # its pipe never fills
            socket = websocket.create_connection(f"{address}/session", suppress_origin=True, timeout=HANG_S)
            yield evaluator(socket, f"http://127.0.0.1:{site}/")
            socket.close()
        finally:
            firefox.terminate()


def evaluator(socket: Any, url: str) -> Evaluate:
    def call(method: str, **params: Any) -> Any:
        socket.send(json.dumps({"id": 1, "method": method, "params": params}))
        while True:
            answer = json.loads(socket.recv())
            if answer.get("id") == 1:
                assert answer["type"] == "success", answer
                return answer["result"]

    call("session.new", capabilities={})
    context = call("browsingContext.getTree")["contexts"][0]["context"]
    call("browsingContext.navigate", context=context, url=url, wait="complete")
    arguments = {"target": {"context": context}, "awaitPromise": True, "userActivation": True}
    return lambda text: call("script.evaluate", expression=text, **arguments)["result"].get("value")


@pytest.mark.host("Firefox", "recorder without sound output")
def test_without_a_sound_output_the_recorder_says_what_to_do(page: Evaluate) -> None:
    """Without a sound output Firefox starts no sound and reports no error."""
    text = "document.querySelector('#here').innerText"
    page("[...document.querySelectorAll('button')].find(button => /Record/.test(button.innerText)).click()")
    assert "Waiting for the microphone" in page(text)
    wait_for(lambda: "Connect headphones or a loudspeaker" in page(text))
    assert "Or choose an audio file below." in page(text)
    assert page("document.querySelector('input[type=file]').disabled") is False
