"""%%linq_voicememo and --from: the plan is shown, confirmed and sent; the results come back as a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO

from linq_nb import Plan

CELL = "chat,audio\nAda Lovelace,audio/hello.m4a\nBook Club,audio/hello.amr\nNobody,audio/hello.m4a\n"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(AUDIO.parent)


def run(shell: InteractiveShell, text: str) -> Any:
    done = shell.run_cell(text)
    done.raise_error()
    return done.result


@pytest.mark.usefixtures("there")
def test_a_csv_cell_is_sent_row_by_row(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InteractiveShell, "_instance", shell)  # IPython shows things only where it runs as a whole
    frame = run(shell, f"%%linq_voicememo --into sends\n{CELL}")
    assert list(frame["status"]) == ["queued", "queued", "not_sent"]
    assert list(frame["error_message"].notna()) == [False, False, True]
    assert frame.equals(shell.user_ns["sends"][list(frame)])
    shown = capsys.readouterr().out
    assert "2 to send, 1 refused; 3 rows" in shown or "Plan 2 send" in shown
    assert "3 of 3 rows: 1 not_sent, 2 queued" in shown


@pytest.mark.usefixtures("there")
def test_the_same_cell_again_sends_nothing(shell: InteractiveShell) -> None:
    for _ in range(2):
        run(shell, f"%%linq_voicememo --quiet\n{CELL}")
    assert set(shell.user_ns["outbox"].demo.bubbles().values()) == {1}


@pytest.mark.usefixtures("there")
def test_a_frame_is_planned_with_from(shell: InteractiveShell) -> None:
    shell.user_ns["df"] = pd.DataFrame({"chat_name": ["Ada Lovelace", "Book Club"], "path": "audio/hello.m4a"})
    plan = run(shell, "%linq_voicememo --from df --plan")
    assert isinstance(plan, Plan)
    assert plan.counts["send"] == 2
    assert shell.user_ns["outbox"].demo.bubbles() == {}
    assert list(run(shell, "%linq_voicememo --from {df} --workers 2")["status"]) == ["queued", "queued"]


@pytest.mark.usefixtures("there")
def test_a_line_with_more_fields_than_the_first_is_refused(shell: InteractiveShell) -> None:
    cell = "chat,audio\nAda Lovelace,audio/hello.m4a\nBook Club,audio/hello.m4a,2\nfor Ada, Bob,audio/hello.m4a"
    frame = run(shell, f"%%linq_voicememo\n{cell}")
    assert list(frame["status"]) == ["queued", "not_sent", "not_sent"]
    assert "more fields than the first one (chat,audio)" in frame["error_message"][1]
    assert sum(shell.user_ns["outbox"].demo.bubbles().values()) == 1


@pytest.mark.usefixtures("there")
def test_a_comment_may_follow(shell: InteractiveShell) -> None:
    shell.user_ns["df"] = pd.DataFrame({"chat": ["Ada Lovelace"], "path": "audio/hello.m4a"})
    assert list(run(shell, "%linq_voicememo --from df  # today's")["status"]) == ["queued"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%%linq_voicememo\nwho,what\na,b", "the first line of the cell names the columns, as in chat,audio"),
        ("%%linq_voicememo --from df\nchat,audio\na,b", "either in the cell or by --from"),
        ("%linq_voicememo --from nothing", "the name 'nothing' is not defined; nothing was sent"),
        (
            "%linq_voicememo --from {3}",
            "--from does not take a value of type int; nothing was sent; give the name of a DataFrame or",
        ),
        ("%linq_voicememo --from {['Ada']}", "a plan takes Drafts, not a value of type str"),
        ("%%linq_voicememo --strict\nchat,audio\nNobody,x.m4a", "1 of 1 rows cannot be sent"),
    ],
)
def test_an_invalid_cell_is_an_error_and_sends_nothing(shell: InteractiveShell, text: str, words: str) -> None:
    shell.user_ns["df"] = pd.DataFrame()
    done = shell.run_cell(text)
    assert words in str(done.error_in_exec)
    assert "nothing was sent" in str(done.error_in_exec)
    assert shell.user_ns["outbox"].sends() == []


@pytest.mark.usefixtures("there")
def test_a_live_batch_is_not_sent_where_nobody_can_answer(shell: InteractiveShell, tmp_path: Path) -> None:
    run(shell, "demo = outbox.demo\nimport linq_nb")
    shell.user_ns["journal"] = str(tmp_path / "journal.sqlite")
    run(
        shell,
        "outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, transport=demo.transport(),"
        " journal=journal, clock=demo.now, sleep=demo.sleep)",
    )
    done = shell.run_cell(f"%%linq_voicememo\n{CELL}")
    assert "nobody can answer here; nothing was sent" in str(done.error_in_exec)
    assert shell.user_ns["demo"].bubbles() == {}
    frame = run(shell, f"%%linq_voicememo --yes\n{CELL}")
    assert list(frame["status"]) == ["queued", "queued", "not_sent"]
    shell.user_ns["outbox"].close()
