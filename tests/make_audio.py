"""Make the sample memos in linq_nb/demo/audio and the fixtures in tests/audio/data.

Needs espeak-ng, ffmpeg 5 or newer with libmp3lame, libopus, libvorbis, libspeex and libx264,
sox with AMR-NB (libsox-fmt-all), and for AMR-WB gcc with libvo-amrwbenc-dev:

    python tests/make_audio.py

Everything is made from one spoken sentence, and a second run makes the same bytes. The lengths in
truth.json are those that ffmpeg decodes (for AMR, whose pauses ffmpeg skips, those that went in);
linq_nb has no part in them.
"""

from __future__ import annotations

import json
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SAMPLES = ROOT.parent / "linq_nb" / "demo" / "audio"
DATA = ROOT / "audio" / "data"
WORDS = "Hi, it's Sam. The flowers came today, and they are lovely. Thank you!"
EXACT = ["-flags:a", "+bitexact", "-fflags", "+bitexact"]
TAGS = "-metadata title=Hello -metadata artist=Sam"

AMRWB_C = r"""
#include <stdio.h>
#include <vo-amrwbenc/enc_if.h>
int main(void) {
    short in[320];
    unsigned char out[100];
    void *state = E_IF_init();
    fwrite("#!AMR-WB\n", 1, 9, stdout);
    while (fread(in, 2, 320, stdin) == 320) fwrite(out, 1, E_IF_encode(state, 2, in, out, 0), stdout);
    E_IF_exit(state);
    return 0;
}
"""

# file -> arguments of ffmpeg, then what probe should say: format, codec, Hz, channels
TAKEN: dict[str, tuple[str, str, str, int, int]] = {
    "cbr.mp3": ("-ar 44100 -b:a 64k", "mp3", "MP3", 44100, 1),
    "mpeg2.mp3": ("-ar 22050 -b:a 32k -write_xing 0", "mp3", "MP3", 22050, 1),
    "mpeg25.mp3": ("-ar 8000 -b:a 16k", "mp3", "MP3", 8000, 1),
    "vbr.mp3": ("-ar 24000 -q:a 4", "mp3", "MP3", 24000, 1),
    "vbr-without-xing.mp3": ("-ar 32000 -q:a 4 -write_xing 0", "mp3", "MP3", 32000, 1),
    "stereo.mp3": ("-ar 48000 -ac 2 -b:a 96k -joint_stereo 1", "mp3", "MP3", 48000, 2),
    "moov-behind.m4a": ("-ar 16000 -c:a aac -b:a 32k", "m4a", "AAC-LC", 16000, 1),
    "moov-in-front.m4a": ("-ar 22050 -c:a aac -b:a 32k -movflags +faststart", "m4a", "AAC-LC", 22050, 1),
    "fragmented.m4a": (
        "-ar 16000 -c:a aac -b:a 32k -movflags frag_keyframe+empty_moov -frag_duration 300000 -f mp4",
        "m4a",
        "AAC-LC",
        16000,
        1,
    ),
    "dash.m4a": (
        "-ar 16000 -c:a aac -b:a 32k -movflags dash+delay_moov -frag_duration 300000 -f mp4",
        "m4a",
        "AAC-LC",
        16000,
        1,
    ),
    "chapters.m4b": ("-i CHAPTERS -map_metadata 1 -ar 16000 -c:a aac -f ipod", "m4a", "AAC-LC", 16000, 1),
    "quicktime.m4a": ("-ar 16000 -c:a aac -b:a 32k -f mov", "m4a", "AAC-LC", 16000, 1),
    "phone.3gp": ("-ar 8000 -c:a aac -b:a 16k -f 3gp", "m4a", "AAC-LC", 8000, 1),
    "stereo.m4a": ("-ar 48000 -ac 2 -c:a aac -b:a 64k", "m4a", "AAC-LC", 48000, 2),
    "alac.m4a": ("-ar 16000 -c:a alac", "m4a", "ALAC", 16000, 1),
    "adts.aac": ("-ar 16000 -c:a aac -b:a 32k", "aac", "AAC-LC", 16000, 1),
    "adts-stereo.aac": ("-ar 44100 -ac 2 -c:a aac -b:a 64k", "aac", "AAC-LC", 44100, 2),
    "alac.caf": ("-ar 16000 -c:a alac", "caf", "ALAC", 16000, 1),
    "opus.caf": ("-ar 48000 -c:a libopus -b:a 24k", "caf", "Opus", 48000, 1),
    "ima4.caf": ("-ar 16000 -c:a adpcm_ima_qt", "caf", "IMA ADPCM", 16000, 1),
    "ulaw.caf": ("-ar 8000 -c:a pcm_mulaw", "caf", "mu-law", 8000, 1),
    "ima.wav": ("-ar 16000 -c:a adpcm_ima_wav", "wav", "IMA ADPCM", 16000, 1),
    "ms-stereo.wav": ("-ar 16000 -ac 2 -c:a adpcm_ms", "wav", "MS ADPCM", 16000, 2),
    "gsm.wav": ("-ar 8000 -c:a libgsm_ms", "wav", "GSM 6.10", 8000, 1),
    "mp3.wav": ("-ar 16000 -c:a libmp3lame -b:a 24k", "wav", "MP3", 16000, 1),
    "rf64.wav": ("-ar 8000 -rf64 always", "wav", "PCM 16-bit", 8000, 1),
    "ima4.aifc": ("-ar 16000 -c:a adpcm_ima_qt -f aiff", "aiff", "IMA ADPCM", 16000, 1),
}

