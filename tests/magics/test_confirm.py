"""A live send is deliberate: the card is shown, the question names memo and recipients, and Enter means no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell

from linq_nb.demo import Demo

LINE = '%linq_voicememo hello.wav --chat "Ada Lovelace"'


class Person:
    """The person at the prompt."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: str | BaseException = ""
        self.asked: list[str] = []
        monkeypatch.setattr("builtins.input", self._input)

    def _input(self, prompt: str) -> str:
        self.asked.append(prompt)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    return Person(monkeypatch)


@pytest.mark.parametrize("answer", ["y", "Y", "yes", " yes "])
def test_a_yes_at_the_prompt_sends(shell: Any, live: Demo, person: Person, answer: str) -> None:
    person.answer = answer
    assert shell.run(LINE).status == "queued"
    assert "LIVE from +1•••••0100 to Ada Lovelace" in shell.said
    assert live.bubbles() == {live.chat_ids["Ada Lovelace"]: 1}


@pytest.mark.parametrize("answer", ["", "n", "no", "yep", "j", "--yes"])
def test_any_other_answer_sends_nothing(shell: Any, live: Demo, person: Person, answer: str) -> None:
    person.answer = answer
    assert shell.run(f"{LINE} --into send") is None
    assert "Nothing was sent." in shell.said
    assert shell["send"] is None
    assert live.bubbles() == {}
    assert shell["outbox"].sends() == []


def test_question_names_memo_people_and_journal(shell: Any, live: Demo, person: Person, tmp_path: Path) -> None:
    shell.run(f'{LINE} --chat "Book Club"')
    (question,) = person.asked
    assert question.startswith("LIVE: send hello.wav (0:02) to Ada Lovelace · +1•••••0111 · iMessage and Book Club")
    assert str(tmp_path / "journal.sqlite") in question
    assert question.endswith(" [y/N] ")
    assert "+12025550111" not in question


@pytest.mark.parametrize("nobody", [EOFError(), StdinNotImplementedError("no stdin"), OSError()])
def test_send_is_refused_where_nobody_can_answer(shell: Any, live: Demo, person: Person, nobody: BaseException) -> None:
    person.answer = nobody
    message = shell.fails(LINE)
    assert message.startswith("PreflightError: this would send to a real account and nobody can answer here")
    assert "--yes" in message
    assert live.bubbles() == {}
    assert shell["outbox"].sends() == []


def test_interrupt_at_the_prompt_sends_nothing(shell: Any, live: Demo, person: Person) -> None:
    person.answer = KeyboardInterrupt()
    shell.ip.run_cell(LINE)
    assert live.bubbles() == {}


def test_the_option_yes_answers_the_question(shell: Any, live: Demo, person: Person) -> None:
    shell.run(f"{LINE} --yes")
    assert person.asked == []
    assert len(live.bubbles()) == 1


def test_run_all_sends_and_asks_nothing_again(shell: Any, live: Demo, person: Person) -> None:
    shell.run(f"{LINE} --yes")
    person.answer = EOFError()
    assert shell.run(LINE).repeated
    assert "already sent" in shell.said
    assert person.asked == []
    assert live.bubbles() == {live.chat_ids["Ada Lovelace"]: 1}


def test_question_is_only_about_new_sends(shell: Any, live: Demo, person: Person) -> None:
    shell.run(f"{LINE} --yes;")
    person.answer = "y"
    first, second = shell.run(f'{LINE} --chat "Book Club"')
    assert (first.repeated, second.repeated) == (True, False)
    assert "Ada" not in person.asked[0]


def test_refused_draft_is_an_error_without_a_question(shell: Any, live: Demo, person: Person) -> None:
    message = shell.fails(f'{LINE} --chat "Kim Opted Out"')
    assert "opted out" in message
    assert person.asked == []
    assert live.bubbles() == {}


