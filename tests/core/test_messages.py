"""Messages of errors: what happened, whether anything was sent or changed, what to do next."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linq_nb
from linq_nb import VoiceMemo, audio, preflight, reports, tables, to_frame
from linq_nb.errors import LinqError, PreflightError, problem_of, without_outcome
from linq_nb.model import BadDraft

PACKAGE = Path(linq_nb.__file__).parent
ERRORS = re.compile(
    "(Linq|Settings|Audio|Preflight|Api|Webhook|Journal)Error|NotSent|Refusal",
)
OUTCOME = re.compile(
    r"; (nothing was \w+( or changed| from here| by it)?|(the webhook|it) was (ignored|skipped|not sent)|"
    r"your outcome was not recorded|"
    r"the magics were not loaded|the deliveries before it were written|\{([\w.]*outcome|nothing)\})"
)
OTHERWISE = {
    "each finding says what to do": "{draft.memo.label}: {reasons}; nothing was sent",
    "the reason of a row": "not sent: the batch stopped ({self.stopped_by}); run it again to go on",
    "something was made": "the subscription was created, but Linq gave no secret; delete it and create it again",
}
"""Messages with other parts, and why."""


def template(node: ast.expr) -> str | None:
    """Return a text with its expressions in braces; None for what is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [
            part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}" for part in node.values
        ]  # type: ignore[attr-defined]
        return "".join(map(str, parts))
    return None


def messages() -> Iterator[tuple[str, str]]:
    """Give the place and the text of every message that is written where its error is made; the demo is not ours."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if "demo" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            is_error = isinstance(node, ast.Call) and ERRORS.fullmatch(ast.unparse(node.func).split(".")[-1])
            if is_error and node.args and (text := template(node.args[0])) is not None:
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", text


def test_every_message_that_is_written_out_has_three_parts() -> None:
    found = list(messages())
    assert len(found) > 150
    wrong = [
        f"{place}: {text}"
        for place, text in found
        if text not in OTHERWISE.values()
        and not ((match := OUTCOME.search(text)) and text[match.end() :].startswith("; "))
    ]
    assert not wrong, "\n".join(wrong)


def bad_rate() -> None:
    VoiceMemo.from_samples([0.5, 0.25], rate=1.5)  # type: ignore[arg-type]  # the error is tested


CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "a rate": (bad_rate, "nothing was sent"),
    "text that is no audio": (lambda: VoiceMemo.from_bytes(b"<!DOCTYPE html><html></html>"), "nothing was sent"),
    "a damaged file": (lambda: VoiceMemo.from_bytes(b"RIFF\x24\0\0\0WAVEfmt "), "nothing was sent"),
    "no waveform": (lambda: audio.levels(b"", 0), "nothing was sent"),
    "a lost number": (lambda: linq_nb.to_e164(2.02556e9), "nothing was sent"),
    "no number": (lambda: linq_nb.to_e164("nobody"), "nothing was sent"),
    "a region": (lambda: linq_nb.to_e164("+12025550111", region="XX"), "nothing was sent"),
    "a report": (lambda: reports.by_chat([1]), "nothing was counted"),
    "a time zone": (lambda: reports.by_hour(to_frame([]), "Atlantis"), "nothing was counted"),
    "a frame": (lambda: to_frame([], handles="hashed"), "nothing was made"),
    "a connection": (lambda: linq_nb.connect(demo=True, timeout=-1), "nothing was opened"),
    "a demo with a key": (lambda: linq_nb.connect(demo=True, api_key="x"), "nothing was opened"),
    "a table": (lambda: tables.of_value({"a": [1], "b": [1, 2]}), "nothing was sent"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_message_says_once_what_was_not_done_and_then_what_to_do(call: str) -> None:
    act, outcome = CALLS[call]
    with pytest.raises(LinqError) as caught:
        act()
    problem, _, todo = str(caught.value).partition(f"; {outcome}; ")
    assert problem
    assert todo
    assert "nothing was" not in problem + todo
    assert problem.startswith(problem_of(caught.value))


@pytest.mark.parametrize("why", ["there is no file 'a.wav'; nothing was sent; check the path", "there is no audio"])
def test_a_strict_plan_says_once_that_nothing_was_sent(why: str) -> None:
    outbox = linq_nb.connect(demo=True)
    with pytest.raises(PreflightError) as caught:
        outbox.plan([BadDraft(chat="Ada", audio="a.wav", why=why)], strict=True)
    message = str(caught.value)
    assert message.endswith(f"{without_outcome(why)}; nothing was sent; correct these rows, or plan without strict")
    assert message.count("nothing was sent") == 1
    outbox.close()


def test_a_finding_does_not_say_what_the_refusal_says() -> None:
    pytest.importorskip("av")
    long = VoiceMemo.from_samples(np.tile(np.array([0, 9000], "i2"), 2_600_000), rate=1000)
    (finding,) = [finding for finding in preflight.check_memo(long) if finding.code == "too_large"]
    assert "cut it into parts first" in finding.message
    assert "nothing was" not in finding.message