# file -> arguments of ffmpeg, then the words that the refusal has to have
REFUSED: dict[str, tuple[str, str]] = {
    "opus.ogg": ("-c:a libopus -b:a 16k", "Ogg/Opus"),
    "vorbis.ogg": ("-ar 16000 -c:a libvorbis", "Ogg/Vorbis"),
    "speex.ogg": ("-ar 8000 -c:a libspeex", "Ogg/Speex"),
    "flac.ogg": ("-ar 8000 -c:a flac", "Ogg/FLAC"),
    "lossless.flac": ("-ar 8000", "FLAC"),
    "opus.webm": ("-c:a libopus -b:a 16k", "WebM/Opus"),
    "aac.mka": ("-ar 16000 -c:a aac -b:a 32k", "Matroska/AAC"),
    "opus.mp4": ("-c:a libopus -b:a 16k", "Opus in MP4"),
    "browser.m4a": ("-c:a libopus -b:a 16k -movflags frag_keyframe+empty_moov -f mp4", "Opus in MP4"),
    "mp3.mp4": ("-ar 16000 -c:a libmp3lame -b:a 24k", "MP3 or MP2 in MP4"),
    "ac3.mp4": ("-ar 32000 -c:a ac3 -b:a 32k", "AC-3 in MP4"),
    "pcm.mov": ("-ar 8000 -c:a pcm_s16le", "PCM in QuickTime"),
    "video.mp4": ("-f lavfi -i VIDEO -shortest -c:v libx264 -ar 16000 -c:a aac -b:a 32k", "MP4 video"),
    "video.mov": ("-f lavfi -i VIDEO -shortest -c:v mjpeg -ar 16000 -c:a aac", "QuickTime video"),
    "video.3gp": ("-f lavfi -i VIDEO -shortest -c:v mpeg4 -ar 16000 -c:a aac", "3GP video"),
    "silent-film.mp4": ("-f lavfi -i VIDEO -map 1 -t 0.5 -c:v libx264", "MP4 video without sound"),
    "layer2.mp2": ("-ar 16000 -c:a mp2 -b:a 32k", "MPEG Layer II"),
    "dolby.ac3": ("-ar 32000 -c:a ac3 -b:a 32k", "AC-3"),
    "windows.wma": ("-ar 16000 -c:a wmav2 -b:a 24k", "WMA"),
    "sun.au": ("-ar 8000 -c:a pcm_mulaw", "Sun AU"),
    "pack.wv": ("-ar 8000 -c:a wavpack", "WavPack"),
    "true.tta": ("-ar 8000 -c:a tta", "True Audio"),
    "stream.ts": ("-ar 16000 -c:a aac -b:a 32k -f mpegts", "MPEG transport stream"),
    "loas.latm": ("-ar 16000 -c:a aac -b:a 32k -f latm", "AAC in LATM"),
    "g726.wav": ("-ar 8000 -c:a g726", "WAV with a codec that phones do not play"),
    "aac.wav": ("-ar 16000 -c:a aac", "WAV with a codec that phones do not play"),
}

