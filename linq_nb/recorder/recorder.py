"""Recorder: the widget. The page records and plays; here the takes are kept, in memory and in no widget state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import views
from linq_nb.audio import MAX_MEMO_BYTES
from linq_nb.errors import SettingsError
from linq_nb.model import VoiceMemo
from linq_nb.recorder import takes as making
from linq_nb.recorder.takes import Parcel, Take
from linq_nb.text import clean
from linq_nb.widgets.base import Widget
from linq_nb.widgets.guard import error_text
from linq_nb.widgets.output import WidgetOutput, note

PART_BYTES = 1_000_000
"""Sound goes to the page and comes from it in parts: a message above about 10 MB never arrives."""

CLOSED = "This recorder is closed."

Reply = dict[str, Any]
"""A message to the page, the answer to one of its own."""


class Recorder(Widget):
    """Records voice memos with the microphone of the page, and takes audio files where there is none.

    ``memo`` is the chosen take as a VoiceMemo, None while there is none: ``recorder.observe(act, "memo")`` tells when
    it changes. ``takes`` are all of them, ``error`` is the last exception. A take is a 16-bit mono WAV at the rate of
    the microphone; one that is larger than ``limit_bytes`` (10 MB, what Linq takes: 1:44 at 48 kHz) becomes an M4A,
    which needs ``linq_nb[audio]`` and holds 18 minutes. ``memo.convert()`` makes an M4A of any.
    With ``start`` it asks for the microphone as soon as it is shown, as if Record had been pressed.
    Sound stays in this kernel's memory; a saved notebook keeps only how many takes there were and how long.
    Raises SettingsError for a limit that is not a number of bytes up to Linq's.

    >>> Recorder()
    Recorder(no take yet)
    """

    _esm = Path(__file__).with_name("recorder.js")
    _css = Path(__file__).with_name("recorder.css")

    memo = traitlets.Instance(VoiceMemo, allow_none=True, read_only=True)
    _cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    _limit_bytes = traitlets.Int().tag(sync=True)
    _m4a_seconds = traitlets.Int().tag(sync=True)
    _part_bytes = traitlets.Int(PART_BYTES).tag(sync=True)
    _starts = traitlets.Bool(False).tag(sync=True)

    def __init__(self, *, limit_bytes: int = MAX_MEMO_BYTES, start: bool = False) -> None:
        if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int) or not 0 < limit_bytes <= MAX_MEMO_BYTES:
            raise SettingsError(f"limit_bytes is a whole number from 1 to {MAX_MEMO_BYTES:,}, not {limit_bytes!r}")
        self.error: BaseException | None = None
        self._takes: dict[str, Take] = {}
        self._chosen: str | None = None
        self._parcels: dict[str, tuple[object, Parcel, Mapping[str, Any]]] = {}
        self._count = 0
        self._output = WidgetOutput()
        super().__init__(_limit_bytes=limit_bytes, _m4a_seconds=making.m4a_seconds(limit_bytes), _starts=bool(start))
        self.on_msg(self._hear)

    # --- what others read ---

    @property
    def takes(self) -> tuple[Take, ...]:
        """The takes that were kept, oldest first."""
        return tuple(self._takes.values())

    def record(self) -> views.Shown:
        """Return which takes there are, as a display that needs no kernel and holds no sound."""
        if not self._takes:
            return note("No take is kept in this recorder yet.")
        rows = [(one.name, making.told(one) + (" · chosen" if self._is_chosen(one) else "")) for one in self.takes]
        return views.summary("Recorded here; the sound itself is not saved with the notebook", rows)

    def close(self) -> None:
        """Close the widget, which lets the microphone go; ``memo`` and ``takes`` stay."""
        if self.comm is not None:
            self._output.end(CLOSED)
        super().close()

    # --- display ---

    def __repr__(self) -> str:
        count = len(self._takes)
        if not count:
            return "Recorder(no take yet)"
        chosen = f", chosen: {self._takes[self._chosen]!r}" if self._chosen else ""
        return f"Recorder({count} {'take' if count == 1 else 'takes'}{chosen})"

    def _ipython_display_(self) -> None:
        """Show the widget, and below it a static output that keeps what was recorded."""
        if self.comm is None:
            self._output.show_ended(CLOSED, self.record())
        else:
            self._output.show(self, repr(self), self.record())

    # --- what the page asks ---

    def _hear(self, _widget: object, content: Any, buffers: Sequence[memoryview]) -> None:
        """Do what the page asks and answer it; an error is told there, for a callback's would show nowhere."""
        if not isinstance(content, dict):
            return
        try:
            answer = self._obey(content, buffers)
        except Exception as error:  # noqa: BLE001  the person at the page must see any error
            self.error = error
            answer = {"kind": "failed", "why": clean(error_text(error), 600)}
        self.send({**answer, "take": content.get("take"), "attempt": content.get("attempt")})

    def _obey(self, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Reply:
        acts: dict[str, Callable[[], Reply]] = {
            "begin": lambda: self._begin(content),
            "part": lambda: self._take_part(content, buffers),
            "choose": lambda: self._choose(str(content.get("take"))),
            "trim": lambda: self._trim(content),
            "discard": lambda: self._discard(str(content.get("take"))),
            "fetch": lambda: self._hand_out(str(content.get("take"))),
        }
        act = acts.get(str(content.get("kind")))
        return act() if act else {"kind": "done"}

    def _begin(self, content: Mapping[str, Any]) -> Reply:
        """Open a parcel for a take; one that was begun before and not finished starts anew."""
        parcel = Parcel(content.get("size_bytes"), content.get("parts"), content.get("crc32"))
        self._parcels[str(content.get("take"))] = (content.get("attempt"), parcel, content)
        return {"kind": "next", "part": 0}

    def _take_part(self, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Reply:
        take_id = str(content.get("take"))
        attempt, parcel, announced = self._parcels.get(take_id, (None, None, {}))
        if parcel is None or attempt != content.get("attempt"):
            return {"kind": "done"}
        parcel.add(content.get("part"), buffers[0] if buffers else b"")
        if not parcel.complete:
            return {"kind": "next", "part": parcel.next}
        del self._parcels[take_id]
        self.send({"kind": "busy", "take": take_id, "attempt": attempt})
        self._keep(self._made(take_id, parcel.opened(), announced))
        return {"kind": "kept"}

    def _made(self, take_id: str, data: bytes, announced: Mapping[str, Any]) -> Take:
        """Make the take of what arrived: a recording gets the next number, a file keeps its name."""
        if announced.get("what") == "file":
            return making.loaded(take_id, str(announced.get("name") or "memo"), data, self._limit_bytes)
        made = making.recorded(take_id, f"Take {self._count + 1}", data, announced.get("rate_hz"), self._limit_bytes)
        self._count += 1
        return made

    def _keep(self, take: Take) -> None:
        """Add or change a take; the newest is the chosen one."""
        self._takes[take.take_id] = take
        self._choose(take.take_id)

    def _choose(self, take_id: str | None) -> Reply:
        if take_id is None or take_id in self._takes:
            self._chosen = take_id
            self._changed()
        return {"kind": "done"}

    def _trim(self, content: Mapping[str, Any]) -> Reply:
        take = self._takes.get(str(content.get("take")))
        if take is not None:
            cut = making.trimmed(take, content.get("start_ms"), content.get("end_ms"), self._limit_bytes)
            self._takes[cut.take_id] = cut
            self._changed()
        return {"kind": "done"}

    def _discard(self, take_id: str) -> Reply:
        """Forget a take; the newest of the others takes its place if it was the chosen one."""
        self._takes.pop(take_id, None)
        if self._chosen not in self._takes:
            self._chosen = next(reversed(self._takes), None)
        self._changed()
        return {"kind": "done"}

    def _hand_out(self, take_id: str) -> Reply:
        """Send the sound of a take to a page that does not have it, one that was reloaded."""
        take = self._takes.get(take_id)
        if take is None:
            return {"kind": "failed", "why": "this take is no longer in the kernel"}
        sound, mime_type = take.sound
        for start in range(0, len(sound), PART_BYTES):
            self.send({"kind": "sound", "take": take_id, "mime": mime_type, "size_bytes": len(sound), "start": start},
                      [sound[start : start + PART_BYTES]])  # fmt: skip
        return {"kind": "done"}

    # --- what changed ---

    def _is_chosen(self, take: Take) -> bool:
        return take.take_id == self._chosen

    def _changed(self) -> None:
        """Tell the page, the record in the notebook, and whoever observes ``memo``."""
        self._cards = [making.card(one, chosen=self._is_chosen(one)) for one in self.takes]
        self._output.update(self.record())
        self.set_trait("memo", self._takes[self._chosen].memo if self._chosen else None)
