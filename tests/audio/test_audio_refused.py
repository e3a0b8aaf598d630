"""probe refuses other files with one line that names the kind of file and the next step."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from audio_makers import REFUSED, aiff, box, caf, chunk, data, id3, m4a_boxes, table, wav

from linq_nb.audio import probe
from linq_nb.errors import AudioError

ACCEPTED = "Linq takes MP3, M4A, AAC, CAF, WAV, AIFF and AMR"
CONVERT = "load it with convert=True (--convert in a magic) for an M4A, which needs `pip install linq_nb[audio]`"
M4A, FRONT, MP3 = data("moov-behind.m4a"), data("moov-in-front.m4a"), data("cbr.mp3")
NOISE = bytes(range(1, 256)) * 40


def zipped() -> bytes:
    """A zip archive that holds an MP3 as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("memo.mp3", MP3)
    return out.getvalue()


def refusal(content: bytes) -> str:
    """The one line of the AudioError, which knows whether it advises to convert."""
    with pytest.raises(AudioError) as caught:
        probe(content)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.convertible == (CONVERT in message)
    return message


@pytest.mark.parametrize("name", REFUSED)
def test_a_foreign_format_is_refused(name):
    message = refusal(data(name))
    assert REFUSED[name] in message
    assert ACCEPTED in message


