"""The story of the month: its chats, its recordings, and what goes wrong, where and since when.

All of it comes from hashes in whole numbers, so it is the same on every machine.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Literal, NamedTuple

from .people import AREAS, Person, Service

REGIONS = ("Austin", "Boston", "Chicago", "Denver")
FLAGGED_LINE = 1
MAX_CHATS, MIN_CHATS = 312, 32

#: When things begin: day of the month, hour (UTC).
FLAGGED, CAPPED, OUTAGE, OUTAGE_END = (12, 14), (19, 15), (20, 13), (20, 15)
SPOILED_DAY = 24
DEAD_DAYS, SILENT_DAY, OPT_OUT_DAYS = (15, 20), 22, (6, 25)

#: Codes and reasons of `message.failed` (linq docs and SDK, webhooks).
LINE_OFFLINE = (4002, "Sender line is offline")
WRONG_TYPE = (4005, "Recipient cannot receive this message type")
EXHAUSTED = (3007, "Delivery attempts exhausted")

_TOPICS = ("welcome", "reminder", "offer", "survey", "delivery", "follow-up", "thanks", "update", "invitation",
           "schedule", "feedback", "greeting")  # fmt: skip
_WORKDAY, _WEEKEND, _SLOT, _ROUND = 9, 4, timedelta(minutes=65), timedelta(minutes=45)
_OPENS = timedelta(hours=8)
_WAV, _BY_URL = 7, 11

_NUMBERS = struct.Struct(">8I")

Fate = Literal["opted_out", "spoiled", "capped", "down", "lost", "accepted"]


@dataclass(frozen=True)
class Member:
    """One chat of the month, and the times from which it is opted out, dead or silent."""

    number: int
    person: Person
    optout_at: datetime | None
    dead_since: datetime | None
    silent_since: datetime | None


@dataclass(frozen=True)
class Recording:
    """One recording of the month: a file that was uploaded once, or one at a URL."""

    number: int
    filename: str
    content_type: str
    size_bytes: int
    duration_ms: int
    sha256: str
    starts_at: datetime
    url: str | None

    @property
    def is_spoiled(self) -> bool:
        """Whether its host served another file that day."""
        return self.url is not None and self.starts_at.day == SPOILED_DAY


class Memo(NamedTuple):
    """One recording to one chat at a time, with eight numbers from 0 to 2**32 that decide its outcome."""

    member: Member
    recording: Recording
    copy: int
    at: datetime
    dice: tuple[int, ...]

    def between(self, die: int, low: int, high: int) -> int:
        """Give a whole number from `low` on and below `high`."""
        return low + (self.dice[die] * (high - low) >> 32)

    def share(self, die: int) -> float:
        return self.dice[die] / 2**32


@dataclass(frozen=True)
class Story:
    """A month of so many sends, beginning at midnight of its first day."""

    seed: int
    begin: datetime
    sends: int

    @property
    def days(self) -> list[date]:
        end = (self.begin + timedelta(days=31)).replace(day=1)
        return [self.begin.date() + timedelta(days=number) for number in range((end - self.begin).days)]

    def on(self, day: int, hour: int = 0) -> datetime:
        return self.begin + timedelta(days=day - 1, hours=hour)

    def members(self) -> list[Member]:
        return [self._member(number) for number in range(min(MAX_CHATS, max(MIN_CHATS, self.sends // 160)))]

    def _member(self, number: int) -> Member:
        dice = _dice(f"{self.seed}/member/{number}")
        at = {name: self.on(first + dice[0] % (last - first + 1), 9 + dice[1] % 8)
              for name, (first, last) in (("dead", DEAD_DAYS), ("out", OPT_OUT_DAYS))}  # fmt: skip
        return Member(
            number,
            _person(number, dice[2]),
            optout_at=at["out"] if number % 45 == 8 else None,
            dead_since=at["dead"] if number % 60 == 26 else None,
            silent_since=self.on(SILENT_DAY) if number % 100 == 30 else None,
        )

    def memos_by_day(self) -> Iterator[list[Memo]]:
        """Give all sends in order, one list a day."""
        members = self.members()
        again = self.sends // 1251
        first = self.sends - again
        audience = len(members) * 3 // 4
        rounds = -(-first // audience)
        by_day: dict[date, list[Memo]] = {day: [] for day in self.days}
        for number in range(rounds):
            recording = self._recording(number, rounds)
            sent = self._round(recording, members, min(audience, first - number * audience), audience)
            for place, memo in enumerate(sent, number * audience):
                by_day[recording.starts_at.date()].append(memo)
                if place % 1250 == 617 and place // 1250 < again:
                    by_day[recording.starts_at.date()].append(_once_more(memo))
        for memos in by_day.values():
            yield sorted(memos, key=lambda memo: (memo.at, memo.member.number, memo.copy))

    def _round(self, recording: Recording, members: list[Member], count: int, audience: int) -> list[Memo]:
        """Give the memos of one recording, spread over its round."""
        asked = f"{self.seed}/ask/{recording.number}"
        drawn = [(_dice(f"{asked}/{member.number}"), member) for member in members]
        drawn.sort(key=lambda pair: (pair[0][0], pair[1].number))
        step = _ROUND // audience
        return [
            Memo(member, recording, 1, recording.starts_at + step * place + step * dice[1] // 2**32, dice)
            for place, (dice, member) in enumerate(drawn[:count])
        ]

    def _recording(self, number: int, rounds: int) -> Recording:
        slots = [day for day in self.days for _ in range(_WEEKEND if day.weekday() > 4 else _WORKDAY)]
        place, part = divmod(number * len(slots) * 1000 // rounds, 1000)
        nth = place - slots.index(slots[place])
        starts_at = self.on(slots[place].day) + _OPENS + _SLOT * nth + _SLOT * part // 1000
        dice, kind = _dice(f"{self.seed}/recording/{number}"), number % len(_TOPICS)
        ending, content_type, per_second = _FORMATS[kind]
        duration_ms = 4_000 + dice[0] % 86_000
        filename = f"{_TOPICS[kind]}-{starts_at:%Y%m%d-%H%M}.{ending}"
        return Recording(
            number=number,
            filename=filename,
            content_type=content_type,
            size_bytes=44 + duration_ms * per_second // 1000,
            duration_ms=duration_ms,
            sha256=sha256(f"{self.seed}/{number}/{filename}".encode()).hexdigest(),
            starts_at=starts_at,
            url=f"https://media.example.com/memos/{filename}" if kind == _BY_URL else None,
        )

    def fate(self, memo: Memo) -> Fate:
        """Give the kind of Linq's answer."""
        at, (capped, uncapped), (outage, outage_end) = memo.at, self._capped, self._outage
        if memo.member.optout_at is not None and at >= memo.member.optout_at:
            return "opted_out"
        if memo.recording.is_spoiled:
            return "spoiled"
        if capped <= at < uncapped:
            return "capped"
        if outage <= at < outage_end and memo.share(7) < 0.6:
            return "lost" if memo.share(7) < 0.3 else "down"
        return "accepted"

    @cached_property
    def flagged_at(self) -> datetime:
        """When the line was flagged."""
        return self.on(*FLAGGED)

    @cached_property
    def _capped(self) -> tuple[datetime, datetime]:
        return self.on(*CAPPED), self.on(CAPPED[0] + 1)

    @cached_property
    def _outage(self) -> tuple[datetime, datetime]:
        return self.on(*OUTAGE), self.on(*OUTAGE_END)


