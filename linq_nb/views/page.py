"""The few pieces of HTML that every view is made of; JupyterLab's sanitizer keeps them.

It strips inline SVG, style and script tags, ids, aria and data attributes, CSS variables and the ``src`` of
``source``; it keeps classes, inline styles, tables, images and players with a data URL.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linq_nb.status import Colour, status_of
from linq_nb.text import clean
from linq_nb.views import players

Row = tuple[str, str]

FONT = "font-family:-apple-system,BlinkMacSystemFont,Segoe UI,Helvetica,Arial,sans-serif"
BOX = f"{FONT};font-size:13px;line-height:1.5;max-width:100%;overflow-wrap:break-word"
FRAME = f"{BOX};border:1px solid rgba(128,128,128,0.35);border-radius:14px;padding:12px 14px"
QUIET = "opacity:0.75"

CLASSES = "linq-nb tex2jax_ignore mathjax_ignore"
"""The first lets a page restyle us; the others keep MathJax from setting a chat called ``$x$`` as a formula."""

_TABLE = "table-layout:fixed;width:100%;border-collapse:collapse;border:none;margin:0;font-size:13px"

GREEN, AMBER, RED, GREY, BLUE = "#1a7f37", "#9a6700", "#c62828", "#5f6368", "#0070e0"
"""Grounds for white text, each with a contrast of at least 4.5:1."""

COLOURS: Mapping[Colour, str] = {"green": GREEN, "amber": AMBER, "red": RED, "grey": GREY, "blue": BLUE}


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A ready display: the same facts as HTML and as plain text.

    ``script`` improves the HTML in the output of a cell, where scripts may run; elsewhere it is not there.
    """

    html: str
    text: str
    script: str = ""

    @property
    def bundle(self) -> dict[str, str]:
        """The display with every player, for an output that is rewritten in place."""
        return {"text/html": self.html + self.script, "text/plain": self.text}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        html = players.limited(self.html)
        script = self.script if "<audio " in html else ""
        return {"text/html": html + script, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def esc(text: str) -> str:
    """Escape text for any place in HTML, attributes too."""
    return html.escape(text, quote=True)


def data_url(mime_type: str, data: bytes) -> str:
    """Return bytes as a URL that needs no file and no server."""
    return f"data:{mime_type};base64,{base64.b64encode(data).decode('ascii')}"


def div(style: str, *parts: str) -> str:
    """Wrap parts that are HTML already."""
    return f'<div class="{CLASSES}" style="{style}">{"".join(parts)}</div>'


def quiet(text: str) -> str:
    """Return secondary text in the page's own colour, a little fainter."""
    return f'<span style="{QUIET}">{esc(text)}</span>'


def name(text: str) -> str:
    """Return a name in bold, kept apart from text of the other writing direction."""
    return f"<b><bdi>{esc(text)}</bdi></b>"


def pill(text: str, colour: Colour, title: str = "") -> str:
    """Return a word on a coloured ground, as a tag; ``title`` explains it on hover."""
    style = (
        "display:inline-block;max-width:100%;box-sizing:border-box;"
        f"background:{COLOURS[colour]};color:#ffffff;border-radius:9px;margin:0 3px 0 0;"
        "padding:0 8px;font-size:11px;font-weight:600;line-height:18px;letter-spacing:0.3px"
    )
    hover = f' title="{esc(title)}"' if title else ""
    return f'<span style="{style}"{hover}>{esc(text)}</span>'


def mode_pill(mode: str) -> str:
    """Return DEMO or LIVE as a tag; LIVE is red."""
    return pill(mode, "red" if mode == "LIVE" else "grey")


def status_pill(word: str) -> str:
    """Return a status as a tag, with its meaning on hover."""
    return pill(clean(word, 40), status_of(word).colour, status_of(word).meaning)


def folded(text: str, html: str) -> str:
    """Return HTML that is folded away below a line of text, which opens it."""
    return f'<details><summary style="cursor:pointer">{quiet(text)}</summary>{html}</details>'


def table(rows: Iterable[tuple[str, str]], first: str = "68px") -> str:
    """Return a two-column table of cells that are HTML already; long words break in the fixed layout.

    ``first`` is the width of the first column.
    """
    cell = "text-align:left;vertical-align:top;border:none;padding:2px 12px 2px 0;background:none"
    return _rows(f'<td style="{cell};width:{first}">{left}</td><td style="{cell}">{right}</td>' for left, right in rows)


def tagged(rows: Iterable[tuple[str, str]], first: str) -> str:
    """Return tags and what is said of each, HTML already, as a table: side by side, on a phone one below the other.

    ``first`` is the width of the tags.
    """
    cell = "text-align:left;border:none;padding:2px 0;background:none"
    return _rows(
        f'<td style="{cell}"><div style="display:flex;flex-wrap:wrap"><div style="width:{first}">{left}</div>'
        f' <div style="flex:1 1 150px;min-width:0">{right}</div></div></td>'
        for left, right in rows
    )


def _rows(rows: Iterable[str]) -> str:
    body = "".join(f'<tr style="background:none">{cells}</tr>' for cells in rows)
    return f'<table style="{_TABLE}"><tbody>{body}</tbody></table>'


def fact_table(rows: Sequence[Row]) -> str:
    """Return labels and plain texts as a table; a column of longer labels is wider, so that none breaks."""
    longest = max((len(label) for label, _ in rows), default=0)
    width = min(max(68, 8 * longest + 14), 150)
    return table(((quiet(label), esc(value)) for label, value in rows), first=f"{width}px")


def columns(rows: Sequence[Row]) -> str:
    """Return labels and plain texts as aligned lines."""
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"{label.ljust(width)}  {value}".rstrip() for label, value in rows)


def summary(title: str, rows: Sequence[Row]) -> Shown:
    """Show a title and a small two-column table."""
    head, cells = clean(title), [(clean(label), clean(value, 600)) for label, value in rows]
    return Shown(
        html=div(BOX, f"<b>{esc(head)}</b>", fact_table(cells)),
        text="\n".join(part for part in (head, columns(cells)) if part),
    )
