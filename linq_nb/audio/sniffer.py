"""The kind of a file, by its content alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from linq_nb.audio import aiff, amr, caf, joined, mp4, mpeg, refusals, riff
from linq_nb.audio.formats import FORMATS
from linq_nb.audio.refusals import Refusal
from linq_nb.audio.sound import Sound

_C, _O, _N = refusals.convertible, refusals.other_audio, refusals.not_audio

# The advice that fits, the name of a format, and its first bytes.
_MAGICS: tuple[tuple[Callable[[str], Refusal], str, tuple[bytes, ...]], ...] = (
    (_C, "FLAC", (b"fLaC",)),
    (_C, "WMA or WMV (ASF)", (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",)),
    (_O, "AAC in ADIF", (b"ADIF",)),
    (_C, "Monkey's Audio (APE)", (b"MAC ",)),
    (_C, "WavPack", (b"wvpk",)),
    (_C, "Musepack", (b"MPCK", b"MP+")),
    (_C, "True Audio (TTA)", (b"TTA1", b"TTA2")),
    (_C, "TAK", (b"tBaK",)),
    (_O, "OptimFROG", (b"OFR ",)),
    (_C, "Shorten", (b"ajkg",)),
    (_C, "Sun AU", (b".snd", b"dns.")),
    (_C, "Sony Wave64", (b"riff\x2e\x91\xcf\x11",)),
    (_C, "Creative Voice (VOC)", (b"Creative Voice File",)),
    (_C, "NIST SPHERE", (b"NIST_1A",)),
    (_C, "DSD (DSF)", (b"DSD ",)),
    (_C, "DSD (DSDIFF)", (b"FRM8",)),
    (_O, "MIDI, which is notes and no sound", (b"MThd",)),
    (_O, "a tracker module", (b"IMPM", b"Extended Module:")),
    (_C, "RealAudio", (b".ra\xfd",)),
    (_C, "RealMedia", (b".RMF",)),
    (_C, "DTS", (b"DTSHDHDR", b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")),
    (_O, "SILK (a WeChat or Skype voice message)", (b"\x02#!SILK", b"#!SILK")),
    (_O, "EVRC", (b"#!EVRC",)),
    (_O, "QCELP", (b"#!QCELP",)),
    (_C, "Flash video", (b"FLV\x01",)),
    (_N, "Flash", (b"FWS", b"CWS")),
    (_C, "MPEG video", (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")),
    (_N, "a program (ELF)", (b"\x7fELF",)),
    (_N, "a Windows program", (b"MZ",)),
    (_N, "a macOS program", (b"\xcf\xfa\xed\xfe",)),
    (_N, "a program", (b"\xca\xfe\xba\xbe",)),
    (_N, "a WebAssembly program", (b"\x00asm",)),
    (_N, "a PNG picture", (b"\x89PNG",)),
    (_N, "a JPEG picture", (b"\xff\xd8\xff",)),
    (_N, "a GIF picture", (b"GIF8",)),
    (_N, "a TIFF picture", (b"II*\0", b"MM\0*")),
    (_N, "a Photoshop picture", (b"8BPS",)),
    (_N, "a PDF document", (b"%PDF",)),
    (_N, "a PostScript document", (b"%!PS",)),
    (_N, "a zip archive or an Office document", (b"PK\x03\x04",)),
    (_N, "an empty zip archive", (b"PK\x05\x06",)),
    (_N, "a gzip archive", (b"\x1f\x8b",)),
    (_N, "a bzip2 archive", (b"BZh",)),
    (_N, "an xz archive", (b"\xfd7zXZ",)),
    (_N, "a 7z archive", (b"7z\xbc\xaf",)),
    (_N, "a RAR archive", (b"Rar!",)),
    (_N, "a zstd archive", (b"\x28\xb5\x2f\xfd",)),
    (_N, "an old Office document", (b"\xd0\xcf\x11\xe0",)),
    (_N, "an SQLite database", (b"SQLite format 3",)),
    (_N, "a property list", (b"bplist",)),
)
_OGG = {
    "video": (b"\x80theora", b"BBCD\0"),
    "Opus": (b"OpusHead",),
    "Vorbis": (b"\x01vorbis",),
    "Speex": (b"Speex   ",),
    "FLAC": (b"\x7fFLAC",),
}
_MATROSKA = {
    "video": (b"V_VP", b"V_AV1", b"V_MPEG", b"V_MS"),
    "Opus": (b"A_OPUS",),
    "Vorbis": (b"A_VORBIS",),
    "AAC": (b"A_AAC",),
    "FLAC": (b"A_FLAC",),
    "MP3": (b"A_MPEG/L3",),
    "PCM": (b"A_PCM",),
}
_RIFF = {
    b"AVI ": (_C, "AVI video"),
    b"RMID": (_O, "MIDI, which is notes and no sound"),
    b"WEBP": (_N, "a WebP picture"),
}
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
        sound = reader(view)
        if sound.seconds <= 0:
            raise refusals.no_sound(FORMATS[sound.format].label)
        return joined.parts(view, sound, read)
    pos = mpeg.skip_tags(view, 0)
    _refuse_magic(view, pos)
    start = _first_frame(view, pos)
    if start is None:
        raise _unknown(view, pos)
    if start.frame.layer > 1:
        raise refusals.convertible(mpeg.REFUSED_LAYERS[start.frame.layer])
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
    if start is not None and 2 * mpeg.walk(view, start).used_bytes < len(view) - start.pos:
        return None
    return start


def _refuse_magic(view: memoryview, pos: int) -> None:
    """Raise the Refusal for the format whose magic bytes are at ``pos``, if any."""
    head = bytes(view[pos : pos + 4096])
    for refusal, what, magics in _MAGICS:
        if head.startswith(magics):
            raise refusal(what)
    if head.startswith(b"OggS"):
        raise refusals.convertible(_named("Ogg", head, _OGG))
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        raise refusals.convertible(_named("WebM" if b"webm" in head[:64] else "Matroska", head, _MATROSKA))
    if head[:4] in (b"RIFF", b"RIFX"):
        refusal, what = _RIFF.get(head[8:12], (_N, "a RIFF file without sound"))
        raise refusal(what)
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV", b"MAUD"):
        raise refusals.convertible("Amiga IFF sound")
    if head[257:262] == b"ustar":
        raise refusals.not_audio("a tar archive")
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        raise refusals.convertible("an MPEG transport stream")
    if head[:2] == b"\x56\xe0" or (head[:1] == b"\x56" and _is_loas(head)):
        raise refusals.convertible("AAC in LATM")
    if head[:2] == b"\x0b\x77" and len(head) > 5 and head[5] >> 3 <= 16:  # AC-3 or E-AC-3, a valid stream id
        raise refusals.convertible("AC-3")


def _named(container: str, head: bytes, codecs: Mapping[str, tuple[bytes, ...]]) -> str:
    codec = next((codec for codec, magics in codecs.items() if any(magic in head for magic in magics)), "")
    return f"{container} video" if codec == "video" else f"{container}/{codec}".rstrip("/")


def _is_loas(head: bytes) -> bool:
    """Return whether two LATM frames follow each other."""
    if len(head) < 3 or head[1] & 0xE0 != 0xE0:
        return False
    after = 3 + ((head[1] & 0x1F) << 8 | head[2])
    return head[after : after + 1] == b"\x56"


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
