"""A plan, a draft or a send belongs to its base URL and its journal, not to the key: another outbox refuses it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from core_samples import CHAT_ID
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO, HANG_S

import linq_nb
import linq_nb.accessor  # registers df.linq
from linq_nb import Draft, Outbox, Plan, PreflightError, Send, VoiceMemo
from linq_nb.demo import Demo, Server
from linq_nb.outbox import session_of

Make = Callable[..., Outbox]

ADA = "Ada Lovelace"


class Rotated(httpx.BaseTransport):
    """A Linq that takes a new key in place of the demo's."""

    def __init__(self, demo: Demo) -> None:
        self._demo, self._inner = demo, demo.transport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "authorization" in request.headers:
            assert request.headers["authorization"] == "Bearer demo_rotated"
            request.headers["authorization"] = f"Bearer {self._demo.api_key}"
        return self._inner.handle_request(request)


@pytest.fixture
def elsewhere() -> Iterator[Demo]:
    """Another Linq, with the same chats under the same ids."""
    with Server(Demo()) as server:
        yield server.demo


@pytest.fixture(params=["another base URL", "another base URL, same journal", "another journal"])
def other(request: pytest.FixtureRequest, connect: Make, elsewhere: Demo, tmp_path: Path) -> Outbox:
    """An outbox of another place than ``connect()``."""
    there = {"base_url": elsewhere.base_url, "transport": None}
    file = {"journal": str(tmp_path / "other.sqlite")}
    given = {
        "another base URL": there | file,
        "another base URL, same journal": there,
        "another journal": file,
    }
    return connect(**given[request.param])


def drafts(demo: Demo, memo: VoiceMemo) -> list[Draft]:
    return [Draft(memo=memo, chat=demo.chat_ids[name]) for name in (ADA, "Book Club")]


def bubbles(*demos: Demo) -> int:
    return sum(sum(demo.bubbles().values()) for demo in demos)


def refuses(use: Callable[[], Any], nothing: str = "nothing was sent") -> str:
    """Use a plan, draft or send in the wrong outbox; returns the text of the error."""
    with pytest.raises(PreflightError) as caught:
        use()
    error = caught.value
    assert (error.code, [finding.code for finding in error.findings]) == ("other_outbox", ["other_outbox"])
    assert str(error).count(";") == 2
    assert nothing in str(error)
    assert "\n" not in str(error)
    assert len(error._render_traceback_()) == 1
    return str(error)


# --- plans ---


