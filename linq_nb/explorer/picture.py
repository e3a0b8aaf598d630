"""The static record: tiles, the chart as one SVG image with its text, and the first page, without a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linq_nb.status import Colour, status_of
from linq_nb.views.page import COLOURS, FRAME, QUIET, Shown, data_url, div, esc, quiet
from linq_nb.views.phrases import more

WIDTH, HEIGHT, GROUND, WIDEST = 640, 120, 100, 40
ROWS = 10
SHOWN = ("chat_name", "status", "meaning", "filename", "created_at")
SHADES = (1.0, 0.62, 0.4)
"""Statuses of one colour differ by their shade; each also has its name and count below the chart."""


def record(view: Mapping[str, Any], heading: str) -> Shown:
    """Return what a view shows as a display that needs no kernel."""
    tiles = "".join(
        f'<div style="display:inline-block;margin:0 18px 6px 0"><b style="font-size:17px">{esc(value)}</b><br>'
        f"{quiet(name)}</div>" for name, value in view["tiles"]
    )  # fmt: skip
    words = chart_words(view)
    chart = f"{image(view, words)}<div>{legend(view)}</div>" if view["bars"] else ""
    html = div(FRAME, f"<div><b>{esc(heading)}</b></div>{tiles}{chart}", _table(view))
    counts = ", ".join(f"{value} {name}" for name, value in view["tiles"])
    return Shown(html, "\n".join([heading, counts, *([words] if words else []), *_lines(view)]))


def chart_words(view: Mapping[str, Any]) -> str:
    """Say what the chart shows."""
    if not view["bars"]:
        return ""
    totals = [sum(bar["counts"].values()) for bar in view["bars"]]
    top = max(range(len(totals)), key=totals.__getitem__)
    first, last, busiest = (view["bars"][at]["label"] for at in (0, -1, top))
    return f"sends by {view['unit']} from {first} to {last} (UTC), at most {totals[top]:,} ({busiest})"


def legend(view: Mapping[str, Any]) -> str:
    """Return the statuses of the chart with their shades and counts, as HTML."""
    counts = {entry["word"]: sum(bar["counts"].get(entry["word"], 0) for bar in view["bars"])
              for entry in view["statuses"]}  # fmt: skip
    shades = _shades(view)
    square = "display:inline-block;width:10px;height:10px;margin:0 5px 0 0;border-radius:2px"
    return "".join(
        f'<span style="display:inline-block;margin:0 14px 0 0"><span style="{square};'
        f'background:{shades[entry["word"]][0]};opacity:{shades[entry["word"]][1]}"></span>'
        f"{esc(entry['label'])} {counts[entry['word']]:,}</span>" for entry in view["statuses"]
    )  # fmt: skip


def image(view: Mapping[str, Any], words: str) -> str:
    """Return the chart as an ``img``: stacked bars on no ground of their own, so that it reads on any page."""
    tallest = max(sum(bar["counts"].values()) for bar in view["bars"])
    step, shades, parts = min(WIDTH / len(view["bars"]), WIDEST), _shades(view), []
    for place, bar in enumerate(view["bars"]):
        top = float(GROUND)
        for entry in view["statuses"]:
            height = bar["counts"].get(entry["word"], 0) / tallest * (GROUND - 6)
            if height:
                top -= height
                colour, opacity = shades[entry["word"]]
                width = max(step - (1 if step > 4 else 0), 0.5)
                parts.append(f'<rect x="{place * step:.1f}" y="{top:.2f}" width="{width:.1f}" height="{height:.2f}" '
                             f'fill="{colour}" opacity="{opacity}"/>')  # fmt: skip
    texts = [(0, "start", view["bars"][0]["label"]), (WIDTH, "end", view["bars"][-1]["label"])]
    labels = "".join(
        f'<text x="{x}" y="{HEIGHT - 5}" text-anchor="{anchor}" font-size="11" fill="#808080" '
        f'font-family="sans-serif">{esc(text)}</text>' for x, anchor, text in texts
    )  # fmt: skip
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'{"".join(parts)}<path stroke="#808080" d="M0 {GROUND}.5H{WIDTH}"/>{labels}</svg>'
    )
    style = "display:block;max-width:100%;height:auto;margin:6px 0"
    return f'<img src="{data_url("image/svg+xml", svg.encode())}" alt="{esc(words)}" width="{WIDTH}" style="{style}">'


def _shades(view: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    seen: dict[Colour, int] = {}
    shades = {}
    for entry in view["statuses"]:
        number = seen[entry["colour"]] = seen.get(entry["colour"], -1) + 1
        shades[entry["word"]] = (COLOURS[entry["colour"]], SHADES[number % len(SHADES)])
    return shades


def _first_rows(view: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return names and cells of the first rows; only the columns of ``SHOWN``, so that a narrow page has room."""
    names = [column["name"] for column in view["columns"]]
    places = [names.index(name) for name in SHOWN if name in names] or list(range(min(len(names), len(SHOWN))))
    return [names[at] for at in places], [[row["cells"][at] for at in places] for row in view["rows"][:ROWS]]


def _table(view: Mapping[str, Any]) -> str:
    names, rows = _first_rows(view)
    if not rows:
        return f"<div>{quiet('no send is chosen')}</div>"
    style = (
        "text-align:left;vertical-align:top;border:none;padding:2px 10px 2px 0;background:none;overflow-wrap:anywhere"
    )
    head = "".join(f'<th style="{style};{QUIET}">{esc(name)}</th>' for name in names)
    lines = [head, *("".join(_td(style, *cell) for cell in zip(names, row, strict=True)) for row in rows)]
    body = "".join(f'<tr style="background:none">{line}</tr>' for line in lines)
    tail = "".join(f"<div>{quiet(text)}</div>" for text in more(view["total"], len(rows)))
    return f'<table style="border-collapse:collapse;border:none;margin:6px 0"><tbody>{body}</tbody></table>{tail}'


def _td(style: str, name: str, text: str) -> str:
    colour = COLOURS[status_of(text).colour] if name == "status" else ""
    dot = f'<span style="display:inline-block;width:8px;height:8px;border-radius:4px;background:{colour}"></span> '
    return f'<td style="{style}">{dot if colour else ""}{esc(text)}</td>'


def _lines(view: Mapping[str, Any]) -> list[str]:
    """Return the first rows as aligned lines of text."""
    names, rows = _first_rows(view)
    widths = [min(max(map(len, column)), 30) for column in zip(names, *rows, strict=True)]
    aligned = [
        "  ".join(text[:30].ljust(width) for text, width in zip(row, widths, strict=True)) for row in (names, *rows)
    ]
    return [line.rstrip() for line in aligned] + more(view["total"], len(rows))
