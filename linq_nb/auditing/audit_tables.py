"""What an audit holds: its tables, its period, and its headline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from linq_nb.auditing import sentences

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class AuditTables:
    """What ``Audit`` shows and writes."""

    frames: Mapping[str, pd.DataFrame]
    since: datetime | None
    until: datetime
    tz: str
    chat_labels: Mapping[str, str] = field(default_factory=dict)
    """What the page calls the chats whose name is missing or not unique, by id."""

    @property
    def headline(self) -> str:
        """What happened, in one sentence."""
        return sentences.headline(self.frames, self.tz)

    @property
    def period(self) -> str:
        """The period and its time zone: ``23 Feb 2026 09:00 to 2 Mar 2026 09:00, UTC``."""
        ends = [f"{at.day} {at:%b %Y %H:%M}" for at in (self._local(self.since), self._local(self.until)) if at]
        return f"{ends[0]} to {ends[1]}, {self.tz}" if len(ends) == 2 else f"until {ends[0]}, {self.tz}"

    def _local(self, at: datetime | None) -> datetime | None:
        return at and at.astimezone(ZoneInfo(self.tz))
