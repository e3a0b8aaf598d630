"""``df.linq``: a table of chats and audio becomes drafts. Importing this registers it with pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from linq_nb.errors import SettingsError
from linq_nb.model import BadDraft, Draft
from linq_nb.outbox import drafting


@pd.api.extensions.register_dataframe_accessor("linq")
class LinqAccessor:
    """What linq_nb adds to a DataFrame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def drafts(
        self, chat: str = "chat_id", audio: str = "path", copy: str | None = None, *, folder: str | Path = "."
    ) -> list[Draft | BadDraft]:
        """Return a draft for each row; sends nothing.

        ``chat`` names the column with a chat id, name or handle; ``audio`` the one with a path (relative to
        ``folder``), https URL, attachment id or VoiceMemo; ``copy`` one with copy numbers. A row that cannot
        become a draft is a BadDraft that says why. Raises SettingsError when a column is missing.
        """
        for name in (chat, audio, *([copy] if copy else [])):
            if name not in self._frame.columns:
                has = ", ".join(map(str, self._frame.columns)) or "none"
                raise SettingsError(f"the frame has no column {name!r}; nothing was sent; its columns: {has}")
        copies = self._frame[copy] if copy else [None] * len(self._frame)
        rows = zip(self._frame[chat], self._frame[audio], copies, strict=True)
        return drafting.drafts(rows, Path(folder))
