"""The journal as one table in memory, read once and brought up to date by what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from linq_nb import frames, views
from linq_nb.journal import Journal
from linq_nb.journal.queries import Mark
from linq_nb.live import Progress
from linq_nb.model import Send

if TYPE_CHECKING:
    import pandas as pd


class Snapshot:
    """The sends of a journal as the frame of ``to_frame``, masked.

    A chat that was forgotten since stays in it until the explorer is opened again.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mark, _ = journal.changed_since(None)
        self.frame = _read(journal.sends())

    def news(self) -> int:
        """Count the sends that are new in the journal or have another status there."""
        return self._compared()[2]

    def update(self) -> int:
        """Bring the frame up to date; returns how many sends are new or have another status."""
        import pandas as pd

        mark, changed, news = self._compared()
        if len(changed):
            places = pd.Series(range(len(self.frame)), index=self.frame["send_id"])
            old = self.frame[~self.frame["send_id"].isin(changed["send_id"])]
            joined = _together(old, changed)
            order = joined["send_id"].map(places).fillna(len(places)).argsort(kind="stable")
            self.frame = joined.iloc[order].reset_index(drop=True)
        self._mark = mark
        return news

    def _compared(self) -> tuple[Mark, pd.DataFrame, int]:
        """Return the rows that may have changed, how many are new or have another status, and the next mark."""
        mark, ids = self._journal.changed_since(self._mark)
        changed = frames.to_frame(list(self._journal.get_many(ids).values()), kind="sends")
        before = self.frame.loc[self.frame["send_id"].isin(ids), ["send_id", "status"]]
        statuses = dict(zip(before["send_id"], before["status"], strict=True))
        pairs = zip(changed["send_id"], changed["status"], strict=True)
        return mark, changed, sum(statuses.get(send_id) != status for send_id, status in pairs)


def _read(sends: Sequence[Send]) -> pd.DataFrame:
    if not isinstance(sends, frames.Paged):
        return frames.to_frame(sends, kind="sends")
    progress = Progress()
    chunks = _counted(sends.chunks(frames.stored(Send)), len(sends), progress)
    return frames.from_chunks(Send, chunks, "masked")


def _counted(chunks: Iterable[frames.Chunk], total: int, progress: Progress) -> Iterator[frames.Chunk]:
    """Show how many rows were read, where it takes long."""
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk["send_id"])
        progress.show(views.progress(f"read {done:,} of {total:,} sends of the journal"))


def _together(*parts: pd.DataFrame) -> pd.DataFrame:
    """Return frames as one: categories are those of all of them."""
    import pandas as pd

    words: dict[str, Any] = {}
    for name in parts[0].columns:
        if isinstance(parts[0][name].dtype, pd.CategoricalDtype):
            together = sorted({word for part in parts for word in part[name].cat.categories})
            words[name] = pd.CategoricalDtype(pd.Index(together, dtype="string"))
    return pd.concat([part.astype(words) for part in parts], ignore_index=True)
