"""``df.linq``: a table of chats and audio becomes drafts, a table of sends becomes reports and plots.

Importing this registers it with pandas.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from linq_nb import plots, reports
from linq_nb.errors import SettingsError
from linq_nb.model import BadDraft, Draft

Work = Callable[..., Any]


def _method(work: Work, prepare: Work = lambda frame: frame) -> Work:
    """Make a function of a frame a method of the accessor, with its own docstring and arguments."""

    @functools.wraps(work)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return work(prepare(self._frame), *args, **kwargs)

    _, *others = inspect.signature(work).parameters.values()
    of_self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = inspect.Signature([of_self, *others])  # type: ignore[attr-defined]
    return method


class LinqPlots:
    """``df.linq.plot``: pictures of a table of sends, each an Axes of matplotlib (needs ``linq_nb[plots]``)."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    timeline = _method(plots.timeline)
    latency = _method(plots.latency)
    funnel = _method(plots.funnel, reports.funnel)
    errors = _method(plots.errors, functools.partial(reports.errors, by=("chat_id", "chat_name")))


@pd.api.extensions.register_dataframe_accessor("linq")
class LinqAccessor:
    """What linq_nb adds to a DataFrame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    by = _method(reports.by)
    by_chat = _method(reports.by_chat)
    by_day = _method(reports.by_day)
    funnel = _method(reports.funnel)
    latency = _method(reports.latency)
    errors = _method(reports.errors)
    unconfirmed = _method(reports.unconfirmed)
    duplicates = _method(reports.duplicates)
    compare = _method(reports.compare)

    @property
    def plot(self) -> LinqPlots:
        """Pictures of this table of sends: ``df.linq.plot.funnel()``."""
        return LinqPlots(self._frame)

    def drafts(
        self, chat: str = "chat_id", audio: str = "path", copy: str | None = None, *, folder: str | Path = "."
    ) -> list[Draft | BadDraft]:
        """Return a draft for each row; sends nothing.

        ``chat`` names the column with a chat id, name or handle; ``audio`` the one with a path (relative to
        ``folder``), https URL, attachment id or VoiceMemo; ``copy`` one with copy numbers. A row that cannot
        become a draft is a BadDraft that says why. Raises SettingsError when a column is missing.
        """
        from linq_nb.outbox import drafting  # loads the journal and the client, which reports do without

        for name in (chat, audio, *([copy] if copy else [])):
            if name not in self._frame.columns:
                has = ", ".join(map(str, self._frame.columns)) or "none"
                raise SettingsError(f"the frame has no column {name!r}; nothing was sent; its columns: {has}")
        copies = self._frame[copy] if copy else [None] * len(self._frame)
        rows = zip(self._frame[chat], self._frame[audio], copies, strict=True)
        return drafting.drafts(rows, Path(folder))
