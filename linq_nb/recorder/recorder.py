"""Recorder: the widget. The page records and plays; the kernel keeps the takes, in memory and in no widget state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import views
from linq_nb.audio import MAX_MEMO_BYTES, MAX_UPLOAD_BYTES
from linq_nb.errors import SettingsError
from linq_nb.model import VoiceMemo
from linq_nb.recorder import takes
from linq_nb.recorder.takes import ChunkedUpload, Take
from linq_nb.widgets.base import SHARED_CSS, SHARED_JS, Widget, joined
from linq_nb.widgets.output import note

OWN_CSS = Path(__file__).with_name("recorder.css")
CHUNK_BYTES = 1_000_000
"""Sound goes to the page and comes from it in chunks: a message above about 10 MB never arrives."""

Reply = dict[str, Any]
"""A message to the page, the answer to one of its own."""


class Recorder(Widget):
    """Records voice memos with the microphone of the page, and takes audio files where there is none.

    ``memo`` is the chosen take as a VoiceMemo, None while there is none: ``recorder.observe(act, "memo")`` calls when
    it changes. ``takes`` are all takes, ``error`` is the last exception; ``close()`` releases the microphone and keeps
    them. A take is a 16-bit mono WAV at the rate of the microphone; one that is larger than ``limit_bytes`` (10 MB,
    what Linq takes: 1:44 at 48 kHz) becomes an M4A, which needs ``linq_nb[audio]`` and holds 18 minutes.
    ``memo.convert()`` makes an M4A of any take.
    With ``start`` it asks for the microphone as soon as it is shown, as a press on Record does.
    Sound stays in this kernel's memory; a saved notebook keeps only how many takes there were and how long.
    Raises SettingsError for a limit that is not a number of bytes up to Linq's.

    >>> Recorder()
    Recorder(no take yet)
    """

    _esm = joined(*SHARED_JS, Path(__file__).with_name("recorder.js"))
    _css = joined(SHARED_CSS, OWN_CSS)

    _noun = "recorder"
    _repeated = ("take", "attempt")
    memo = traitlets.Instance(VoiceMemo, allow_none=True, read_only=True)
    _cards = traitlets.List(traitlets.Dict()).tag(sync=True)
    _limit_bytes = traitlets.Int().tag(sync=True)
    _m4a_seconds = traitlets.Int().tag(sync=True)
    _chunk_bytes = traitlets.Int(CHUNK_BYTES).tag(sync=True)
    _max_file_bytes = traitlets.Int(MAX_UPLOAD_BYTES).tag(sync=True)
    _starts = traitlets.Bool(False).tag(sync=True)

    def __init__(self, *, limit_bytes: int = MAX_MEMO_BYTES, start: bool = False) -> None:
        if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int) or not 0 < limit_bytes <= MAX_MEMO_BYTES:
            raise SettingsError(
                f"limit_bytes is a whole number from 1 to {MAX_MEMO_BYTES:,}, not {limit_bytes!r}; nothing was opened; "
                "leave it out for the limit of a memo"
            )
        self._takes: dict[str, Take] = {}
        self._chosen: str | None = None
        self._uploads: dict[str, tuple[object, ChunkedUpload, Mapping[str, Any]]] = {}
        self._count = 0
        super().__init__(_limit_bytes=limit_bytes, _m4a_seconds=takes.m4a_seconds(limit_bytes), _starts=bool(start))

    # --- what others read ---

    @property
    def takes(self) -> tuple[Take, ...]:
        """The takes that were kept, oldest first."""
        return tuple(self._takes.values())

    def record(self) -> views.Shown:
        """Return the list of takes, as a display that needs no kernel and holds no sound."""
        if not self._takes:
            return note("No take is kept in this recorder yet.")
        chosen = {self._chosen: " · chosen"}
        rows = [(take.name, takes.facts(take) + chosen.get(take.take_id, "")) for take in self.takes]
        return views.summary("Recorded here; the sound itself is not saved with the notebook", rows)

    # --- display ---

    def __repr__(self) -> str:
        count = len(self._takes)
        if not count:
            return "Recorder(no take yet)"
        chosen = f", chosen: {self._takes[self._chosen]!r}" if self._chosen else ""
        return f"Recorder({count} {'take' if count == 1 else 'takes'}{chosen})"

    # --- messages of the page ---

    def _handle(self, content: dict[str, Any], buffers: Sequence[memoryview]) -> Reply:
        take_id = str(content.get("take"))
        match content.get("kind"):
            case "begin":  # an upload that was begun before and not finished starts anew
                upload = ChunkedUpload(content.get("size_bytes"), content.get("chunks"), content.get("crc32"))
                self._uploads[take_id] = (content.get("attempt"), upload, content)
                return {"kind": "next", "chunk": 0}
            case "chunk":
                return self._add_chunk(take_id, content, buffers)
            case "fetch":
                return self._send_sound(take_id)
            case "choose" if take_id in self._takes:
                self._choose(take_id)
            case "trim" if take_id in self._takes:
                start, end = content.get("start_ms"), content.get("end_ms")
                self._takes[take_id] = takes.trimmed(self._takes[take_id], start, end, self._limit_bytes)
                self._choose(self._chosen)
            case "discard":
                self._takes.pop(take_id, None)
                newest = next(reversed(self._takes), None)
                self._choose(self._chosen if self._chosen in self._takes else newest)
        return {"kind": "done"}

    def _add_chunk(self, take_id: str, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> Reply:
        attempt, upload, announced = self._uploads.get(take_id, (None, None, {}))
        if upload is None or attempt != content.get("attempt"):
            return {"kind": "done"}
        upload.add(content.get("chunk"), buffers[0] if buffers else b"")
        if not upload.is_complete:
            return {"kind": "next", "chunk": upload.next}
        del self._uploads[take_id]
        self.send({"kind": "busy", "take": take_id, "attempt": attempt})
        self._takes[take_id] = self._make_take(take_id, upload.content(), announced)
        self._choose(take_id)
        return {"kind": "kept"}

    def _make_take(self, take_id: str, data: bytes, announced: Mapping[str, Any]) -> Take:
        """Make a take of an upload: a recording gets the next number, a file keeps its name."""
        if announced.get("what") == "file":
            return takes.loaded(take_id, str(announced.get("name") or "memo"), data, self._limit_bytes)
        take = takes.recorded(take_id, f"Take {self._count + 1}", data, announced.get("rate_hz"), self._limit_bytes)
        self._count += 1
        return take

    def _send_sound(self, take_id: str) -> Reply:
        """Send the sound of a take to a page that was reloaded and does not have it."""
        take = self._takes.get(take_id)
        if take is None:
            return {"kind": "failed", "why": "this take is no longer in the kernel; record it again"}
        sound, mime_type = take.sound
        for start in range(0, len(sound), CHUNK_BYTES):
            self.send({"kind": "sound", "take": take_id, "mime": mime_type, "size_bytes": len(sound), "start": start},
                      [sound[start : start + CHUNK_BYTES]])  # fmt: skip
        return {"kind": "done"}

    # --- what changed ---

    def _choose(self, take_id: str | None) -> None:
        """Choose a take; update the observers of ``memo``, then the record, then the page, which says "kept"."""
        self._chosen = take_id
        self.set_trait("memo", self._takes[take_id].memo if take_id else None)
        self._output.update(self.record())
        self._cards = [takes.card(take, is_chosen=take.take_id == take_id) for take in self.takes]
