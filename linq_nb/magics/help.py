"""The help of a magic, as text and as HTML. It does not use the views, so it is quick to load."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from linq_nb.magics.options import HELP, Command

_CELL = "text-align:left;vertical-align:top;border:none;background:none"
_BOX = (
    "font-family:-apple-system,BlinkMacSystemFont,Segoe UI,Helvetica,Arial,sans-serif;font-size:13px;"
    "line-height:1.5;max-width:100%"
)
_CODE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;background:none"


class Help(NamedTuple):
    """The help of a magic, ready to display."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def help_of(command: Command, settings: Mapping[str, str]) -> Help:
    """Return the help of a magic with the present settings."""
    return Help(help_html(command, settings), help_text(command, settings))


def help_text(command: Command, settings: Mapping[str, str] | None = None) -> str:
    """Return the help as plain text."""
    rows = _rows(command)
    width = max(len(name) for name, _ in rows) + 2
    lines = [usage(command), "", command.about, "", *(f"  {name:<{width}}{about}" for name, about in rows)]
    if command.examples:
        lines += ["", "Examples:", *(f"  {example}" for example in command.examples)]
    if command.notes:
        lines += ["", *command.notes]
    if settings:
        lines += ["", "Settings (%config LinqMagics):", *(f"  {setting}" for setting in _settings(settings))]
    return "\n".join(lines)


def help_html(command: Command, settings: Mapping[str, str] | None = None) -> str:
    """Return the help as HTML."""
    rows = "".join(
        f'<tr style="background:none"><td style="{_CELL};padding:1px 16px 1px 0;white-space:nowrap">'
        f'{_code(name)}</td><td style="{_CELL};padding:1px 0">{_escape(about)}</td></tr>'
        for name, about in _rows(command)
    )
    parts = [
        f"<b>{_code('%' + command.name)}</b> {_escape(command.about)}",
        f'<table style="border:none;border-collapse:collapse;margin:6px 0"><tbody>{rows}</tbody></table>',
        _listed("Examples", command.examples),
        *(f"<div>{_escape(note)}</div>" for note in command.notes),
        _listed("Settings, by %config LinqMagics", _settings(settings or {})),
    ]
    return f'<div class="linq-nb" style="{_BOX}">{"".join(parts)}</div>'


def usage(command: Command) -> str:
    """Return the synopsis of a magic: ``%linq_errors [CODE] [--into NAME] ...``."""
    operand = command.operand or ""
    synopsis = [operand if command.operand_needed else f"[{operand}]"] if operand else []
    options = [f"[{option.usage}]{'...' if option.many else ''}" for option in command.options]
    return " ".join([f"%{command.name}", *synopsis, *options])


def _rows(command: Command) -> list[tuple[str, str]]:
    operand = [(command.operand, command.operand_about)] if command.operand else []
    return [*operand, *((option.usage, option.about) for option in (*command.options, HELP))]


def _settings(settings: Mapping[str, str]) -> list[str]:
    return [f"{name} = {value}" for name, value in settings.items()]


def _listed(title: str, lines: Iterable[str]) -> str:
    rows = "".join(f"<div>{_code(line)}</div>" for line in lines)
    return f'<div style="margin:6px 0 0"><b>{title}</b>{rows}</div>' if rows else ""


def _code(text: str) -> str:
    return f'<code style="{_CODE}">{_escape(text)}</code>'


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