@pytest.mark.parametrize(("ask", "questions"), [("each", 2), ("once", 1), ("never", 0)])
def test_setting_decides_how_often_a_live_send_asks(
    shell: Any, live: Demo, person: Person, ask: str, questions: int
) -> None:
    person.answer = "y"
    shell.run(f"%config LinqMagics.ask = {ask!r}")
    shell.run(LINE)
    shell.run(f"{LINE} --copy 2")
    assert len(person.asked) == questions
    assert live.bubbles() == {live.chat_ids["Ada Lovelace"]: 2}


def test_a_batch_asks_once_and_names_the_journal(shell: Any, live: Demo, person: Person, tmp_path: Path) -> None:
    person.answer = "y"
    shell.run("%%linq_voicememo\nchat,audio\nAda Lovelace,hello.wav\nBook Club,hello.wav")
    (question,) = person.asked
    assert question.startswith("LIVE: 2 to send; 2 rows; plan ")
    assert str(tmp_path / "journal.sqlite") in question
    assert set(live.bubbles().values()) == {1}


@pytest.mark.parametrize("doors", [("magic", "form"), ("form", "magic")], ids=" then ".join)
def test_once_is_once_for_magics_and_form_together(
    shell: Any, live: Demo, person: Person, monkeypatch: pytest.MonkeyPatch, doors: tuple[str, str]
) -> None:
    monkeypatch.setattr(InteractiveShell, "_instance", shell.ip)  # this shell is the notebook's
    person.answer = "y"
    shell.run("%config LinqMagics.ask = 'once'")
    ada = live.chat_ids["Ada Lovelace"]
    questions = 0
    for copy, door in enumerate(doors, 1):
        if door == "magic":
            shell.run(f"{LINE} --copy {copy}")
        else:
            questions += send_by_form(shell.run("%linq_form --into form;") or shell["form"], ada, copy)
    assert questions + len(person.asked) == 1
    assert live.bubbles() == {ada: 2}


def send_by_form(form: Any, chat_id: str, copy: int) -> bool:
    """Send hello.wav by the form, with a yes where it asks; returns whether it asked."""
    form.chosen, form.copy = [chat_id], copy
    form.load("hello.wav")
    form.press()
    asks = bool(form.view["ask"])
    form.press("yes")
    return asks


def test_an_answer_of_no_does_not_count_as_asked_once(shell: Any, live: Demo, person: Person) -> None:
    shell.run("%config LinqMagics.ask = 'once'")
    shell.run(LINE)
    shell.run(LINE)
    assert len(person.asked) == 2


def test_demo_never_asks(shell: Any, demo: Demo, person: Person) -> None:
    shell.run(LINE)
    assert person.asked == []
    assert len(demo.bubbles()) == 1


def test_preview_never_asks(shell: Any, live: Demo, person: Person) -> None:
    shell.run(f"{LINE} --preview")
    assert person.asked == []


@pytest.fixture
def on_binder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing lasts on Binder, wherever the tests keep their files."""
    monkeypatch.setenv("BINDER_REPO_URL", "https://example.com")


@pytest.mark.usefixtures("on_binder")
@pytest.mark.parametrize(
    "cell",
    [
        f"{LINE} --preview",
        LINE,
        "%%linq_voicememo --plan\nchat,audio\nAda Lovelace,hello.wav",
        "%%linq_voicememo\nchat,audio\nAda Lovelace,hello.wav",
        "%linq_doctor",
        "outbox.summary()",
    ],
)
def test_a_journal_that_does_not_last_is_named_wherever_a_live_send_is_shown(
    shell: Any, live: Demo, person: Person, cell: str
) -> None:
    shown = str(shell.run(cell)) + shell.said
    assert "does not last" in shown
    assert all("Warning: the journal is " in question for question in person.asked)


def test_the_demo_has_no_note(shell: Any, demo: Demo) -> None:
    assert "does not last" not in str(shell.run(f"{LINE} --preview")) + shell.said
