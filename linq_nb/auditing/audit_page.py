"""An audit on one page: as HTML in a notebook, as a file of its own, and as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from linq_nb.auditing import sentences
from linq_nb.status import Colour
from linq_nb.views.page import BOX, div, esc, pill, quiet

if TYPE_CHECKING:
    import pandas as pd

    from linq_nb.auditing.audit_tables import AuditTables

MOST_ROWS = 10
"""Rows of a table on the page; it says how many are left out, ``frames`` and the Excel file have them all."""

SHORT = len("28 Feb 05:02")
"""A cell of so many characters is not broken into lines."""

WIDE = "min-width:14em;overflow-wrap:anywhere"
"""A longer one is at least so wide: a narrow page scrolls instead of breaking it into many lines.

A word that is longer still breaks.
"""

_STYLE = """
:root{color-scheme:light dark}
body{margin:0 auto;max-width:190mm;padding:16px;background:#ffffff;color:#1f2328}
@media (prefers-color-scheme:dark){body{background:#111418;color:#e6e6e6}}
@page{size:A4;margin:14mm}
@media print{:root{color-scheme:light;print-color-adjust:exact}
 body{padding:0;max-width:none;background:#ffffff;color:#000000}
 section,tr{break-inside:avoid}h2{break-after:avoid}.linq-nb div{overflow:visible!important}
 .linq-nb table{font-size:10px!important}}
"""


class Section(NamedTuple):
    """A table of the page: its title, what is said when it is empty, and its columns with their titles."""

    name: str
    title: str
    empty: str
    columns: dict[str, str]


_SECTIONS = (
    Section("next", "What to do next", "Nothing to do.",
            {"step": "", "what_to_do": "What to do", "why": "Why", "sends": "Sends"}),
    Section("problems", "What went wrong", "Nothing went wrong.",
            {"status": "Status", "error_code": "Code", "meaning": "Meaning", "line": "Line", "reputation": "Rating",
             "sends": "Sends", "chats": "Chats", "since": "Since", "last_at": "Last"}),
    Section("chats", "Which chats", "No chat has a failure.",
            {"chat_name": "Chat", "sends": "Sends", "failed": "Failed", "refused": "Refused", "unclear": "Unclear",
             "meaning": "Most often", "since": "From"}),
    Section("latency", "How long a delivery takes", "No delivery was reported.",
            {"service": "Service", "is_group": "Group", "sends": "Delivered", "p50_s": "Half within",
             "p95_s": "95 % within"}),
    Section("open", "Still open", "Nothing is open.",
            {"chat_name": "Chat", "filename": "Memo", "status": "Status", "created_at": "Asked for"}),
    Section("duplicates", "The same memo more than once", "Nobody got a memo twice.",
            {"chat_name": "Chat", "filename": "Memo", "bubbles": "Accepted", "unclear": "Unclear", "first_at": "First",
             "last_at": "Last"}),
    Section("days", "Day by day", "No sends.",
            {"day": "Day", "sends": "Sends", "accepted": "Accepted", "delivered": "Delivered", "failed": "Failed",
             "refused": "Refused", "unclear": "Unclear"}),
)  # fmt: skip
_ALL_ROWS = ("next", "days")
_WHERE_KNOWN = ("reputation",)
"""Columns that are left out where they have no value at all."""

_TILES: Mapping[str, Colour] = {"sends": "grey", "accepted": "blue", "delivered": "green", "failed": "red",
                                "refused": "red", "unclear": "amber"}  # fmt: skip


def text(audit: AuditTables) -> str:
    """Return the page as plain text."""
    lines = [f"Audit of voice memos: {audit.period}", audit.headline, _counts(audit), _note(audit)]
    for section in _sections(audit):
        shown, left_out = _rows(audit, section)
        lines += ["", section.title if shown else f"{section.title}: {section.empty}"]
        if shown:
            table = [list(section.columns.values()), *shown]
            widths = [max(len(row[place]) for row in table) for place in range(len(section.columns))]
            lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                      for row in table]  # fmt: skip
        lines += [left_out] if left_out else []
    return "\n".join(lines)


def fragment(audit: AuditTables) -> str:
    """Return the page as HTML for a notebook."""
    return div(BOX, *_blocks(audit))


def document(audit: AuditTables) -> str:
    """Return the page as an HTML file that needs no other."""
    title = esc(f"Audit of voice memos: {audit.period}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{fragment(audit)}</main></body></html>\n"
    )


def _blocks(audit: AuditTables) -> Iterator[str]:
    summary = audit.frames["summary"].iloc[0]
    yield f"<div>{quiet(f'Audit of voice memos: {audit.period}')}</div>"
    yield f'<h1 style="font-size:20px;line-height:1.35;margin:4px 0 8px">{esc(audit.headline)}.</h1>'
    tiles = (pill(f"{int(summary[name]):,} {name}", colour) for name, colour in _TILES.items())
    yield f"<div>{' '.join(tiles)}</div>"
    yield f'<div style="margin:4px 0">{quiet(_note(audit))}</div>'
    for section in _sections(audit):
        shown, left_out = _rows(audit, section)
        body = (
            _table(section.title, list(section.columns.values()), shown)
            if shown
            else f"<div>{quiet(section.empty)}</div>"
        )
        more = f"<div>{quiet(left_out)}</div>" if left_out else ""
        yield f'<section><h2 style="font-size:15px;margin:16px 0 4px">{esc(section.title)}</h2>{body}{more}</section>'


def _table(name: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cell = "text-align:left;vertical-align:top;border:none;border-bottom:1px solid rgba(128,128,128,0.3)"
    cell += ";padding:3px 10px 3px 0;background:none"
    head = "".join(f'<th scope="col" style="{cell};font-weight:600">{esc(title) or "&nbsp;"}</th>' for title in titles)
    body = ""
    for row in rows:
        styles = (f"{cell};{'white-space:nowrap' if len(value) <= SHORT else WIDE}" for value in row)
        cells = (f'<td style="{style}"><bdi>{esc(value)}</bdi></td>' for style, value in zip(styles, row, strict=True))
        body += f'<tr style="background:none">{"".join(cells)}</tr>'
    return (
        f'<div style="overflow-x:auto" role="region" tabindex="0" aria-label="{esc(name)}">'
        f'<table style="border-collapse:collapse;margin:0;font-size:12px">'
        f'<thead><tr style="background:none">{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _sections(audit: AuditTables) -> Iterator[Section]:
    """Return the tables of the page, without columns of which nothing is known."""
    for section in _SECTIONS:
        frame = audit.frames[section.name]
        empty = {name for name in _WHERE_KNOWN if name in section.columns and not frame[name].any()}
        yield section._replace(columns={name: title for name, title in section.columns.items() if name not in empty})


def _rows(audit: AuditTables, section: Section) -> tuple[list[list[str]], str]:
    """Return the rows of a table that are shown, as text, and how many are left out."""
    frame: pd.DataFrame = audit.frames[section.name]
    shown = frame if section.name in _ALL_ROWS else frame.head(MOST_ROWS)
    more = len(frame) - len(shown)
    rows = [[_cell(audit, name, row) for name in section.columns] for _, row in shown.iterrows()]
    return rows, f'and {more:,} more: .frames["{section.name}"]' if more else ""


def _cell(audit: AuditTables, name: str, row: pd.Series[Any]) -> str:
    import pandas as pd

    value = row[name]
    if name == "chat_name":  # one that is missing or not unique has the start of its id
        value = audit.chat_labels.get(row["chat_id"], value)
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return sentences.moment(value.to_pydatetime(), audit.tz)
    if name in ("p50_s", "p95_s"):
        return sentences.seconds(float(value))
    if name == "is_group":
        return "yes" if value else "no"
    return str(value) if isinstance(value, str) or name == "error_code" else f"{int(value):,}"


def _counts(audit: AuditTables) -> str:
    summary = audit.frames["summary"].iloc[0]
    return ", ".join(f"{int(summary[name]):,} {name}" for name in _TILES)


def _note(audit: AuditTables) -> str:
    """Say what the numbers of the headline are shares of."""
    summary = audit.frames["summary"].iloc[0]
    return (
        f"{sentences.counted(int(summary['sends']), 'send')} to {sentences.counted(int(summary['chats']), 'chat')}. "
        f"{int(summary['can_report']):,} of the accepted ones can report a delivery, {int(summary['reported']):,} did; "
        "groups and SMS cannot."
    )