def test_a_plan_of_another_outbox_is_refused_and_sends_nothing(
    connect: Make, other: Outbox, demo: Demo, elsewhere: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    plan = here.plan(drafts(demo, memo))
    for value in (plan, pickle.loads(pickle.dumps(plan))):
        message = refuses(lambda value=value: other.send_all(value))
    assert message.startswith("this plan was made ")
    assert message.endswith("plan the drafts here: outbox.plan(drafts)")
    assert bubbles(demo, elsewhere) == 0
    assert here.sends() == other.sends() == []
    assert {send.status for send in other.send_all(other.plan(drafts(demo, memo)))} == {"queued"}  # as it advises
    assert {send.status for send in here.send_all(plan)} == {"queued"}
    assert here.plan(drafts(demo, memo)).counts["already_sent"] == 2


@pytest.mark.parametrize("again", ["another outbox", "reopened", "another key", "another process"])
def test_an_outbox_of_the_same_place_accepts_the_plan(
    again: str, connect: Make, demo: Demo, memo: VoiceMemo, tmp_path: Path
) -> None:
    here = connect()
    plan = here.plan(drafts(demo, memo))
    if again == "reopened":
        here.close()
    if again == "another process":
        plan = pickle.loads(pickle.dumps(plan))
    given = {"api_key": "demo_rotated", "transport": Rotated(demo)} if again == "another key" else {}
    assert {send.status for send in connect(**given).send_all(plan)} == {"queued"}
    assert bubbles(demo) == 2
    assert {send.repeated for send in connect().send_all(plan)} == {True}
    assert bubbles(demo) == 2


MAKES_A_PLAN = """
import pickle, sys
import linq_nb
from linq_nb.demo import Demo, Server

demo = Demo()
outbox = linq_nb.connect(api_key=demo.api_key, base_url=demo.base_url, transport=demo.transport(), journal=sys.argv[1])
memo = linq_nb.VoiceMemo.from_file(sys.argv[2])
plan = outbox.plan([linq_nb.Draft(memo=memo, chat=chat) for chat in outbox.chats(limit=2)])
sys.stdout.buffer.write(pickle.dumps(plan))
"""


def test_a_plan_that_another_process_saved_follows_the_same_rule(
    connect: Make, other: Outbox, demo: Demo, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", MAKES_A_PLAN, str(tmp_path / "journal.sqlite"), str(AUDIO / "hello.amr")]
    saved = subprocess.run(command, capture_output=True, check=True, timeout=HANG_S).stdout
    plan: Plan = pickle.loads(saved)
    refuses(lambda: other.send_all(plan))
    assert {send.status for send in connect().send_all(plan)} == {"queued"}
    assert bubbles(demo) == 2


# --- drafts ---


@pytest.fixture
def there(connect: Make, elsewhere: Demo, tmp_path: Path) -> Outbox:
    """An outbox of another base URL."""
    journal = str(tmp_path / "there.sqlite")
    return connect(base_url=elsewhere.base_url, transport=None, journal=journal)


@pytest.mark.parametrize("read", ["chats", "chat", "find_chat", "known_chats", "pickled"])
def test_a_chat_that_another_outbox_read_is_refused(
    read: str, connect: Make, there: Outbox, demo: Demo, elsewhere: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    chats = {
        "chats": lambda: here.chats()[0],
        "chat": lambda: here.chat(demo.chat_ids[ADA]),
        "find_chat": lambda: here.find_chat(ADA),
        "known_chats": lambda: here.chats() and here.known_chats()[0],
        "pickled": lambda: pickle.loads(pickle.dumps(here.chats()[0])),
    }
    chat: Any = chats[read]()
    uses: list[Callable[[], Any]] = [
        lambda: there.send(memo, chat),
        lambda: there.check(memo, chat),
        lambda: there.messages([chat]),
        lambda: there.send_all(there.plan([Draft(memo=memo, chat=chat)], strict=True)),
    ]
    for use in uses[:3]:
        message = refuses(use)
    assert message.startswith(f"this chat was read from {demo.base_url}, and this outbox is for {elsewhere.base_url};")
    with pytest.raises(PreflightError, match="the first is row 0: this chat was read from") as strict:
        uses[3]()
    assert strict.value.code == "other_outbox"
    plan = there.plan([Draft(memo=memo, chat=chat), Draft(memo=memo, chat=there.chats()[0])])
    assert [row.verdict for row in plan.rows] == ["refused", "send"]
    assert [finding.code for finding in plan.rows[0].findings] == ["other_outbox"]
    assert [send.status for send in there.send_all(plan)] == ["not_sent", "queued"]
    assert (bubbles(demo), bubbles(elsewhere)) == (0, 1)
    assert here.send(memo, chat).status == "queued"
    assert connect().send(memo, chat).repeated


def test_the_origin_of_a_chat_is_neither_compared_nor_shown(connect: Make, there: Outbox, demo: Demo) -> None:
    mine, others = connect().chat(demo.chat_ids[ADA]), there.chat(demo.chat_ids[ADA])
    assert mine.base_url != others.base_url
    assert mine == others
    assert repr(mine) == repr(others)
    assert "base_url" not in linq_nb.to_frame([mine], kind="chats")


# --- sends ---


def lose_answer(outbox: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    """Send a memo whose answer is lost, so that its outcome is unknown."""
    demo.lose_next_answer()
    with pytest.raises(linq_nb.OutcomeUnknown):
        outbox.send(memo, demo.chat_ids[ADA])


def uses_of(outbox: Outbox, send: Send) -> dict[str, Callable[[], Any]]:
    return {
        "refresh": lambda: outbox.refresh(send),
        "refresh, a list": lambda: outbox.refresh(iter([send])),
        "watch": lambda: outbox.watch([send], timeout=0),
        "reconcile": lambda: outbox.reconcile(send),
        "resolve": lambda: outbox.resolve(send, "not_sent", reason="it is not there"),
        "board": lambda: linq_nb.StatusBoard(outbox, [send]),
    }


USES = tuple(uses_of(None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("use", USES)
def test_a_send_of_another_outbox_is_refused(
    use: str, connect: Make, other: Outbox, demo: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    lose_answer(here, demo, memo)
    send, before = here.sends()[0], len(demo.requests)
    message = refuses(uses_of(other, send)[use], "nothing was asked or changed")
    assert "use the outbox that sent it" in message
    assert (here.sends(), len(demo.requests)) == ([send], before)
    uses_of(here, send)[use]()


def test_the_history_of_a_send_is_that_of_its_journal(
    connect: Make, there: Outbox, demo: Demo, elsewhere: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    send = here.send(memo, demo.chat_ids[ADA])
    refuses(lambda: there.history(send), "nothing was asked or changed")
    refuses(lambda: there.history([send]), "nothing was asked or changed")
    same_journal = connect(base_url=elsewhere.base_url, transport=None)
    assert same_journal.history(send) == here.history(send) != []


def test_a_batch_of_another_outbox_has_no_board_here(connect: Make, other: Outbox, demo: Demo, memo: VoiceMemo) -> None:
    here = connect()
    batch = here.send_all(here.plan(drafts(demo, memo))).wait()
    refuses(lambda: linq_nb.StatusBoard(other, batch))
    board = linq_nb.StatusBoard(connect(), batch)
    board.close()


def test_rows_that_were_never_sent_belong_to_no_journal(connect: Make, demo: Demo, memo: VoiceMemo) -> None:
    """They have no row in the journal, and the results of a batch are polled unchanged."""
    here = connect()
    bad = [Draft(memo=memo, chat="nobody"), Draft(memo=memo, chat=CHAT_ID)]
    batch = here.send_all(here.plan([*bad, *drafts(demo, memo)])).wait()
    assert [send.status for send in here.refresh(batch)][:2] == ["not_sent", "not_sent"]
    assert len(here.watch(batch, timeout=0)) == len(here.reconcile(batch)) == 4


def test_reconciling_all_leaves_the_sends_of_another_linq_alone(
    connect: Make, demo: Demo, elsewhere: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    lose_answer(here, demo, memo)
    same_journal = connect(base_url=elsewhere.base_url, transport=None)
    before = here.history()
    assert same_journal.reconcile() == []
    assert here.history() == before
    assert [send.reconcile_result for send in here.reconcile()] == ["found"]


# --- magics and frames ---


@pytest.fixture
def switched(shell: InteractiveShell, connect: Make, elsewhere: Demo, memo: VoiceMemo) -> InteractiveShell:
    """A notebook that read a chat and made a plan with one outbox, and has another one now."""
    old = shell.user_ns["outbox"]
    here = connect(base_url=elsewhere.base_url, transport=None)
    chat = old.find_chat(ADA)
    shell.user_ns |= {"plan": old.plan([Draft(memo=memo, chat=chat)]), "chat": chat, "memo": memo, "outbox": here}
    return shell


def test_a_notebook_that_connects_anew_between_plan_and_send_gets_an_error(
    shell: InteractiveShell, memo: VoiceMemo, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns |= {"memo": memo, "Draft": Draft}
    shell.run_cell(f"plan = outbox.plan([Draft(memo=memo, chat={ADA!r})])")
    shell.run_cell("%linq_connect --demo --fresh --quiet")
    capsys.readouterr()
    result = shell.run_cell("outbox.send_all(plan)")
    assert isinstance(result.error_in_exec, PreflightError)
    printed = capsys.readouterr().out.strip()
    assert printed.startswith("PreflightError: this plan was made with another journal")
    assert "\n" not in printed
    assert shell.user_ns["outbox"].sends() == []
    shell.run_cell(f"done = outbox.send_all(outbox.plan([Draft(memo=memo, chat={ADA!r})])).wait()")
    assert [send.status for send in shell.user_ns["done"]] == ["queued"]


@pytest.mark.parametrize(
    "line",
    [
        "%linq_voicememo memo --chat {chat} --yes",
        "%linq_voicememo memo --chat {chat} --preview",
        "outbox.send_all(plan)",
        "outbox.send(memo, chat)",
    ],
)
def test_a_chat_or_a_plan_of_the_outbox_before_is_an_error_of_one_line(
    line: str, switched: InteractiveShell, elsewhere: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    result = switched.run_cell(line)
    assert isinstance(result.error_in_exec, PreflightError)
    assert result.error_in_exec.code == "other_outbox"
    assert "\n" not in capsys.readouterr().out.strip()
    assert bubbles(elsewhere) == 0


def test_drafts_of_a_frame_and_the_rows_of_a_magic_are_refused_row_by_row(
    switched: InteractiveShell, elsewhere: Demo
) -> None:
    names = switched.user_ns
    table = pd.DataFrame({"chat": [names["chat"]], "audio": [names["memo"]]})
    plan = names["outbox"].plan(table.linq.drafts(chat="chat", audio="audio"))
    assert [(row.verdict, row.findings[0].code) for row in plan.rows] == [("refused", "other_outbox")]
    names["table"] = table
    frame = switched.run_line_magic("linq_voicememo", "--from table --yes --quiet --into done") or names["done"]
    assert list(frame["status"]) == ["not_sent"]
    assert "this chat was read from" in frame["error_message"][0]
    assert bubbles(elsewhere) == 0


def test_a_form_keeps_the_outbox_that_it_was_made_with(shell: InteractiveShell, memo: VoiceMemo) -> None:
    form = linq_nb.SendForm(shell.user_ns["outbox"])
    shell.run_line_magic("linq_connect", "--demo --fresh --quiet")
    assert session_of(form.outbox) is not session_of(shell.user_ns["outbox"])
    form.close()


def test_status_of_chosen_sends_asks_for_those_of_this_base_url(
    shell: InteractiveShell, connect: Make, demo: Demo, elsewhere: Demo, memo: VoiceMemo
) -> None:
    here = connect()
    there = connect(base_url=elsewhere.base_url, transport=None)
    here.send(memo, demo.chat_ids[ADA])
    there.send(memo, elsewhere.chat_ids["Grace Hopper"])
    elsewhere.advance(minutes=5)
    shell.user_ns["outbox"] = there
    frame = shell.run_line_magic("linq_status", "--status queued")
    assert sorted(frame["status"]) == ["delivered", "queued"]