def test_the_sample_that_is_not_accepted_says_how_to_convert_it():
    assert refusal(data("hello.ogg")) == f"this is Ogg/Opus; {ACCEPTED}; nothing was sent; {CONVERT}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (id3({b"TIT2": b"Hi"}) + data("lossless.flac"), f"this is FLAC; {ACCEPTED}; nothing was sent; {CONVERT}"),
        (b"ADIF" + NOISE, "AAC in ADIF"),
        (wav(bytes(600), bits=40), "WAV with a codec that phones do not play"),
        (wav(bytes(600), tag=0x161), "WAV with a codec that phones do not play (tag 0x0161)"),
        (b"MAC \x96\x0f" + NOISE, "Monkey's Audio"),
        (b"MPCK" + NOISE, "Musepack"),
        (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk", "MIDI, which is notes and no sound"),
        (b"RIFF\x20\0\0\0RMIDdata", "MIDI"),
        (b"RIFF\x20\0\0\0AVI LIST", "AVI video"),
        (b".RMF\0\0\0\x12" + NOISE, "RealMedia"),
        (b".ra\xfd\0\4" + NOISE, "RealAudio"),
        (b"\x7f\xfe\x80\x01" + NOISE, "DTS"),
        (b"DSD " + NOISE, "DSD"),
        (b"#!SILK_V3" + NOISE, "SILK"),
        (b"FORM\0\0\0\x208SVXVHDR", "Amiga"),
        (M4A.replace(b"mp4a", b"drms"), "protected (DRM)"),
        (M4A.replace(b"mp4a", b"enca"), "protected (DRM)"),
        (m4a_boxes(b"", entry=b"samr"), "AMR-NB in MP4"),
        (m4a_boxes(b"", entry=b"abcd"), "'abcd' in MP4"),
    ],
)
def test_another_audio_format_is_refused_with_its_name_and_an_advice(content, words):
    message = refusal(content)
    assert words in message
    assert ACCEPTED in message
    assert CONVERT in message or "export it as one of these" in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF\2\1\1" + NOISE, "a program (ELF)"),
        (b"MZ\x90\0" + NOISE, "a Windows program"),
        (b"\x89PNG\r\n\x1a\n" + NOISE, "a PNG picture"),
        (b"\xff\xd8\xff\xe0" + NOISE, "a JPEG picture"),
        (b"GIF89a" + NOISE, "a GIF picture"),
        (b"RIFF\x20\0\0\0WEBPVP8 ", "a WebP picture"),
        (box(b"ftyp", b"heic\0\0\0\0mif1") + NOISE, "a HEIF or AVIF picture"),
        (b"%PDF-1.7\n" + NOISE, "a PDF document"),
        (zipped(), "a zip archive"),
        (b"\x1f\x8b\x08" + NOISE, "a gzip archive"),
        (bytes(257) + b"ustar" + NOISE, "a tar archive"),
        (b"<!DOCTYPE html><html>not found</html>", "a web page (HTML)"),
        (b"\xef\xbb\xbf\n <html><body>" + b"x" * 5000, "a web page (HTML)"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b'{"error": "expired"}', "JSON"),
        (b"hello, this is text\n" * 50, "plain text"),
        ("grüße, schöne Wörter\n".encode() * 30, "plain text"),
        ("hello".encode("utf-16"), "plain text"),
        (NOISE, "not an audio file that we recognise"),
        (b"\xff" * 10_000, "not an audio file that we recognise"),
        (b"RIFF\x20\0\0\0ABCD" + NOISE, "a RIFF file without sound"),
        (m4a_boxes(b"", handler=b"text"), "MP4 without an audio track"),
    ],
)
def test_a_file_that_is_no_audio_is_refused_with_its_kind(content, words):
    message = refusal(content)
    assert message.startswith(f"this is {words}")
    assert message.endswith(f"{ACCEPTED}; nothing was sent; choose an audio file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (bytes(5000), "nothing but zeros"),
        (b"#!AMR\n", "AMR file has a header and no sound"),
        (b"#!AMR-WB\n", "AMR file has a header and no sound"),
        (wav(b""), "WAV file has a header and no sound"),
        (wav(b"", after=chunk(b"LIST", b"INFOIART\4\0\0\0Sam\0")), "WAV file has a header and no sound"),
        (wav(b"\0\0")[:20], "WAV file has a header and no sound"),
        (aiff(b"", frames=0), "AIFF file has a header and no sound"),
        (caf(b""), "CAF file has a header and no sound"),
        (data("aac.caf").partition(b"pakt")[0], "CAF file has lost its packet table"),
        (id3({b"TIT2": b"Hi"}), "ends after its tag"),
        (id3({b"APIC": bytes(4000)})[:2000], "ends after its tag"),
        (id3({b"TIT2": b"Hi"}) + NOISE, "a tag or a header and no sound"),
        (MP3[MP3.index(b"\xff\xfb") :][:150], "a tag or a header and no sound"),
        (MP3[MP3.index(b"\xff\xfb") :][:208], "no sound"),
        (b"\xff\xfb\x90\0" + NOISE, "a tag or a header and no sound"),
        (data("adts.aac")[:9], "a tag or a header and no sound"),
        (M4A[: len(M4A) // 2], "MP4 file is cut off: its index (moov) is incomplete"),
        (M4A[:-1], "MP4 file is cut off: its index (moov) is incomplete"),
        (FRONT[: len(FRONT) // 2], "of its sound are in the file"),
        (FRONT[:-1], "of its sound are in the file"),
        (data("fragmented.m4a")[:4000], "a fragment of"),
        (data("fragmented.m4a")[:1200], "of"),
        (m4a_boxes(table(b"stsz", 0, 0)), "M4A file has a header and no sound"),
        (m4a_boxes(table(b"stsz", 0, 50)), "M4A file ends in its index"),
        (box(b"styp", b"msdh\0\0\0\0") + box(b"moof"), "its index (moov) is incomplete"),
    ],
)
def test_a_file_without_its_sound_is_refused(content, words):
    message = refusal(content)
    assert words in message
    assert message.endswith("; nothing was sent; get the file again")


def test_the_error_for_a_cut_file_counts_the_bytes():
    message = refusal(FRONT[: len(FRONT) // 2])
    assert message.startswith("this M4A file is cut off: ")
    assert " of " in message


@pytest.mark.parametrize(
    "content",
    [
        b"#!AMR\n" + NOISE,
        wav(bytes(100), rate=0),
        wav(bytes(100), channels=0, bits=16),
        aiff(bytes(100), frames=50, channels=0),
        caf(bytes(100), rate=float("nan")),
        caf(bytes(100), rate=-1.0),
        caf(bytes(100), channels=0),
    ],
)
def test_a_damaged_file_is_refused_as_damaged(content):
    assert "damaged" in refusal(content)


def test_mp3_inside_something_else_is_not_an_mp3():
    form = b'------Boundary\r\nContent-Disposition: form-data; filename="a.mp3"\r\n\r\n'
    assert "not an audio file that we recognise" in refusal(form + MP3)
    assert "a zip archive" in refusal(zipped())


def test_raw_samples_are_not_read_as_frames():
    quiet = struct.pack("<4000h", *((i * 7919) % 5 - 3 for i in range(4000)))
    refusal(quiet)
    refusal(bytes(reversed(quiet)))
