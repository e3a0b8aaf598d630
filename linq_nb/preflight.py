"""Checks before a send, one small function a rule. Pure: nothing leaves the machine.

An ``error`` stops the send, a ``warning`` and an ``info`` are shown. The rules are Linq's own (its page of the voice
memo endpoint, its docs, its SDK), or follow from them where they are silent.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePath
from urllib.parse import urlsplit

from linq_nb import audio, views
from linq_nb.errors import AudioError, problem_of, without_outcome
from linq_nb.hosts import is_private_host
from linq_nb.model import Chat, Finding, VoiceMemo, names_of_parameters, url_names_of
from linq_nb.status import NO_RECEIPT_SERVICE
from linq_nb.text import clean, names_of

SILENCE_PEAK = 0.003
"""Our own: nothing above -50 dBFS is silence to a listener."""

CLIPPED_SHARE = 0.001
"""Our own: one sample in a thousand at full scale is audible."""

ACCEPTABLE = frozenset({"chat_critical", "too_large", "url_may_repeat"})
"""Errors that ``accept=`` turns into warnings; the others cannot succeed."""

Rule = Callable[[VoiceMemo], Iterator[Finding]]
ChatRule = Callable[[Chat, VoiceMemo], Iterator[Finding]]


def check_memo(memo: VoiceMemo) -> list[Finding]:
    """Return the findings on a memo alone, errors first."""
    return _sorted(finding for rule in MEMO_RULES for finding in rule(memo))


def check_chat(chat: Chat, memo: VoiceMemo) -> list[Finding]:
    """Return the findings on sending this memo to this chat, errors first."""
    return _sorted(finding for rule in CHAT_RULES for finding in rule(chat, memo))


def may_repeat(memo: VoiceMemo, copy: int, other: str) -> Finding:
    """Return the finding on a memo whose URL differs from ``other`` only in what may be a signature."""
    url = url_names_of(memo)
    names = f" ({clean(names_of_parameters(url.may_sign), 80)})" if url and url.may_sign else ""
    return _error(
        "url_may_repeat",
        f"this may be the memo of {other}: the two URLs differ only in what may be a signature{names}; "
        f"copy={copy + 1} (--copy {copy + 1}) sends it as another memo, "
        'accept=["url_may_repeat"] (--accept url_may_repeat) sends it anyway',
    )


def settle(findings: Iterable[Finding], accept: Collection[str] = (), *, optout: bool = False) -> list[Finding]:
    """Turn the errors that the caller accepts into warnings: by code, or the opt-out by its own override."""
    accepted = (ACCEPTABLE & set(accept)) | ({"chat_opted_out"} if optout else set())
    return _sorted(
        dataclasses.replace(finding, level="warning", message=f"{finding.message} (accepted)")
        if finding.level == "error" and finding.code in accepted
        else finding
        for finding in findings
    )


def acceptable(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the codes to accept so that nothing stops the send any more; empty where that cannot be had."""
    codes = frozenset(finding.code for finding in findings if finding.level == "error")
    return codes if codes <= ACCEPTABLE else frozenset()


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stop a send."""
    return [finding for finding in findings if finding.level == "error"]


# --- the memo -------------------------------------------------------------------------------------------------


def one_source(memo: VoiceMemo) -> Iterator[Finding]:
    given = {"audio": memo.data and memo.source != "url", "URL": memo.url, "attachment id": memo.attachment_id}
    names = [name for name, value in given.items() if value]
    if len(names) != 1:
        which = names_of(names) if names else "none"
        yield _error(
            "one_source",
            f"a memo has exactly one of audio, URL and attachment id, and this one has {which}; make it by from_file, "
            "from_url or from_attachment",
        )


def known_format(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.data is not None and memo.format not in audio.FORMATS:
        yield _error("format", f"the format is not one of {_formats()}; memo.convert() makes an M4A")


def declared_type(memo: VoiceMemo) -> Iterator[Finding]:
    real = _facts(memo)
    if memo.declared_type is None or real is None:
        return
    if audio.mime_format(memo.declared_type) != memo.format:
        yield _error(
            "declared_type",
            f"declared as {memo.declared_type}, but it is {real.label} ({real.mime_type}); leave out mime_type",
        )


def extension(memo: VoiceMemo) -> Iterator[Finding]:
    if not memo.filename:
        return
    suffix, named = PurePath(memo.filename).suffix, audio.extension_format(memo.filename)
    facts = _facts(memo)
    if memo.source == "url" and (named is None or (memo.data is not None and named != memo.format)):
        wants = f"Linq wants the extension of {_formats()} that fits (5006)"
        if not suffix:
            yield _warning("extension", f"the URL has no extension; {wants}, and may refuse it")
            return
        real = f", but is {facts.label}" if facts and named else ""
        yield _error("extension", f"the URL ends in {suffix}{real}; {wants}; upload the file instead")
    elif memo.data is not None and facts and named != memo.format:
        named_so = f"named {suffix}" if suffix else "named without extension"
        yield _warning("extension", f"{named_so}, but is {facts.extension}: uploaded as {upload_name(memo)}")


def size(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.size_bytes is not None and memo.size_bytes > audio.MAX_MEMO_BYTES:
        yield _error(
            "too_large", f"{views.size(memo.size_bytes)} is over Linq's 10 MB for voice memos; {_smaller(memo)}"
        )


def filename(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.data is not None and len(upload_name(memo)) > audio.MAX_FILENAME:
        yield _error("filename", f"the file name has over {audio.MAX_FILENAME} characters; give a shorter one")


def https_url(memo: VoiceMemo) -> Iterator[Finding]:
    if not memo.url:
        return
    parts = urlsplit(memo.url)
    if parts.scheme.lower() != "https":
        yield _error("https", f"the URL is {parts.scheme}, Linq downloads https only; use https, or upload the file")
    if parts.username or parts.password:
        yield _error("url_login", "the URL carries a login; Linq needs a public URL; upload the file instead")
    if is_private_host(parts.hostname or ""):
        yield _error("url_private", "the URL is not public, so Linq cannot download it; upload the file instead")


def sound(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.data is None:
        return
    if memo.duration_ms is None:
        yield _warning("length", "the file claims a length of more than a year, so none is shown; export it anew")
        return
    if not memo.duration_ms:
        yield _warning("empty", "the memo is empty: 0 seconds of audio")
        return
    try:
        levels = audio.levels(memo.data)
    except AudioError as error:
        yield _warning("undecodable", f"the audio could not be decoded to look at its loudness: {problem_of(error)}")
        return
    if levels is None:
        return
    if not levels.is_whole:
        heard = f"{views.duration(round(levels.seconds * 1000))} of {views.duration(memo.duration_ms)}"
        yield _info("long", f"only the first {heard} were listened to; the memo is sent whole")
    stated_s = memo.duration_ms / 1000
    is_padding = abs(stated_s - levels.seconds) <= max(0.03 * stated_s, 0.5)  # of the encoder
    if levels.is_whole and memo.codec and not is_padding and not audio.player_doubts(memo.data):
        lengths = f"{stated_s:.2f} s by its own account, {levels.seconds:.2f} s when it is played"
        yield _warning("length", f"the memo is {lengths}; memo.convert() makes one of a clear length")
    if levels.peak < SILENCE_PEAK:
        yield _warning("silent", "the memo is silent")
    elif levels.clipped_ratio > CLIPPED_SHARE:
        yield _warning("clipped", f"the memo is clipped: {levels.clipped_ratio:.1%} of it is at full scale")


def players(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.data is not None:
        with contextlib.suppress(AudioError):
            yield from (_warning("players_differ", doubt) for doubt in audio.player_doubts(memo.data))


def not_heard(memo: VoiceMemo) -> Iterator[Finding]:
    if memo.source == "url" and memo.data is None:
        yield _info("not_fetched", "the URL was not downloaded, so its audio is not checked; outbox.fetch(memo) does")
    elif memo.source == "attachment" and memo.data is None:
        yield _info("not_checked", "the audio was uploaded before, so it is not checked here")


MEMO_RULES: tuple[Rule, ...] = (
    one_source, known_format, declared_type, extension, size, filename, https_url, sound, players, not_heard,
)  # fmt: skip


# --- the chat -------------------------------------------------------------------------------------------------


def service(chat: Chat, memo: VoiceMemo) -> Iterator[Finding]:
    if chat.service in ("SMS", "RCS"):
        doubt = "; on SMS its arrival is unproven" if chat.service == NO_RECEIPT_SERVICE else ""
        message = f"this chat is {chat.service}: the memo arrives as an audio attachment, not as a memo bubble"
        yield _warning("not_a_bubble", message + doubt)
    if any(person.is_me and person.line_type == "RCS" for person in chat.handles):
        yield _warning("rcs_line", "your line never sends iMessage: the memo arrives as an attachment")


def group(chat: Chat, memo: VoiceMemo) -> Iterator[Finding]:
    if chat.is_group:
        receivers = f" ({views.people(len(chat.others))} receive it)" if chat.others else ""
        yield _info("no_receipts", f"a group{receivers}: Linq reports sent, never delivered or read")


def health(chat: Chat, memo: VoiceMemo) -> Iterator[Finding]:
    match chat.health_status:
        case None | "HEALTHY":
            return
        case "AT_RISK":
            yield _warning("chat_at_risk", "Linq rates this chat AT_RISK: slow down, let them answer first")
        case "CRITICAL":
            message = "Linq rates this chat CRITICAL: wait, or send despite this finding by accepting chat_critical"
            yield _error("chat_critical", message)
        case "OPTED_OUT":
            yield _error("chat_opted_out", "the recipient opted out: do not send until they write to you")
        case rating:
            yield _warning("chat_health", f"Linq rates this chat {rating}, which is not documented")


def active(chat: Chat, memo: VoiceMemo) -> Iterator[Finding]:
    left = any(person.is_me and person.status in ("left", "removed") for person in chat.handles)
    if chat.is_active is False or left:
        yield _error("chat_inactive", "your line is no longer in this chat; choose another chat")
    elif chat.handles and not chat.others:
        yield _error("chat_empty", "nobody else is left in this chat; choose another chat")


CHAT_RULES: tuple[ChatRule, ...] = (service, group, health, active)


# --- helpers --------------------------------------------------------------------------------------------------


def upload_name(memo: VoiceMemo) -> str:
    """Return the name to upload under: the memo's own, with the extension that fits its content (5006)."""
    name = PurePath(memo.filename or "memo").name or "memo"
    facts, named = _facts(memo), audio.extension_format(name)
    if facts is None or named == memo.format:
        return name
    return f"{PurePath(name).stem if named else name}{facts.extension}"


def _facts(memo: VoiceMemo) -> audio.FormatFacts | None:
    return audio.FORMATS.get(memo.format or "")


def _smaller(memo: VoiceMemo) -> str:
    """Say what makes a memo small enough."""
    try:
        bit_rate = audio.fitting_bit_rate(memo.data) if memo.data is not None and memo.duration_ms else None
    except AudioError as error:
        return without_outcome(str(error))
    if bit_rate is None:
        return "shorten it"
    needs = "" if audio.can_transcode() else ", which needs `pip install linq_nb[audio]`"
    return f"memo.convert() (--convert) makes an M4A of it that fits, at about {bit_rate // 1000} kbit/s{needs}"


def _formats() -> str:
    return names_of([facts.label for facts in audio.FORMATS.values()])


_ORDER = {"error": 0, "warning": 1, "info": 2}


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: _ORDER[finding.level])


def _error(code: str, message: str) -> Finding:
    return Finding(level="error", code=code, message=message)


def _warning(code: str, message: str) -> Finding:
    return Finding(level="warning", code=code, message=message)


def _info(code: str, message: str) -> Finding:
    return Finding(level="info", code=code, message=message)