CHAPTERS = """;FFMETADATA1
title=A book
artist=Sam
[CHAPTER]
TIMEBASE=1/1000
START=0
END=500
title=One
[CHAPTER]
TIMEBASE=1/1000
START=500
END=1200
title=Two
"""


def run(*command: str | Path, stdin: bytes | None = None) -> bytes:
    """The output of a program that must succeed."""
    return subprocess.run([str(word) for word in command], input=stdin, capture_output=True, check=True).stdout


def ffmpeg(source: Path, target: Path, arguments: str, words: Mapping[str, str] | None = None) -> None:
    """Make one file with ffmpeg, the same bytes each time; ``words`` stand for names in the arguments."""
    options = [(words or {}).get(word, word) for word in arguments.split()]
    exact = EXACT[:2] if "title=Hello" in options else EXACT  # without these, ffmpeg leaves tags out
    run("ffmpeg", "-v", "error", "-y", "-i", source, *options, *exact, target)


def sox(arguments: str, **paths: Path) -> bytes:
    """The output of sox, with the same dither each time; ``{name}`` stands for a path."""
    return run("sox", "-R", *(word.format(**paths) for word in arguments.split()))


def decoded_ms(path: Path) -> int:
    """How long a file plays, by decoding all of it."""
    raw = run("ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-f", "s16le", "-ac", "1", "-ar", "48000", "-")
    return round(len(raw) / 96)


def speak(folder: Path) -> Path:
    """The sentence, at 48 kHz in mono."""
    spoken, speech = folder / "spoken.wav", folder / "speech.wav"
    run("espeak-ng", "-v", "en-us", "-s", "180", "-p", "42", "-w", spoken, WORDS)
    sox("{spoken} -r 48000 -c 1 -b 16 {speech} norm -3 pad 0.05 0.1", spoken=spoken, speech=speech)
    return speech


