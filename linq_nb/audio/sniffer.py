"""The kind of a file, by its content alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from linq_nb.audio import aiff, amr, caf, mp4, mpeg, refusals, riff
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound

_C, _O, _N = refusals.convertible, refusals.other_audio, refusals.not_audio


# First bytes -> name, and the refusal with the advice that fits.
_MAGICS: tuple[tuple[bytes, str, Callable[[str], Refusal]], ...] = (
    (b"fLaC", "FLAC", _C),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA or WMV (ASF)", _C),
    (b"ADIF", "AAC in ADIF", _O),
    (b"MAC ", "Monkey's Audio (APE)", _C),
    (b"wvpk", "WavPack", _C),
    (b"MPCK", "Musepack", _C),
    (b"MP+", "Musepack", _C),
    (b"TTA1", "True Audio (TTA)", _C),
    (b"TTA2", "True Audio (TTA)", _C),
    (b"tBaK", "TAK", _C),
    (b"OFR ", "OptimFROG", _O),
    (b"ajkg", "Shorten", _C),
    (b".snd", "Sun AU", _C),
    (b"dns.", "Sun AU", _C),
    (b"riff\x2e\x91\xcf\x11", "Sony Wave64", _C),
    (b"Creative Voice File", "Creative Voice (VOC)", _C),
    (b"NIST_1A", "NIST SPHERE", _C),
    (b"DSD ", "DSD (DSF)", _C),
    (b"FRM8", "DSD (DSDIFF)", _C),
    (b"MThd", "MIDI, which is notes and no sound", _O),
    (b"IMPM", "a tracker module", _O),
    (b"Extended Module:", "a tracker module", _O),
    (b".ra\xfd", "RealAudio", _C),
    (b".RMF", "RealMedia", _C),
    (b"DTSHDHDR", "DTS", _C),
    (b"\x7f\xfe\x80\x01", "DTS", _C),
    (b"\xfe\x7f\x01\x80", "DTS", _C),
    (b"\x1f\xff\xe8\x00", "DTS", _C),
    (b"\xff\x1f\x00\xe8", "DTS", _C),
    (b"\x02#!SILK", "SILK (a WeChat or Skype voice message)", _O),
    (b"#!SILK", "SILK (a WeChat or Skype voice message)", _O),
    (b"#!EVRC", "EVRC", _O),
    (b"#!QCELP", "QCELP", _O),
    (b"FLV\x01", "Flash video", _C),
    (b"FWS", "Flash", _N),
    (b"CWS", "Flash", _N),
    (b"\x00\x00\x01\xba", "MPEG video", _C),
    (b"\x00\x00\x01\xb3", "MPEG video", _C),
    (b"\x7fELF", "a program (ELF)", _N),
    (b"MZ", "a Windows program", _N),
    (b"\xcf\xfa\xed\xfe", "a macOS program", _N),
    (b"\xca\xfe\xba\xbe", "a program", _N),
    (b"\x00asm", "a WebAssembly program", _N),
    (b"\x89PNG", "a PNG picture", _N),
    (b"\xff\xd8\xff", "a JPEG picture", _N),
    (b"GIF8", "a GIF picture", _N),
    (b"II*\0", "a TIFF picture", _N),
    (b"MM\0*", "a TIFF picture", _N),
    (b"8BPS", "a Photoshop picture", _N),
    (b"%PDF", "a PDF document", _N),
    (b"%!PS", "a PostScript document", _N),
    (b"PK\x03\x04", "a zip archive or an Office document", _N),
    (b"PK\x05\x06", "an empty zip archive", _N),
    (b"\x1f\x8b", "a gzip archive", _N),
    (b"BZh", "a bzip2 archive", _N),
    (b"\xfd7zXZ", "an xz archive", _N),
    (b"7z\xbc\xaf", "a 7z archive", _N),
    (b"Rar!", "a RAR archive", _N),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _N),
    (b"\xd0\xcf\x11\xe0", "an old Office document", _N),
    (b"SQLite format 3", "an SQLite database", _N),
    (b"bplist", "a property list", _N),
)
_OGG = (
    (b"\x80theora", "video"),
    (b"BBCD\0", "video"),
    (b"OpusHead", "Opus"),
    (b"\x01vorbis", "Vorbis"),
    (b"Speex   ", "Speex"),
    (b"\x7fFLAC", "FLAC"),
)
_MATROSKA = (
    (b"V_VP", "video"),
    (b"V_AV1", "video"),
    (b"V_MPEG", "video"),
    (b"V_MS", "video"),
    (b"A_OPUS", "Opus"),
    (b"A_VORBIS", "Vorbis"),
    (b"A_AAC", "AAC"),
    (b"A_FLAC", "FLAC"),
    (b"A_MPEG/L3", "MP3"),
    (b"A_PCM", "PCM"),
)
_CLEAN_NEED, _GARBAGE_NEED = 2, 4
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _skip_zeros(view: memoryview, pos: int) -> int:
    zeros = re.compile(rb"\x00*").match(view, pos)
    return zeros.end() if zeros else pos


def read(view: memoryview) -> Sound:
    """Recognise and measure audio; raises Refusal for a format that Linq does not accept."""
    if not len(view):
        raise refusals.cut_off("file is empty")
    head = bytes(view[:16])
    reader = _container(head)
    if reader is not None:
        return reader(view)
    pos = mpeg.skip_tags(view, 0)
    _refuse_magic(view, pos)
    start = _first_frame(view, pos)
    if start is None:
        raise _unknown(view, pos)
    if start.frame.layer > 1:
        raise refusals.convertible(mpeg.name(start))
    sound = mpeg.read_mp3(view, start) if start.frame.layer == 1 else mpeg.read_adts(view, start)
    return sound if start.pos == _skip_zeros(view, pos) else replace(sound, browser=False)


def _container(head: bytes) -> Callable[[memoryview], Sound] | None:
    """Return the reader of a container, by its first bytes."""
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return riff.read
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return aiff.read
    if head[:4] == b"caff":
        return caf.read
    if head.startswith(amr.MAGICS):
        return amr.read
    if head[4:8] in mp4.FIRST_BOXES:
        return mp4.read
    return None


def _first_frame(view: memoryview, pos: int) -> mpeg.Start | None:
    """Find the first frame of MPEG audio: after tags and zeros, or after a little garbage."""
    pos = _skip_zeros(view, pos)
    start = mpeg.run(view, pos, _CLEAN_NEED, mpeg.free_length(view, pos))
    if start is not None or _is_text(bytes(view[pos : pos + 24])):
        return start
    start = mpeg.find(view, pos, _GARBAGE_NEED)
    if start is not None and 2 * mpeg.used_bytes(view, start) < len(view) - start.pos:
        return None
    return start


def _refuse_magic(view: memoryview, pos: int) -> None:
    """Raise the Refusal for the format whose magic bytes are at ``pos``, if any."""
    head = bytes(view[pos : pos + 4096])
    for magic, what, refusal in _MAGICS:
        if head.startswith(magic):
            raise refusal(what)
    if head.startswith(b"OggS"):
        raise refusals.convertible(_named("Ogg", head, _OGG))
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        raise refusals.convertible(_named("WebM" if b"webm" in head[:64] else "Matroska", head, _MATROSKA))
    if head[:4] in (b"RIFF", b"RIFX"):
        raise _riff_other(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV", b"MAUD"):
        raise refusals.convertible("Amiga IFF sound")
    if head[257:262] == b"ustar":
        raise refusals.not_audio("a tar archive")
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        raise refusals.convertible("an MPEG transport stream")
    if head[:2] == b"\x56\xe0" or (head[:1] == b"\x56" and _is_loas(head)):
        raise refusals.convertible("AAC in LATM")
    if _is_ac3(head):
        raise refusals.convertible("AC-3")


def _named(container: str, head: bytes, codecs: tuple[tuple[bytes, str], ...]) -> str:
    names = [codec for magic, codec in codecs if magic in head]
    if not names:
        return container
    return f"{container} video" if names[0] == "video" else f"{container}/{names[0]}"


def _riff_other(kind: bytes) -> Refusal:
    if kind == b"AVI ":
        return refusals.convertible("AVI video")
    if kind == b"RMID":
        return refusals.other_audio("MIDI, which is notes and no sound")
    if kind == b"WEBP":
        return refusals.not_audio("a WebP picture")
    return refusals.not_audio("a RIFF file without sound")


def _is_loas(head: bytes) -> bool:
    """Return whether two LATM frames follow each other."""
    if len(head) < 3 or head[1] & 0xE0 != 0xE0:
        return False
    after = 3 + ((head[1] & 0x1F) << 8 | head[2])
    return head[after : after + 1] == b"\x56"


def _is_ac3(head: bytes) -> bool:
    """Return whether there is an AC-3 or E-AC-3 sync word with a valid stream id."""
    return head[:2] == b"\x0b\x77" and len(head) > 5 and head[5] >> 3 <= 16


def _is_text(head: bytes) -> bool:
    """Return whether bytes are text: no control characters, and UTF-8 or mostly plain letters."""
    if not head or _NOT_TEXT.search(head):
        return False
    strange = sum(letter == "\ufffd" for letter in head.decode("utf-8", "replace"))
    return strange * 5 < len(head)


def _unknown(view: memoryview, pos: int) -> Refusal:
    """Return the Refusal for bytes without audio."""
    head = bytes(view[pos : pos + 1024])
    if not head.strip(b"\0"):
        if pos:
            return refusals.cut_off("file ends after its tag and has no sound")
        if not _skip_zeros(view, 0) < len(view):
            return refusals.cut_off("file holds nothing but zeros")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return refusals.not_audio("plain text (UTF-16)")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return refusals.not_audio("a web page (HTML)")
    if text.startswith((b"<?xml", b"<svg", b"<error")):
        return refusals.not_audio("XML")
    if text.startswith((b"{", b"[")) and _is_text(head):
        return refusals.not_audio("JSON")
    if _is_text(head):
        return refusals.not_audio("plain text")
    if pos or mpeg.header(view, 0) is not None:
        return refusals.cut_off("file has a tag or a header and no sound")
    return refusals.not_audio("not an audio file that we recognise")
