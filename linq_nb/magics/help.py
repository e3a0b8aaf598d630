"""The help of a magic, as text and as HTML. It does not use the views, so it is quick to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

from linq_nb.magics.options import HELP, Command

_CELL = "text-align:left;vertical-align:top;border:none;background:none"
_BOX = (
    "font-family:-apple-system,BlinkMacSystemFont,Segoe UI,Helvetica,Arial,sans-serif;font-size:13px;"
    "line-height:1.5;max-width:100%"
)
_CODE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;background:none"
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class Help:
    """The help of a magic with the present settings, ready to display."""

    def __init__(self, command: Command, settings: Mapping[str, str]) -> None:
        self._command, self._settings = command, settings

    def __repr__(self) -> str:
        return help_text(self._command, self._settings)

    def _repr_html_(self) -> str:
        return help_html(self._command, self._settings)


def help_text(command: Command, settings: Mapping[str, str] = _NO_SETTINGS) -> str:
    """Return the help as plain text."""
    rows = _rows(command)
    width = max(len(name) for name, _ in rows) + 2
    lines = [_synopsis(command), "", command.about, "", *(f"  {name:<{width}}{about}" for name, about in rows)]
    for title, items in _lists(command, settings):
        lines += ["", f"{title}:", *(f"  {item}" for item in items)]
    return "\n".join([*lines, "", *command.notes] if command.notes else lines)


def help_html(command: Command, settings: Mapping[str, str] = _NO_SETTINGS) -> str:
    """Return the help as HTML."""
    rows = "".join(
        f'<tr style="background:none"><td style="{_CELL};padding:1px 16px 1px 0;white-space:nowrap">'
        f'{_code(name)}</td><td style="{_CELL};padding:1px 0">{escape(about)}</td></tr>'
        for name, about in _rows(command)
    )
    parts = [
        f"<b>{_code('%' + command.name)}</b> {escape(command.about)}",
        f'<table style="border:none;border-collapse:collapse;margin:6px 0"><tbody>{rows}</tbody></table>',
    ]
    for title, items in _lists(command, settings):
        lines = "".join(f"<div>{_code(item)}</div>" for item in items)
        parts.append(f'<div style="margin:6px 0 0"><b>{title}</b>{lines}</div>')
    parts += [f"<div>{escape(note)}</div>" for note in command.notes]
    return f'<div class="linq-nb" style="{_BOX}">{"".join(parts)}</div>'


def _synopsis(command: Command) -> str:
    """Return the line that a magic takes: ``%linq_errors [CODE] [--into NAME] ...``."""
    operand = command.operand or ""
    words = [operand if command.operand_needed else f"[{operand}]"] if operand else []
    words += [f"[{option.usage}]{'...' if option.many else ''}" for option in command.options]
    return " ".join([f"%{command.name}", *words])


def _rows(command: Command) -> list[tuple[str, str]]:
    operand = [(command.operand, command.operand_about)] if command.operand else []
    return [*operand, *((option.usage, option.about) for option in (*command.options, HELP))]


def _lists(command: Command, settings: Mapping[str, str]) -> list[tuple[str, Sequence[str]]]:
    lists = [
        ("Examples", command.examples),
        ("Settings (%config LinqMagics)", [f"{name} = {value}" for name, value in settings.items()]),
    ]
    return [(title, items) for title, items in lists if items]


def _code(text: str) -> str:
    return f'<code style="{_CODE}">{escape(text)}</code>'