def make_samples(speech: Path) -> None:
    """The memos that the notebooks send, and the one that Linq refuses."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    ffmpeg(speech, SAMPLES / "hello.m4a", f"{TAGS} -ar 44100 -c:a aac -b:a 64k -movflags +faststart")
    ffmpeg(speech, SAMPLES / "hello.mp3", f"{TAGS} -ar 44100 -b:a 64k -id3v2_version 3")
    ffmpeg(speech, SAMPLES / "hello.aac", "-ar 44100 -c:a aac -b:a 64k")
    ffmpeg(speech, SAMPLES / "hello.caf", "-ar 16000 -c:a alac")
    ffmpeg(speech, SAMPLES / "hello.wav", "-ar 16000")
    ffmpeg(speech, SAMPLES / "hello.aiff", "-ar 16000")
    ffmpeg(speech, SAMPLES / "hello.ogg", "-c:a libopus -b:a 24k")
    sox("{speech} -r 8000 -C 7 -t amr-nb {out}", speech=speech, out=SAMPLES / "hello.amr")


def make_amr(speech: Path, folder: Path, truth: dict[str, object]) -> None:
    """Narrowband with pauses left out (SID frames), and wideband."""
    facts = {"format": "amr", "channels": 1, "duration_ms": 1600}
    sox("{speech} -r 8000 -C 4 -t amr-nb {out} trim 0 1.6", speech=speech, out=DATA / "narrow.amr")
    truth["narrow.amr"] = {**facts, "codec": "AMR-NB", "rate": 8000}
    encoder = folder / "amrwb.c"
    encoder.write_text(AMRWB_C)
    run("gcc", encoder, "-o", folder / "amrwb", "-lvo-amrwbenc")
    raw = sox("{speech} -r 16000 -e signed -b 16 -t raw - trim 0 1.6", speech=speech)
    (DATA / "wide.amr").write_bytes(run(folder / "amrwb", stdin=raw))
    truth["wide.amr"] = {**facts, "codec": "AMR-WB", "rate": 16000}
    for name, words in (("narrow", "AMR-NB in 3GP"), ("wide", "AMR-WB in 3GP")):
        ffmpeg(DATA / f"{name}.amr", DATA / f"{name}.3gp", "-c copy")
        truth[f"{name}.3gp"] = {"refused": words}


def adts_packets(data: bytes) -> Iterator[bytes]:
    """The AAC packets of an ADTS stream."""
    pos = 0
    while pos + 7 <= len(data):
        size = (data[pos + 3] & 3) << 11 | data[pos + 4] << 3 | data[pos + 5] >> 5
        yield data[pos + 7 : pos + size]
        pos += size


def aac_caf(adts: bytes, rate: int, config: bytes) -> bytes:
    """AAC in CAF, as Apple's recorder writes it and ffmpeg cannot: desc, kuki, data, pakt."""
    packets = list(adts_packets(adts))
    priming = 1024
    frames = len(packets) * 1024

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack(">q", len(body)) + body

    def descriptor(tag: int, body: bytes) -> bytes:
        return bytes([tag, 0x80, 0x80, 0x80, len(body)]) + body

    def varint(number: int) -> bytes:
        return bytes([number >> 7 | 0x80, number & 0x7F]) if number > 127 else bytes([number])

    setup = descriptor(4, bytes([0x40, 0x15]) + bytes(11) + descriptor(5, config))
    sizes = b"".join(varint(len(packet)) for packet in packets)
    return b"".join(
        (
            b"caff\0\1\0\0",
            chunk(b"desc", struct.pack(">d4sIIIII", rate, b"aac ", 0, 0, 1024, 1, 0)),
            chunk(b"kuki", descriptor(3, bytes(3) + setup + descriptor(6, b"\2"))),
            chunk(b"free", bytes(64)),
            chunk(b"data", bytes(4) + b"".join(packets)),
            chunk(b"pakt", struct.pack(">qqii", len(packets), frames - priming, priming, 0) + sizes),
        )
    )


def make_data(speech: Path, folder: Path) -> None:
    """The fixtures, 1.2 s each, and the table of their properties."""
    DATA.mkdir(parents=True, exist_ok=True)
    for old in DATA.iterdir():
        old.unlink()
    short, chapters = folder / "short.wav", folder / "chapters.txt"
    sox("{speech} {short} trim 0.1 1.2", speech=speech, short=short)
    chapters.write_text(CHAPTERS)
    words = {"CHAPTERS": str(chapters), "VIDEO": "testsrc=size=64x48:rate=10"}
    truth: dict[str, object] = {}
    for name, (arguments, kind, codec, rate, channels) in TAKEN.items():
        ffmpeg(short, DATA / name, arguments, words)
        facts = {"format": kind, "codec": codec, "rate": rate, "channels": channels}
        truth[name] = {**facts, "duration_ms": decoded_ms(DATA / name)}
    (DATA / "aac.caf").write_bytes(aac_caf((DATA / "adts.aac").read_bytes(), 16000, b"\x14\x08"))
    facts = {"format": "caf", "codec": "AAC-LC", "rate": 16000, "channels": 1}
    truth["aac.caf"] = {**facts, "duration_ms": decoded_ms(DATA / "aac.caf")}
    make_amr(speech, folder, truth)
    for name, (arguments, reason) in REFUSED.items():
        ffmpeg(short, DATA / name, arguments, words)
        truth[name] = {"refused": reason}
    (DATA / "truth.json").write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n")


def main() -> None:
    """Make it all anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        speech = speak(folder)
        make_samples(speech)
        make_data(speech, folder)


if __name__ == "__main__":
    main()
