"""Pictures of the outcomes of sends: ``timeline``, ``latency``, ``funnel``, ``errors`` (extra ``plots``).

    linq_nb.plots.latency(to_frame(outbox.sends()))
    linq_nb.plots.funnel(linq_nb.reports.funnel(frame))      # the same as frame.linq.plot.funnel()

Each draws into ``ax`` or a figure of its own and returns the Axes, as pandas does. A figure of its own has no
background, and its text is of a grey that reads on a light and on a dark page: it follows the notebook's theme. Every
line and bar has a mark or a hatch of its own beside its colour (those of Okabe and Ito, which colour-blind people tell
apart), so that it reads in print too, and a sentence below describes it; ``caption(ax)`` returns the sentence. All
raise SettingsError without matplotlib, or for a table without the columns.
"""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw

from linq_nb.errors import SettingsError
from linq_nb.reports.parts import select_columns
from linq_nb.reports.values import plain
from linq_nb.status import NO_RECEIPTS
from linq_nb.text import names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CHATS = 12
"""``errors`` shows at most so many chats, those with most errors."""

MOST_CODES = 6
MOST_LETTERS = 30
MOST_POINTS = 2_000
POINTS_A_LEGEND = 200
"""Width of a column of the legend of ``errors``, in points."""

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#A6761D")
_INK, _LIGHT_INK = "#767676", "#808080"
"""Greys of text, of a contrast near 4 to white and to the dark themes of JupyterLab and VS Code alike."""

_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)), (0, (3, 1)))
_MARKS = ("o", "s", "^", "x", "D", "v", "P", "*")
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "ooo", "---", "+++")
_STEPS = {"asked": "created_at", "accepted": "accepted_at", "delivered": "delivered_at", "read": "read_at",
          "failed": "failed_at"}  # fmt: skip
_LENGTHS = {"accept_s": "from the POST to Linq's answer", "delivery_s": "from the POST to the delivery",
            "read_s": "from the delivery to the read receipt"}  # fmt: skip
