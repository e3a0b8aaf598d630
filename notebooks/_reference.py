"""The tables of the manual that are made from the code when it is built.

A line ``% made: statuses`` in a page is replaced by the text of the function ``statuses`` here.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import json
import re
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import linq_nb
from linq_nb import frames, preflight
from linq_nb.catalog import CODES, Code
from linq_nb.demo.people import PEOPLE, Person
from linq_nb.errors import LinqError
from linq_nb.magics.commands import LinqMagics
from linq_nb.magics.commands_spec import BATCH, COMMANDS
from linq_nb.magics.options import Command
from linq_nb.model import Chat, Column, Event, Finding, Send, VoiceMemo, frame_columns
from linq_nb.status import NO_RECEIPT_SERVICE, STATUSES, Status

FOLDER = Path(__file__).parent
PYPROJECT = FOLDER.parent / "pyproject.toml"
MARK = re.compile(r"^% made: (\w+)$", re.MULTILINE)


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", lambda app, page, source: source.__setitem__(0, filled(source[0])))
    return {"parallel_read_safe": True}


def filled(text: str) -> str:
    """Return a page with its tables."""
    return MARK.sub(lambda mark: MADE[mark.group(1)](), text)


# --- sends and frames -------------------------------------------------------------------------------------------


def statuses() -> str:
    """Every status of a send."""
    rows = [
        (f"`{status.word}`", "linq_nb" if status.is_ours else "Linq", status.meaning, _next(status))
        for status in STATUSES.values()
    ]
    return _table(("status", "word of", "meaning", "what follows"), rows)


def _next(status: Status) -> str:
    if status.may_run_again:
        return "nothing by itself; you may run the same send again"
    if status.word == "failed":
        return "as a rule nothing; it may still be delivered"
    if status.word == "unknown":
        return "`outbox.reconcile()` reads the chat"
    return "nothing more" if status.is_final else "a later status"


def columns() -> str:
    """A section for each kind of frame."""
    kinds = {"sends": "to_frame(outbox.sends())", "events": "to_frame(outbox.history())",
             "chats": "to_frame(outbox.chats())", "messages": "to_frame(outbox.messages(), kind=\"messages\")",
             "handles": "to_frame(outbox.chat(name).handles)", "lines": "to_frame(outbox.lines())",
             "findings": "to_frame(outbox.check(memo, chat))",
             "reputations": "to_frame(outbox.reputation(line))"}  # fmt: skip
    return "\n\n".join(_kind(kind, record, kinds.get(kind, "")) for kind, record in frames._RECORDS.items())


def _kind(kind: str, record: type, call: str) -> str:
    rows = [
        (f"`{column.name}`", column.meaning, column.unit, f"`{column.dtype}`", _origin(record, column))
        for column in frame_columns(record).values()
    ]
    made_by = f"Made by `{call}`.\n\n" if call else ""
    return f"## {kind.capitalize()}\n\n{made_by}" + _table(("column", "meaning", "unit", "dtype", "where from"), rows)


def _origin(record: type, column: Column) -> str:
    """Say where the value of a column comes from."""
    if not column.is_stored:
        return "computed by linq_nb"
    if record is Finding:
        return "linq_nb's checks"
    if record is not Send:
        return "linq_nb" if record is Event and column.name in ("send_id", "at", "source") else "Linq"
    if column.name in ("send_id", "created_at", "posted_at", "attempts", "checked_at", "memo_source"):
        return "linq_nb"
    if column.name in ("status", "error_message"):
        return "Linq, or linq_nb where Linq has no word"
    if column.name in ("chat_id", "from_handle", "to_handles"):
        return "Linq's description of the chat"
    if column.name in frame_columns(Event) or column.name == "attachment_id":
        return "Linq"
    if column.name in frame_columns(Chat):
        return "Linq's description of the chat"
    return "the audio file" if hasattr(VoiceMemo, column.name) else "Linq"


def error_codes() -> str:
    """Every documented error code."""
    rows = [
        (entry.http_status or "webhook", _searchable(entry), entry.meaning, _AGAIN[entry.again], entry.todo)
        for entry in sorted(CODES, key=lambda entry: (entry.code or 0, entry.http_status or 0))
    ]
    return _table(("HTTP status", "code", "meaning", "run it again?", "what to do"), rows)


def _searchable(entry: Code) -> str:
    """Return a code as an entry of the index: the search of the manual finds no bare number in a text."""
    return f"{{index}}`{entry.code} <{f'{entry.http_status}/' if entry.http_status else ''}{entry.code}>`"


_AGAIN = {
    "no": "no, it does not help",
    "wait": "yes, after a while; nothing was sent",
    "risk": "only after `reconcile`: the memo may have been sent",
    "later": "as a new copy, once the cause is gone",
}


def exceptions() -> str:
    """The tree of exceptions."""

    def below(kind: type, depth: int) -> Iterable[str]:
        text = inspect.getdoc(kind) or ""
        yield f"{'  ' * depth}- `{kind.__name__}`: {text.splitlines()[0]}"
        for child in sorted(kind.__subclasses__(), key=lambda child: child.__name__):
            yield from (
                below(child, depth + (not child.__name__.startswith("_")))
                if child.__module__ == "linq_nb.errors"
                else ()
            )

    return "\n".join(line for line in below(LinqError, 0) if "`_" not in line)


def findings() -> str:
    """Every finding of a check, read from the source of the rules."""
    rows: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for rule in (node for node in ast.parse(inspect.getsource(preflight)).body if isinstance(node, ast.FunctionDef)):
        texts = {
            node.targets[0].id: node.value
            for node in ast.walk(rule)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for call in (node for node in ast.walk(rule) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            level = call.func.id.removeprefix("_")
            if level in ("error", "warning", "info") and len(call.args) == 2 and isinstance(call.args[0], ast.Constant):
                code = call.args[0].value
                accept = "yes" if code in preflight.ACCEPTABLE else "no"
                message = re.sub("…+", "…", _message(call.args[1], texts))
                text = _plain(_MESSAGES_MADE_ELSEWHERE[code] if message == "…" else message)
                rows[code, level] = (f"`{code}`", level, text, accept if level == "error" else "")
    return _table(
        ("code", "level", "what it says", "can `accept=` send despite it?"), [rows[key] for key in sorted(rows)]
    )


_MESSAGES_MADE_ELSEWHERE = {"players_differ": "players may play another length than the card shows: …"}
"""The messages of findings whose text is made outside of the rules."""


def _message(node: ast.expr, texts: dict[str, ast.expr]) -> str:
    """Return a message as it is written, with … for what is filled in; ``texts`` are the variables of its rule."""
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.JoinedStr(parts):
            return "".join(_message(part, texts) for part in parts)
        case ast.FormattedValue(value) if isinstance(value, ast.Name):
            return _message(value, texts)
        case ast.BinOp(left, ast.Add(), right):
            return _message(left, texts) + _message(right, texts)
        case ast.Name(name) if name in texts:
            return _message(texts[name], texts)
    return "…"


# --- commands ---------------------------------------------------------------------------------------------------


def magics() -> str:
    """The table of the magics, and a section for each."""
    head = _table(
        ("magic", "what it does"),
        [(f"[%{name}](#{_slug(name)})", _about(command)) for name, command in COMMANDS.items()],
    )
    parts = [_magic(f"%{name}", command) for name, command in COMMANDS.items()]
    parts.insert(2, _magic("%%linq_voicememo, and --from", BATCH))
    return "\n\n".join([head, *parts, "## Settings of the magics", _traits()])


def _about(command: Command) -> str:
    return command.help.splitlines()[0].split(": ", 1)[1]


def _slug(name: str) -> str:
    return name.replace(" ", "-").lower()


def _magic(title: str, command: Command) -> str:
    """A section from the help of a magic: its sentence, options, examples and notes."""
    first, *blocks = command.help.split("\n\n")
    parts = [f"## {title}", first.split(": ", 1)[1]]
    for block in blocks:
        if block.startswith("  %"):
            parts.append("```ipython\n" + inspect.cleandoc(block) + "\n```")
        elif block.startswith("  "):
            rows = [(f"`{name}`", about) for name, about in re.findall(r"^  (.+?)  +(.+)$", block, re.MULTILINE)]
            parts.append(_table(("", ""), rows))
        elif block.startswith("Examples:"):
            parts.append("```ipython\n" + inspect.cleandoc(block.split("\n", 1)[1]) + "\n```")
        else:
            parts.append(_plain(block))
    return "\n\n".join(parts)


def _traits() -> str:
    settings = LinqMagics.class_own_traits(config=True).items()
    rows = [(f"`%config LinqMagics.{name} = {trait.default_value!r}`", trait.help) for name, trait in settings]
    return _table(("setting and default", "meaning"), rows)


def commands() -> str:
    """The help of the commands that run in a terminal."""
    return "\n\n".join(
        f"## python -m {name}\n\n```text\n{command_help(name)}```" for name in ("linq_nb.demo", "linq_nb.webhooks")
    )


def command_help(module: str) -> str:
    """Return what ``python -m MODULE --help`` prints."""
    printed = io.StringIO()
    with (
        patch.object(sys, "argv", ["", "--help"]),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        runpy.run_module(module, run_name="__main__")
    return printed.getvalue()


# --- API, extras, demo, hosts -----------------------------------------------------------------------------------


_SECTIONS = {
    "Connect and send": ("connect", "Outbox", "VoiceMemo", "Draft", "Plan", "PlanRow", "BadDraft",
                         "linq_nb.outbox.batch.Batch"),
    "Tables": ("to_frame", "errors_frame", "read_parquet", "to_e164", "linq_nb.accessor.LinqAccessor",
               "linq_nb.accessor.LinqPlots"),
    "Reports, charts and audits": ("reports", "plots", "audit", "linq_nb.auditing.report.Audit"),
    "Widgets": ("SendForm", "StatusBoard", "Explorer", "Recorder"),
    "Records": ("Send", "Event", "Chat", "Handle", "Line", "Message", "Finding", "Reputation",
                "linq_nb.model.ReputationDriver", "linq_nb.model.ReputationStep", "linq_nb.model.ReputationChat"),
    "The demo": ("linq_nb.demo.sample", "linq_nb.demo.Demo"),
}  # fmt: skip


def api() -> str:
    """A section for each group of public names, from their docstrings; new names stand at the end."""
    listed = {name.removeprefix("linq_nb.").split(".")[0] for names in _SECTIONS.values() for name in names}
    public = [name for name in linq_nb.__all__ if not name.endswith("_ipython_extension")]
    errors = tuple(name for name in public if _is_error(name))
    others = tuple(name for name in public if name not in listed and name not in errors)
    sections = _SECTIONS | {"Errors": errors} | ({"More": others} if others else {})
    return "\n\n".join(f"## {title}\n\n```{{eval-rst}}\n{_entries(names)}\n```" for title, names in sections.items())


def _is_error(name: str) -> bool:
    value = getattr(linq_nb, name)
    return isinstance(value, type) and issubclass(value, Exception)


def _entries(names: Iterable[str]) -> str:
    return "\n\n".join(_entry(name if name.startswith("linq_nb.") else f"linq_nb.{name}") for name in names)


def _entry(path: str) -> str:
    module, name = path.rsplit(".", 1)
    value = getattr(sys.modules.get(module) or __import__(module, fromlist=["_"]), name)
    if inspect.ismodule(value):
        functions = [
            name for name, item in vars(value).items() if inspect.isfunction(item) and item.__module__ == value.__name__
        ]
        return "\n\n".join(f".. autofunction:: {path}.{name}" for name in functions if not name.startswith("_"))
    if not isinstance(value, type):
        return f".. autofunction:: {path}"
    if issubclass(value, Exception):
        return f".. autoexception:: {path}"
    return f".. autoclass:: {path}\n   :members:\n   :exclude-members: __init__\n\n{_fields(value)}"


def _fields(kind: type) -> str:
    """Describe the fields of a record, with the meaning of those that are columns."""
    parts = []
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        column = field.metadata.get("column", Column())
        meaning = f"{column.meaning}{f' ({column.unit})' if column.unit else ''}"
        parts.append(f"   .. py:attribute:: {field.name}\n      :type: {field.type}\n\n      {meaning}\n")
    return "\n".join(parts)


def extras() -> str:
    """The optional parts, with the packages that each installs and why."""
    text = PYPROJECT.read_text("utf-8")
    rows = []
    for name in tomllib.loads(text)["project"]["optional-dependencies"]:
        block = re.search(rf"^{name} = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
        lines = re.findall(
            r'^  "([\w\-.]+(?:\[[\w,]+\])?)[^"]*",?\s*(?:# (.*))?$', block.group(1) if block else "", re.MULTILINE
        )
        rows.append(
            (
                f"`linq_nb[{name}]`",
                "; ".join(f"{package}{f': {reason}' if reason else ''}" for package, reason in lines),
            )
        )
    return _table(("extra", "what it installs, and what for"), [row for row in rows if "[dev]" not in row[0]])


def demo_chats() -> str:
    """The chats of the demo and how each behaves."""
    return _table(("chat", "service", "what happens there"), [(p.name, p.service, _behaviour(p)) for p in PEOPLE])


def _behaviour(person: Person) -> str:
    facts = {
        "a group: no delivery or read receipts": len(person.handles) > 1,
        _SCRIPTS.get(person.script, person.script.replace("_", " ")): person.script != "plain",
        f"Linq rates the chat {person.health}": person.health != "HEALTHY",
        f"sent by {person.carrier} in the end": bool(person.carrier),
        "opted out: `outbox.check` refuses": person.opted_out,
        "your line left this group": person.left,
        "Linq keeps none of its messages": person.zero_retention,
        "opted out on another line: 403/2024": person.name == "Kim Second Line",
        "on your own block list: 403/2026": person.name == "Lee Blocked",
        "delivered, then read": person.reads,
        "sent: SMS gives no receipts": person.service == NO_RECEIPT_SERVICE,
    }
    return "; ".join(fact for fact, holds in facts.items() if holds) or "delivered"


_SCRIPTS = {
    "just_created": "409/2009 at first, then accepted",
    "rate_limited": "429 with a short Retry-After, then accepted",
    "daily_cap": "429 with a Retry-After of hours",
    "slow": "the answer takes long",
    "lost_answer": "accepted, but the answer is lost",
    "server_error": "500/3006, and the memo arrives all the same",
    "server_down": "500/3006, and the memo does not arrive",
    "fails_then_delivers": "failed, and delivered some minutes later",
    "fails": "failed",
    "line_paused": "403/2027: the line may not send now",
}


def hosts() -> str:
    """The table of hosts, with what a test did in each, from the results of the tests."""
    hosts: dict[str, dict[str, str]] = json.loads((FOLDER / "hosts.json").read_text("utf-8"))
    words = list(dict.fromkeys(["works", *(result for results in hosts.values() for result in results.values())]))
    rows = [
        (host, *(", ".join(feature for feature, result in results.items() if result == word) for word in words))
        for host, results in hosts.items()
    ]
    return _table(("host", *words), rows)


# --- helpers ----------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Write text so that Markdown leaves it as it is, also in what it marks as code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_{}<>$])", r"\\\1", part) for part in parts)


MADE: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        statuses,
        columns,
        error_codes,
        exceptions,
        findings,
        magics,
        commands,
        api,
        extras,
        demo_chats,
        hosts,
    )
}
