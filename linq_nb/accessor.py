"""``df.linq``: drafts from a table of chats and audio, reports and plots from a table of sends.

Importing this module registers the accessor with pandas.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from linq_nb import contacts, plots, reports
from linq_nb.model import BadDraft, Draft
from linq_nb.tables import of_value

Function = Callable[..., Any]


def _method(function: Function, prepare: Function = lambda frame: frame) -> Function:
    """Make a method of a function that takes a frame first; docstring and other arguments stay."""

    @functools.wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(prepare(self._frame), *args, **kwargs)

    return method


class LinqPlots:
    """``df.linq.plot``: charts of a table of sends. Each returns matplotlib Axes (needs ``linq_nb[plots]``)."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    timeline = _method(plots.timeline)
    latency = _method(plots.latency)
    funnel = _method(plots.funnel, reports.funnel)
    errors = _method(plots.errors, functools.partial(reports.errors, by=("chat_id", "chat_name")))


@pd.api.extensions.register_dataframe_accessor("linq")
class LinqAccessor:
    """``df.linq``: what linq_nb adds to a DataFrame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    by = _method(reports.by)
    by_chat = _method(reports.by_chat)
    by_day = _method(reports.by_day)
    by_hour = _method(reports.by_hour)
    funnel = _method(reports.funnel)
    latency = _method(reports.latency)
    errors = _method(reports.errors)
    unconfirmed = _method(reports.unconfirmed)
    duplicates = _method(reports.duplicates)
    compare = _method(reports.compare)
    match = _method(contacts.match)

    @property
    def plot(self) -> LinqPlots:
        """Charts of this table of sends: ``df.linq.plot.funnel()``."""
        return LinqPlots(self._frame)

    def drafts(
        self,
        chat: str | None = None,
        audio: str | None = None,
        copy: str | None = None,
        *,
        force_notify: str | None = None,
        folder: str | Path = ".",
    ) -> list[Draft | BadDraft]:
        """Return a draft for each row. Sends nothing.

        The column ``chat`` holds chat ids, names or handles; ``audio`` holds paths (relative to ``folder``), https
        URLs, attachment ids or VoiceMemos; ``copy`` holds copy numbers, ``force_notify`` true, false or nothing.
        Without these names the usual ones are looked for, such as chat_id, recipient or phone, and path, file or
        voice_memo_url. A row that cannot be a draft is a BadDraft with the reason. Raises SettingsError when a column
        is missing, or is there twice.
        """
        from linq_nb.outbox.drafts import drafts_of_table  # loads the journal and the client, which reports do without

        columns = {"chat": chat, "audio": audio, "copy": copy, "force_notify": force_notify}
        return drafts_of_table(of_value(self._frame), Path(folder), **columns)
