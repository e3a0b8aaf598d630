"""Plots draw the numbers of the table; series differ also without colour, and a sentence stands below."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib_inline.backend_inline import _fetch_figure_metadata

import linq_nb.accessor  # noqa: F401  df.linq
from linq_nb import SettingsError, plots, reports, to_frame
from linq_nb.model import Send

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_screen() -> Iterator[None]:
    mpl.use("agg")
    yield
    pyplot.close("all")


def a_send(number: int, status: str, **more: Any) -> Send:
    at = AT + timedelta(seconds=number)
    fields: dict[str, Any] = {
        "chat_id": f"chat{number % 3}",
        "chat_name": f"Chat {number % 3}",
        "is_group": number % 3 == 0,
    }
    fields |= {"created_at": at, "posted_at": at, "service": "iMessage"}
    return Send(send_id=f"s{number}", base_url="b", content=f"{number}", status=status, **{**fields, **more})


def some() -> list[Send]:
    sends = [
        a_send(n, "read" if n % 4 == 0 else "delivered", accepted_at=AT + timedelta(seconds=n, milliseconds=200),
               sent_at=AT + timedelta(seconds=n + 1), delivered_at=AT + timedelta(seconds=n + 1 + n % 5),
               read_at=AT + timedelta(seconds=n + 60) if n % 4 == 0 else None)
        for n in range(40)
    ]  # fmt: skip
    failed = [a_send(n, "failed", http_status=202, error_code=4001, failed_at=AT + timedelta(seconds=n + 3),
                     accepted_at=AT + timedelta(seconds=n)) for n in range(40, 44)]  # fmt: skip
    return [*sends, *failed, *(a_send(n, "rejected", http_status=403, error_code=2024) for n in range(44, 47))]


def test_the_timeline_ends_at_the_number_of_each_step() -> None:
    ax = plots.timeline(to_frame(some()))
    assert {line.get_label(): line.get_ydata()[-1] for line in ax.get_lines()} == {
        "asked": 47, "accepted": 44, "delivered": 40, "read": 10, "failed": 4,
    }  # fmt: skip
    assert plots.caption(ax) == "Sends: 47 asked, 44 accepted, 40 delivered, 10 read and 4 failed."
    assert ax.get_xlabel().startswith("seconds since the first send")


def test_a_long_timeline_is_drawn_with_few_points_and_ends_right() -> None:
    sends = [a_send(n, "queued", accepted_at=AT + timedelta(seconds=n)) for n in range(7_001)]
    ax = plots.timeline(to_frame(sends))
    for line in ax.get_lines():
        assert len(line.get_xdata()) <= plots.MOST_POINTS + 1
        assert line.get_ydata()[-1] == 7_001
        assert line.get_xdata()[-1] == pytest.approx(7_000 / 60)
    assert "minutes" in ax.get_xlabel()


def test_the_latency_curve_reaches_half_at_the_median_of_the_report() -> None:
    frame = to_frame(some())
    ax = plots.latency(frame)
    report = reports.latency(frame, by=("is_group",))
    for line, p50 in zip(ax.get_lines(), report["p50_s"], strict=True):
        below = [x for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True) if y <= 50]
        assert max(below) == pytest.approx(p50, abs=1)
    assert "iMessage, 1:1 3.0 s" in plots.caption(ax)
    assert "iMessage, group" in plots.caption(ax)


def test_the_funnel_has_a_bar_as_long_as_each_number() -> None:
    frame = to_frame(some())
    ax = frame.linq.plot.funnel()
    report = frame.linq.funnel()
    assert [bar.get_width() for bar in ax.patches] == report["sends"].tolist()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(reports.STAGES)
    assert plots.caption(ax).startswith("47 asked, 44 accepted, 40 sent, 26 delivered and")


def test_errors_are_stacked_by_chat_and_add_up() -> None:
    ax = to_frame(some()).linq.plot.errors()
    assert sum(bar.get_width() for bar in ax.patches) == 7
    assert ax.get_legend_handles_labels()[1] == ["the delivery failed (4001)", "the recipient opted out (2024)"]
    assert plots.caption(ax) == (
        "7 sends with an error in 3 chats, most in Chat 1 (3). Most frequent: the delivery failed (4001), 4 sends."
    )


def test_errors_are_named_in_words_and_never_two_alike() -> None:
    kinds = [
        ("failed", 202, 3007), ("rejected", 500, 3007), ("failed", 202, None), ("unknown", None, None),
        ("not_sent", None, None), ("rejected", 418, None),
    ]  # fmt: skip
    sends = [a_send(n, status, http_status=http, error_code=code) for n, (status, http, code) in enumerate(kinds)]
    assert sorted(to_frame(sends).linq.plot.errors().get_legend_handles_labels()[1]) == [
        "Linq refused the request (418)", "it never reached Linq", "no clear answer", "the delivery failed",
        "the delivery was given up (500/3007)", "the delivery was given up (failed/3007)",
    ]  # fmt: skip


FIGURES = ["timeline", "latency", "funnel", "errors"]


def contrast(colour: Any, page: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""

    def luminance(name: Any) -> float:
        parts = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(name))
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    dark, light = sorted((luminance(colour), luminance(page)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_shows_the_page_behind_it_and_its_text_reads_on_a_light_and_a_dark_one(name: str) -> None:
    for sends in (some(), []):
        figure = getattr(to_frame(sends).linq.plot, name)().figure
        file = io.BytesIO()
        figure.savefig(file)
        pixels = pyplot.imread(io.BytesIO(file.getvalue()))
        assert (pixels[0, :, 3] == 0).all()
        assert (pixels[:, 0, 3] == 0).all()
        assert _fetch_figure_metadata(figure) is None  # else JupyterLab puts a white or black background behind it
        for text in (text for text in figure.findobj(Text) if text.get_text()):
            for page in ("white", "#111111", "#1e1e1e"):
                assert contrast(text.get_color(), page) > 3.5, text


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_ones_own_keeps_its_colours(name: str) -> None:
    figure, ax = pyplot.subplots(facecolor="white")
    getattr(to_frame(some()).linq.plot, name)(ax=ax)
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert {text.get_color() for text in figure.findobj(Text) if text.get_text()} == {"black"}


@pytest.mark.parametrize("name", FIGURES)
def test_the_caption_stands_once_below_the_plot_and_inside_the_figure(name: str) -> None:
    ax = getattr(to_frame(some()).linq.plot, name)()
    ax.figure.canvas.draw()
    texts = [" ".join(text.get_text().split()) for text in ax.findobj(Text)]
    assert texts.count(plots.caption(ax)) == 1
    assert plots.caption(ax) not in repr(ax)
    drawn = caption_of(ax).get_window_extent()
    assert drawn.y1 <= ax.xaxis.label.get_window_extent().y0
    assert drawn.x1 <= ax.figure.bbox.width
    assert drawn.y0 >= 0


def caption_of(ax: Any) -> Any:
    (text,) = ax.findobj(lambda artist: artist.get_gid() == "caption")
    return text


def test_chats_of_one_name_stay_apart_and_many_codes_share_a_part() -> None:
    sends = [a_send(n, "rejected", http_status=400, error_code=1000 + n, chat_id=f"{n % 2}" * 36, chat_name="Ada")
             for n in range(20)]  # fmt: skip
    ax = to_frame(sends).linq.plot.errors()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Ada 00000000", "Ada 11111111"]
    assert ax.get_legend_handles_labels()[1][-1] == "others"
    assert sum(bar.get_width() for bar in ax.patches) == 20


@pytest.mark.parametrize("name", ["timeline", "latency", "funnel", "errors"])
def test_a_plot_is_drawn_on_the_given_axes_and_also_without_rows(name: str) -> None:
    _, mine = pyplot.subplots()
    for sends in (some(), []):
        mine.clear()
        assert getattr(to_frame(sends).linq.plot, name)(ax=mine) is mine
        mine.figure.canvas.draw()
        assert plots.caption(mine)


@pytest.mark.parametrize("name", ["timeline", "latency", "errors"])
def test_series_are_distinguishable_without_colour(name: str) -> None:
    ax = getattr(to_frame(some()).linq.plot, name)()
    lines = [(line.get_linestyle(), line.get_marker()) for line in ax.get_lines()]
    hatches = [bars.patches[0].get_hatch() for bars in ax.containers]
    marks = lines or hatches
    assert len(marks) > 1
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("kind", ["string", "category", object])
def test_sends_without_a_service_have_a_line_of_their_own(kind: Any) -> None:
    frame = to_frame(some())
    ax = plots.latency(frame.assign(service=pd.Series([None] * len(frame), dtype=kind)))
    assert [line.get_label() for line in ax.get_lines()] == ["no service, 1:1", "no service, group"]


def test_names_of_chats_are_drawn_as_they_are_written_and_cut_when_long() -> None:
    names = ["$5 and $6", r"$\frac{1", "two\nlines", "N" * 200, None]
    sends = [
        a_send(n, "rejected", http_status=400, chat_id=f"{n}" * 36, chat_name=name) for n, name in enumerate(names)
    ]
    ax = to_frame(sends).linq.plot.errors()
    ax.figure.canvas.draw()
    texts = [label.get_text() for label in ax.get_yticklabels()]
    assert texts == [r"\$5 and \$6", r"\$\frac{1", "two lines", "N" * 29 + "…", "chat 44444444"]
    assert "most in $5 and $6 (1)" in plots.caption(ax)
    assert caption_of(ax).get_window_extent().x1 <= ax.figure.bbox.width


def test_the_title_stands_above_the_legend_of_many_codes() -> None:
    ax = to_frame([a_send(n, "rejected", http_status=400, error_code=1000 + n) for n in range(9)]).linq.plot.errors()
    ax.figure.canvas.draw()
    assert ax.title.get_window_extent().y0 >= ax.get_legend().get_window_extent().y1
    assert ax.title.get_window_extent().y1 <= ax.figure.bbox.height
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.width


def test_the_title_stands_above_the_legend_in_a_small_plot_too() -> None:
    _, axes = pyplot.subplots(1, 2, figsize=(9, 5), layout="constrained")
    frame = to_frame([a_send(n, "rejected", http_status=400, error_code=1000 + n) for n in range(9)])
    for ax in axes:
        frame.linq.plot.errors(ax=ax)
    axes[0].figure.canvas.draw()
    for ax in axes:
        assert ax.title.get_window_extent().y0 >= ax.get_legend().get_window_extent().y1


def test_captions_of_plots_side_by_side_do_not_meet() -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    frame = to_frame(some())
    frame.linq.plot.funnel(ax=axes[0])
    frame.linq.plot.errors(ax=axes[1])
    figure.canvas.draw()
    assert caption_of(axes[0]).get_window_extent().x1 <= caption_of(axes[1]).get_window_extent().x0


def test_errors_of_no_known_chat_are_drawn_too() -> None:
    frame = to_frame(some())
    ax = frame.assign(chat_id=frame["chat_id"].where(frame.index < 46)).linq.plot.errors()
    assert sum(bar.get_width() for bar in ax.patches) == 7


def test_a_table_of_another_engine_is_drawn_too() -> None:
    frame = pl.from_pandas(to_frame(some()))
    assert plots.caption(plots.timeline(frame)) == plots.caption(plots.timeline(to_frame(some())))
    assert plots.caption(plots.funnel(reports.funnel(frame.lazy()))) == plots.caption(
        to_frame(some()).linq.plot.funnel()
    )


def test_a_table_without_the_columns_is_an_error_of_one_line() -> None:
    with pytest.raises(
        SettingsError,
        match=r"timeline needs the column 'created_at' of to_frame\(.*\); nothing was counted; the frame has x",
    ):
        plots.timeline(pl.DataFrame({"x": [1]}))
    with pytest.raises(
        SettingsError,
        match=r"funnel takes a frame, not a int; nothing was counted; give one such as reports.funnel\(frame\)",
    ):
        plots.funnel(3)


def test_without_matplotlib_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import linq_nb\n"
        "try: linq_nb.plots.timeline(linq_nb.to_frame([]))\n"
        "except linq_nb.SettingsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout.strip()
        == "plots need matplotlib, which is not installed; nothing was drawn; pip install 'linq_nb[plots]'"
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_lays_its_figure_out_once(name: str) -> None:
    """A layout measures every text of it: two of them took ``errors`` twice as long."""

    class Counting(ConstrainedLayoutEngine):
        times = 0

        def execute(self, fig: Any) -> Any:
            self.times += 1
            return super().execute(fig)

    layout = Counting()
    _, ax = pyplot.subplots(layout=layout)
    getattr(to_frame(some()).linq.plot, name)(ax=ax)
    assert layout.times == 1
