"""Code that the form hands out: pasted into a cell it does the same, whatever the names hold."""

from __future__ import annotations

import dataclasses
import io
import wave
from pathlib import Path

import pytest
from form_page import give, label, rows_of, say, upload
from IPython.core.interactiveshell import InteractiveShell

import linq_nb
from linq_nb import LinqError, SendForm
from linq_nb.forms import cell_code
from linq_nb.forms.cell_code import Chosen, Names

NAMES = ("Ada Lovelace", "Book Club")


@pytest.fixture
def book(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """A notebook with audio of several names beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    (tmp_path / "hello.wav").write_bytes(silence())
    return shell


def silence() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setparams((1, 2, 8_000, 0, "NONE", ""))
        writer.writeframes(bytes(16_000))
    return out.getvalue()


def filled(shell: InteractiveShell, source: str, *names: str) -> SendForm:
    """Return the notebook's ``form`` with these chats and this audio; without a source, an upload."""
    form = SendForm(shell.user_ns["outbox"])
    shell.user_ns["form"] = form
    say(form, {"kind": "ready"})
    form.chosen = [row["id"] for row in rows_of(form) if row["name"] in names]
    if source:
        give(form, source)
    else:
        upload(form, silence())
    return form


def run(shell: InteractiveShell, code: str) -> None:
    done = shell.run_cell(code)
    assert done.success, done.error_in_exec or done.error_before_exec


@pytest.mark.parametrize("how", ["magic", "python"])
@pytest.mark.parametrize(
    "source",
    ["hello.wav", "with space.wav", "we{i}rd $name.wav", 'it\'s "quoted".wav', "", "https://example.com/a.m4a?b=1"],
)
def test_pasted_code_sends_the_same_memos_as_the_form(book: InteractiveShell, source: str, how: str) -> None:
    if source and "://" not in source:
        Path(source).write_bytes(silence())
    form, demo = filled(book, source, *NAMES), book.user_ns["outbox"].demo
    assert form.error is None
    run(book, form.as_code(how))
    assert [demo.bubbles(demo.chat_ids[name]) for name in NAMES] == [1, 1]
    form.copy = 2
    run(book, form.as_code(how))
    form.copy = 1
    assert label(form).startswith("Already sent")
    assert [demo.bubbles(demo.chat_ids[name]) for name in NAMES] == [2, 2]


def test_the_magic_is_as_short_as_a_person_would_type_it(book: InteractiveShell) -> None:
    form = filled(book, "hello.wav", *NAMES)
    assert form.as_code("magic") == '%linq_voicememo hello.wav --chat "Ada Lovelace" --chat "Book Club"'


def test_python_names_the_chats_beside_their_ids(book: InteractiveShell) -> None:
    form = filled(book, "hello.wav", "Book Club")
    chat_id = book.user_ns["outbox"].demo.chat_ids["Book Club"]
    assert form.as_code("python").splitlines() == [
        "import linq_nb", "", "memo = linq_nb.VoiceMemo.from_file('hello.wav')",
        f"outbox.send(memo, '{chat_id}')  # Book Club",
    ]  # fmt: skip


def test_an_outbox_of_another_name_is_named(book: InteractiveShell) -> None:
    book.user_ns["mine"] = book.user_ns.pop("outbox")
    book.user_ns["outbox"] = mine = book.user_ns["mine"]
    form = filled(book, "hello.wav", "Book Club")
    del book.user_ns["outbox"]
    assert form.as_code("magic").endswith("--via mine")
    assert "mine.send(memo, " in form.as_code("python")
    assert form.outbox is mine


def test_without_a_notebook_python_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    form = SendForm(linq_nb.connect(demo=True, fresh=True))
    say(form, {"kind": "ready"})
    form.chosen = [rows_of(form)[0]["id"]]
    give(form, "https://example.com/a.m4a")
    assert "outbox = linq_nb.connect(demo=True)" in form.as_code("python")
    form.close()


def test_a_form_that_is_only_shown_is_found_by_its_output(book: InteractiveShell) -> None:
    form = filled(book, "", "Book Club")
    book.user_ns["_7"] = book.user_ns.pop("form")
    assert form.as_code("magic") == '%linq_voicememo {_7.memo} --chat "Book Club"'


@pytest.mark.parametrize("name", ['a"b', "{1/0}", "$x", "a\\b", "-x", "two\nlines", "+12025550199", "Ada Lovelace"])
def test_a_name_that_means_something_else_gives_way_to_the_id(book: InteractiveShell, name: str) -> None:
    form = filled(book, "hello.wav", "Grace Hopper")
    assert form.memo is not None
    chat, ada = dataclasses.replace(form.chats[0], chat_name=name), book.user_ns["outbox"].find_chat("Ada Lovelace")
    chosen, names = Chosen(form.memo, "hello.wav", False, [chat], 1), Names("form", "outbox", "linq_nb.connect()")
    line = cell_code.magic(chosen, names, [ada, chat])
    assert line.endswith('--chat "-x"' if name == "-x" else f"--chat {chat.chat_id}")
    code = cell_code.python(chosen, names)
    assert len(code.splitlines()) == 4
    compile(code, "cell", "exec")


def test_without_a_choice_there_is_nothing_to_copy(book: InteractiveShell) -> None:
    form = filled(book, "hello.wav")
    with pytest.raises(LinqError, match="no chat or no audio is chosen yet; nothing was copied; choose both first"):
        form.as_code("magic")
