"""The journal as one table in memory, read once and brought up to date by what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from linq_nb import frames, views
from linq_nb.errors import LinqError
from linq_nb.journal import Journal
from linq_nb.journal.pages import FEW
from linq_nb.journal.queries import Mark
from linq_nb.live import Progress
from linq_nb.model import Send

if TYPE_CHECKING:
    import pandas as pd


class Snapshot:
    """The sends of a journal as the frame of ``to_frame``, masked."""

    frame: pd.DataFrame

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._mark: Mark
        self._read()

    @property
    def times_forgotten(self) -> int:
        """How often a chat of the journal had been forgotten when it was read."""
        return self._mark.forgotten

    def has_forgotten(self) -> bool:
        """Whether a chat was forgotten since; False for a journal that cannot be read any more."""
        try:
            return self._journal.times_forgotten() != self._mark.forgotten
        except LinqError:
            return False

    def news(self) -> int:
        """Count the sends that are new in the journal or have another status there."""
        _, statuses = self._journal.changed_since(self._mark)
        return self._count_news(statuses)

    def update(self) -> int:
        """Bring the frame up to date; returns how many sends are new or have another status."""
        mark, statuses = self._journal.changed_since(self._mark)
        news = self._count_news(statuses)
        if mark.forgotten != self._mark.forgotten or len(statuses) > FEW:
            self._read()
        elif statuses:
            changed = frames.to_frame(list(self._journal.get_many(statuses).values()), kind="sends")
            self._use(self._with(changed))
            self._mark = mark
        return news

    def _read(self) -> None:
        self._mark, _ = self._journal.changed_since(None)
        self._use(_frame(self._journal.sends()))

    def _use(self, frame: pd.DataFrame) -> None:
        import pandas as pd

        self.frame, self._places = frame, pd.Index(frame["send_id"])

    def _count_news(self, statuses: Mapping[str, str]) -> int:
        places = self._places.get_indexer(list(statuses))  # -1 for a send that is new
        before = self.frame["status"].reindex(places).astype(object).fillna("")
        return sum(was != status for was, status in zip(before, statuses.values(), strict=True))

    def _with(self, changed: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with these rows in the place of those that they change, new ones at the end."""
        old = self.frame[~self.frame["send_id"].isin(changed["send_id"])]
        joined = _together(old, changed)
        places = self._places.get_indexer(joined["send_id"])
        places[places < 0] = len(self._places)
        ordered: pd.DataFrame = joined.iloc[places.argsort(kind="stable")].reset_index(drop=True)
        return ordered


def _frame(sends: Sequence[Send]) -> pd.DataFrame:
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
    """Return frames as one: a category has the words that one of them uses."""
    import pandas as pd

    words: dict[str, Any] = {}
    for name in parts[0].columns:
        if isinstance(parts[0][name].dtype, pd.CategoricalDtype):
            union = pd.api.types.union_categoricals([part[name] for part in parts], sort_categories=True)
            words[name] = union.remove_unused_categories().dtype
    return pd.concat([part.astype(words) for part in parts], ignore_index=True)