_FORMATS: dict[int, tuple[str, str, int]] = {
    **dict.fromkeys(range(12), ("m4a", "audio/x-m4a", 8_000)),
    **dict.fromkeys((2, 5, _BY_URL), ("mp3", "audio/mpeg", 16_000)),
    _WAV: ("wav", "audio/x-wav", 16_000),
}


def _person(number: int, die: int) -> Person:
    """Give the person of a chat: most by iMessage, one region by RCS, some by SMS, some groups."""
    region = REGIONS[number % 4]
    service: Service = "SMS" if number % 12 == 4 else "RCS" if region == "Denver" else "iMessage"
    extra = (_number(number, 5), _number(number, 10)) if number % 12 == 9 else ()
    return Person(
        name=f"{region} {number // 4 + 1:02d}",
        handles=(_number(number), *extra),
        line=FLAGGED_LINE if number % 5 == 2 else 0,
        service=service,
        reads=die % 10 < 6,
    )


def _number(number: int, further: int = 0) -> str:
    """Give a number from the fictional ranges that `extra_person` reaches last."""
    return f"+1{AREAS[-1 - further - number // 100]}55501{number % 100:02d}"


def _once_more(memo: Memo) -> Memo:
    """Send the same recording to the same chat some minutes later, as if by mistake."""
    dice = (*memo.dice[1:], memo.dice[0])
    return Memo(memo.member, memo.recording, 2, memo.at + timedelta(seconds=240 + dice[2] % 300), dice)


def _dice(text: str) -> tuple[int, ...]:
    return _NUMBERS.unpack(sha256(text.encode()).digest())