_UNITS = ((172_800, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"))


def timeline(frame: Any, ax: Axes | None = None) -> Axes:
    """Draw how many sends of a batch were asked for, accepted, delivered, read and failed, over time.

    ``frame``: a table of sends with ``created_at accepted_at delivered_at read_at failed_at``; time starts at the
    first send.
    """
    table = select_columns(frame, "timeline", *_STEPS.values()).lazy().collect()
    ax = _axes(ax)
    start, end = table["created_at"].min(), max(filter(None, (table[at].max() for at in _STEPS.values())), default=None)
    scale, unit = _unit((end - start).total_seconds()) if start and end else (1.0, "seconds")
    counts = []
    for place, (step, name) in enumerate(_STEPS.items()):
        at = table[name].drop_nulls().sort()
        if start is None or not len(at):
            continue
        counts.append(f"{len(at):,} {step}")
        points = sorted({round(n * (len(at) - 1) / MOST_POINTS) for n in range(MOST_POINTS + 1)})
        seconds = [(at.item(point) - start).total_seconds() / scale for point in points]
        numbers = [point + 1 for point in points]
        ax.step(seconds, numbers, where="post", label=step, markevery=max(1, len(points) // 12), **_line(place))
    ax.set(xlabel=f"{unit} since the first send", ylabel="sends", title="Sends over time")
    ax.set_ylim(bottom=0)
    return _finished(ax, f"Sends: {names_of(counts)}." if counts else "There are no sends.")


def latency(frame: Any, ax: Axes | None = None, of: str = "delivery_s") -> Axes:
    """Draw the share of memos that arrived within a time, for each service and kind of chat.

    ``frame``: a table of sends with ``service``, ``is_group`` and the column ``of`` (``accept_s``, ``delivery_s`` or
    ``read_s``), on a logarithmic scale.
    """
    import numpy as np

    table = (
        select_columns(frame, "latency", "service", "is_group", of)
        .lazy()
        .collect()
        .drop_nulls(subset=[of])
        .select(
            nw.col("service").cast(nw.String).fill_null("no service"),
            nw.col("is_group").fill_null(value=False).cast(nw.Boolean),
            of,
        )
    )
    ax = _axes(ax)
    from matplotlib.ticker import LogFormatter

    groups = sorted(table.select("service", "is_group").unique().rows())
    medians = []
    for place, (service, is_group) in enumerate(groups):
        mine = (nw.col("service") == service) & (nw.col("is_group") == is_group)
        seconds = np.sort(table.filter(mine)[of].cast(nw.Float64).to_numpy())
        label = f"{service}, {'group' if is_group else '1:1'}"
        medians.append(f"{label} {np.quantile(seconds, 0.5):.1f} s (p90 {np.quantile(seconds, 0.9):.1f} s)")
        shares = np.linspace(0, 1, min(len(seconds), MOST_POINTS) + 1)[1:]
        x = np.quantile(seconds, shares, method="inverted_cdf")
        ax.plot(np.maximum(x, 0.001), shares * 100, label=_plain(label), markevery=max(1, len(x) // 8), **_line(place))
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    ax.xaxis.set_minor_formatter(LogFormatter())
    ax.set(xlabel=f"seconds {_LENGTHS.get(of, of)}", ylabel="% of the sends", ylim=(0, 102), title="Latency")
    return _finished(ax, f"Median: {'; '.join(medians)}." if medians else f"No send has a {of}.")


def funnel(report: Any, ax: Axes | None = None) -> Axes:
    """Draw ``reports.funnel``: how many sends reached each stage, and of how many that could."""
    columns = ("step", "stage", "sends", "of", "share")
    table = select_columns(report, "funnel", *columns, like="reports.funnel(frame)").lazy().collect()
    rows = table.sort("step").rows(named=True)
    ax = _axes(ax)
    most = max((row["sends"] for row in rows), default=0) or 1
    for place, row in enumerate(rows):
        ax.barh(row["stage"], row["sends"], color=_COLOURS[0], alpha=1 - 0.15 * place, edgecolor=_INK, linewidth=0.6)
        share = f"{row['sends']:,}" + (f"  ({row['share']:.1%} of {row['of']:,})" if place and row["of"] else "")
        ax.text(row["sends"] + most * 0.01, place, share, va="center")
    ax.invert_yaxis()
    ax.set(xlabel="sends", xlim=(0, most * 1.45), title="How far the sends came")
    ax.set_xticks([0], [""])
    ax.tick_params(axis="x", length=0)
    counts = [f"{row['sends']:,} {row['stage']}" for row in rows]
    return _finished(ax, f"{names_of(counts)}. {NO_RECEIPTS}", legend=False)


def errors(report: Any, ax: Axes | None = None) -> Axes:
    """Draw ``reports.errors(frame, by=("chat_id", "chat_name"))``: the chats with most errors, by status and code."""
    columns = ("chat_id", "chat_name", "status", "http_status", "error_code", "meaning", "sends")
    like = 'reports.errors(frame, by=("chat_id", "chat_name"))'
    table = select_columns(report, "errors", *columns, like=like).lazy().collect()
    rows = [{name: plain(value) for name, value in row.items()} for row in table.rows(named=True)]
    ax = _axes(ax, height=5)
    by_chat: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_code: Counter[str] = Counter()
    names: dict[str, str | None] = {}
    words = _words(rows)
    for row in rows:
        chat, code = "unknown" if row["chat_id"] is None else row["chat_id"], words[_code(row)]
        names[chat] = row["chat_name"]
        by_code[code] += row["sends"]
        by_chat[chat][code] += row["sends"]
    codes = sorted(by_code, key=lambda code: (-by_code[code], code))
    chats = sorted(by_chat, key=lambda chat: (-by_chat[chat].total(), chat))
    _bars(ax, [by_chat[chat] for chat in chats[:MOST_CHATS]], _labels(chats[:MOST_CHATS], names), codes)
    ax.set_xlabel("sends with an error")
    if not rows:
        ax.set_title("Errors by chat")
        return _finished(ax, "There are no errors.")
    _legend_below_title(ax, "Errors by chat")
    worst = f"most in {_labels(chats[:1], names)[0]} ({by_chat[chats[0]].total():,})"
    whole = f"{by_code.total():,} sends with an error in {len(chats):,} chats, {worst}"
    return _finished(ax, f"{whole}. Most frequent: {codes[0]}, {by_code[codes[0]]:,} sends.", legend=False)


def _legend_below_title(ax: Axes, title: str) -> None:
    """Put the legend between the title and the bars, in as many columns as have room."""
    columns = max(1, int(ax.bbox.width / ax.figure.dpi * 72 // POINTS_A_LEGEND))
    legend = ax.legend(frameon=False, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1), fontsize="small",
                       borderaxespad=0)  # fmt: skip
    ax.set_title(title, pad=legend.get_window_extent().height / ax.figure.dpi * 72 + 4)


def _bars(ax: Axes, counts: Sequence[Counter[str]], labels: Sequence[str], codes: Sequence[str]) -> None:
    """Draw a bar for each chat, a part of it for each code; rare codes share the last part."""
    parts = {code: [code] for code in codes[:MOST_CODES]}
    if len(codes) > MOST_CODES:
        parts["others"] = list(codes[MOST_CODES:])
    left = [0] * len(labels)
    for place, (code, of) in enumerate(parts.items()):
        widths = [sum(chat[name] for name in of) for chat in counts]
        ax.barh(range(len(labels)), widths, left=left, label=_plain(code), color=_COLOURS[place], hatch=_HATCHES[place],
                edgecolor="black", linewidth=0.6)  # fmt: skip
        left = [before + width for before, width in zip(left, widths, strict=True)]
    ax.set_yticks(range(len(labels) or 1), [_plain(label) for label in labels] or [""])
    ax.invert_yaxis()
    ax.locator_params(axis="x", integer=True)


def _labels(chats: Sequence[str], names: Mapping[str, str | None]) -> list[str]:
    """Return the names of chats, with the beginning of the id where a name is missing or not unique."""
    unique = {name for name, number in Counter(names.values()).items() if name and number == 1}
    return [
        _short(str(names[chat])) if names[chat] in unique else f"{_short(names[chat] or 'chat')} {chat[:8]}"
        for chat in chats
    ]


def _short(name: str) -> str:
    """Return a name on one line that leaves room for the bars."""
    name = " ".join(name.split())
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def caption(ax: Axes) -> str:
    """Return the sentence below a plot, which describes it."""
    return str(getattr(ax, "linq_caption", ""))


def _axes(ax: Axes | None, height: float = 4) -> Axes:
    """Return the Axes to draw into: those given, or new ones without a background."""
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError:
        raise SettingsError(
            "plots need matplotlib, which is not installed; nothing was drawn; pip install 'linq_nb[plots]'"
        ) from None
    clear = {"facecolor": "none"}
    _, ax = pyplot.subplots(figsize=(8, height), layout="constrained", facecolor="none", subplot_kw=clear)
    return ax


def _finished(ax: Axes, sentence: str, *, legend: bool = True) -> Axes:
    """Finish a plot: caption below, legend beside the data, no frame."""
    from matplotlib.colors import to_rgba

    ax.linq_caption = sentence  # type: ignore[attr-defined]
    ax.set_xlabel(ax.get_xlabel(), loc="left")
    lines, size = textwrap.wrap(_plain(sentence), _letters(ax)), ax.xaxis.label.get_fontsize()
    ax.annotate("\n".join(lines), (0, 0), (0, -8), xycoords=ax.xaxis.label, textcoords="offset points", va="top",
                fontsize=size, gid="caption")  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False)
    if to_rgba(ax.figure.get_facecolor())[3] == 0:
        _write_in_grey(ax)
    return ax


def _write_in_grey(ax: Axes) -> None:
    """Draw text and lines of a plot without background in a grey that reads on a light and on a dark page.

    IPython puts a background behind a transparent figure whose tick labels are all dark or all light, by its own
    measure; with two greys, one on each side of it, it leaves the page's.
    """
    from matplotlib.text import Text

    for text in ax.findobj(Text):
        text.set_color(_INK)
    ax.tick_params(color=_INK, labelcolor=_INK, which="both")
    ax.tick_params(axis="x", labelcolor=_LIGHT_INK, which="both")
    ax.spines[:].set_color(_INK)


def _plain(text: str) -> str:
    """Return a text in which a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def _letters(ax: Axes) -> int:
    """Count the letters that fit side by side below a plot."""
    ax.figure.canvas.figure.draw_without_rendering()  # the layout gives the plot its width
    points = ax.bbox.width / ax.figure.dpi * 72
    return max(20, int(points / (0.6 * float(ax.xaxis.label.get_fontsize()))))


def _line(place: int) -> dict[str, Any]:
    """Return the colour, dashes and mark of the line at a place."""
    kind = place % len(_COLOURS)
    return {"color": _COLOURS[kind], "linestyle": _DASHES[kind], "marker": _MARKS[kind], "markersize": 5}


def _unit(seconds: float) -> tuple[float, str]:
    return next(((float(size), name) for least, size, name in _UNITS if seconds >= least), (1.0, "seconds"))


def _words(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return each error in words, by its code: ``the sending line was offline (4002)``."""
    short = {}
    for row in rows:
        number = row["http_status"] if row["error_code"] is None else row["error_code"]
        meaning = str(row["meaning"]).partition(";")[0]
        short[_code(row)] = f"{meaning} ({int(number)})" if number is not None else meaning
    times = Counter(short.values())
    return {
        code: words if times[words] == 1 else f"{words.partition(' (')[0]} ({code})" for code, words in short.items()
    }


def _code(row: dict[str, Any]) -> str:
    """Return an error in short: ``403/2024``, ``failed/4001``, ``unknown``."""
    parts = (row["status"] if row["http_status"] is None else row["http_status"], row["error_code"])
    texts = (str(int(part)) if isinstance(part, int | float) else str(part) for part in parts if part is not None)
    return "/".join(texts)
