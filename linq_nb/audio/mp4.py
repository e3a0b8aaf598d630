"""MP4, M4A and QuickTime: the audio track, its codec, and whether all of its bytes are in the file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from linq_nb.audio import doubts, refusals, tracks
from linq_nb.audio.boxes import Box, boxes, child, children, u32
from linq_nb.audio.esds import Codec, aac_config, find_esds
from linq_nb.audio.sound import CODECS, Sound
from linq_nb.audio.tracks import Track

_MAX_TRACKS = 200
_MAX_TOP = 150_000
FIRST_BOXES = frozenset(b"ftyp moov mdat free skip wide pnot styp moof sidx uuid junk".split())
_PICTURES = frozenset((b"jpeg", b"png ", b"gif ", b"tiff", b"mjpa", b"mjpb", b"MPNG"))
_PICTURE_OBJECTS = (0x6C, 0x6D, 0x6E)
_PLAIN = frozenset(b"sowt twos raw lpcm in24 in32 fl32 fl64 NONE ipcm fpcm".split())
_OBJECTS = {
    0x69: "MP3 or MP2",
    0x6B: "MP3 or MP2",
    0xA5: "AC-3",
    0xA6: "E-AC-3",
    0xA9: "DTS",
    0xAD: "Opus",
    0xDD: "Vorbis",
}
_IMAGES = frozenset(b"heic heix mif1 msf1 avif avis hevc".split())
_OTHER_BRANDS = {b"3g2": "3GPP2", b"KDD": "3GPP2", b"F4A": "Flash audio", b"F4B": "Flash audio", b"F4V": "Flash video"}
_PROTECTED = frozenset((b"enca", b"drms", b"drmi", b"aavd"))


def _is_picture(view: memoryview, trak: Box) -> bool:
    """Return whether a video track holds only a cover or chapter pictures: stills, at most one a second."""
    track = tracks.read_track(view, trak)
    if track is None or not track.timescale:
        return False
    still = track.entry.name in _PICTURES
    if track.entry.name == b"mp4v":
        esds = find_esds(view, track.entry.start, track.entry.end)
        still = esds is not None and esds.object_type in _PICTURE_OBJECTS
    samples, frames = tracks.time_to_sample(view, track)
    return still and samples > 0 and (samples == 1 or samples * track.timescale <= frames)


def _refuse_codec(view: memoryview, track: Track, where: str) -> None:
    """Raise Refusal for a codec that phones do not play in an M4A."""
    name = track.entry.name
    if name in _PROTECTED:
        raise refusals.other_audio("a protected (DRM) M4A file")
    if name in (b"mp4a", b"alac"):
        return
    codec = (
        "PCM" if name.rstrip() in _PLAIN else CODECS.get(name.strip()) or repr(name.decode("latin-1").strip("\x00 "))
    )
    raise refusals.convertible(f"{codec} in {where}")


def _codec(view: memoryview, track: Track, where: str) -> Codec:
    """Read the codec of an AAC or ALAC track; raises Refusal for another codec."""
    entry = track.entry
    _refuse_codec(view, track, where)
    channels = int.from_bytes(view[entry.start + 16 : entry.start + 18], "big")
    rate = u32(view, entry.start + 24) >> 16
    if int.from_bytes(view[entry.start + 8 : entry.start + 10], "big") == 2:
        rate = int(struct.unpack_from(">d", view, entry.start + 32)[0])
        channels = u32(view, entry.start + 40)
    if entry.name == b"alac":
        return _alac(view, entry, rate, channels)
    esds = find_esds(view, entry.start, entry.end)
    if esds is not None and esds.object_type in _OBJECTS:
        raise refusals.convertible(f"{_OBJECTS[esds.object_type]} in {where}")
    config = aac_config(esds.config if esds else b"")
    if not config.name:
        raise refusals.convertible(f"an uncommon MPEG-4 codec in {where}")
    return config._replace(rate=config.rate or rate or track.timescale, channels=config.channels or channels or 2)


def _alac(view: memoryview, entry: Box, rate: int, channels: int) -> Codec:
    """Read the ALAC cookie, which is more reliable than the sample entry."""
    at = bytes(view[entry.start : min(entry.end, entry.start + 4096)]).rfind(b"alac")
    cookie = bytes(view[entry.start + at + 8 : entry.start + at + 32]) if at >= 0 else b""
    if len(cookie) == 24:
        channels = cookie[9] or channels
        rate = int.from_bytes(cookie[20:24], "big") or rate
    packet_seconds = int.from_bytes(cookie[:4], "big") / rate if len(cookie) == 24 and rate else 0.0
    return Codec("ALAC", rate, channels or 2, packet_seconds)


def _audio_tracks(view: memoryview, moov: Box, where: str) -> list[Track]:
    """Return the audio tracks; raises Refusal for a video."""
    audio, moving = [], False
    for trak in children(view, moov, b"trak"):
        hdlr = child(view, trak, b"mdia", b"hdlr")
        handler = bytes(view[hdlr.start + 8 : hdlr.start + 12]) if hdlr else b""
        moving = moving or (handler == b"vide" and not _is_picture(view, trak))
        track = tracks.read_track(view, trak) if handler == b"soun" else None
        if track is not None:
            audio.append(track)
        if len(audio) > _MAX_TRACKS:
            raise refusals.damaged("M4A")
    if moving and audio:
        raise refusals.convertible(f"{where} video")
    if not audio:
        raise refusals.not_audio(f"{where} video without sound" if moving else f"{where} without an audio track")
    return audio


def _family(view: memoryview, tops: Mapping[bytes, Box]) -> str:
    """Return the name of the file's family, by its brand; raises Refusal for a brand that is none of Linq's formats."""
    ftyp = tops.get(b"ftyp")
    brand = bytes(view[ftyp.start : ftyp.start + 4]) if ftyp else b"qt  "
    if brand in _IMAGES:
        raise refusals.not_audio("a HEIF or AVIF picture")
    if brand[:3] in _OTHER_BRANDS:
        raise refusals.convertible(_OTHER_BRANDS[brand[:3]])
    return "3GP" if brand.startswith(b"3g") else "QuickTime" if brand == b"qt  " else "MP4"


def read(view: memoryview) -> Sound:
    """Measure an M4A by its samples, fragmented or not; raises Refusal."""
    tops: dict[bytes, Box] = {}
    for box in boxes(view, 0, len(view), _MAX_TOP):
        tops.setdefault(box.name, box)
    where = _family(view, tops)
    moov = tops.get(b"moov")
    if moov is None or moov.claimed_end > len(view):
        raise refusals.cut_off(f"{where} file is cut off: its index (moov) is incomplete")
    audio = _audio_tracks(view, moov, where)
    track = next((track for track in audio if track.enabled), audio[0])
    codec = _codec(view, track, where)
    played = _played(view, moov, track, codec.packet_seconds)
    doubted = played.doubts + _of_tracks(view, audio, track, played.seconds)
    if track.change_at:
        first_s = played.seconds * track.change_at / max(tracks.time_to_sample(view, track)[0], track.change_at)
        doubted += doubts.if_differ("the sound changes its kind on the way", played.seconds, first_s)
    if not doubted and not track.samples:
        doubted = _of_pictures(view, moov, track, played.seconds)
    return Sound(
        "m4a", codec.name, played.seconds, codec.rate, codec.channels,
        doubts=doubted, track=audio.index(track), ignores_edits=played.ignores_edits,
    )  # fmt: skip


def _of_pictures(view: memoryview, moov: Box, track: Track, seconds: float) -> tuple[str, ...]:
    """Return the doubt about pictures or chapters that last longer than the sound, or about a file that claims so."""
    longest_s = tracks.length_s(view, child(view, moov, b"mvhd"))
    for trak in children(view, moov, b"trak"):
        if trak != track.trak and tracks.is_enabled(view, trak):
            longest_s = max(longest_s, tracks.length_s(view, child(view, trak, b"mdia", b"mdhd")))
    if longest_s <= seconds:
        return ()
    return doubts.shown("the file as a whole lasts longer than its sound", seconds, longest_s)


def _of_tracks(view: memoryview, audio: list[Track], track: Track, seconds: float) -> tuple[str, ...]:
    """Return the doubt about several audio tracks, of which players play the first or the first that is enabled."""
    lengths = [
        tracks.time_to_sample(view, other)[1] / other.timescale for other in audio if other != track and other.timescale
    ]
    if not lengths:
        return ()
    others_s = max(lengths, key=lambda length_s: abs(length_s - seconds))
    return (doubts.doubt(f"the file has {len(audio)} audio tracks", seconds, others_s),)


class _Played(NamedTuple):
    """What players play of a track: its length, with or without its edit list, and where they differ."""

    seconds: float
    ignores_edits: bool
    doubts: tuple[str, ...]


def _played(view: memoryview, moov: Box, track: Track, packet_seconds: float) -> _Played:
    """Return what players play of a track; raises Refusal when samples are missing from the file."""
    if not track.timescale:
        raise refusals.damaged("M4A")
    extent = tracks.extent(view, track)
    if extent.missing_bytes:
        have, whole = extent.size_bytes - extent.missing_bytes, extent.size_bytes
        kept = f"{have // 1000} of {whole // 1000} kB" if whole - have > 1000 else f"{have} of {whole} bytes"
        raise refusals.cut_off(f"M4A file is cut off: {kept} of its sound are in the file")
    tracks.read_defaults(view, moov, track)
    for box in boxes(view, 0, len(view), _MAX_TOP):
        if box.name == b"moof":
            tracks.add_fragment(view, box, track)
    if not extent.size_bytes and not track.samples:
        raise refusals.no_sound("M4A")
    frames = tracks.time_to_sample(view, track)[1]
    seconds = (frames + track.frames) / track.timescale
    counted = (extent.samples + track.samples) * packet_seconds
    if counted and not track.change_at and abs(seconds - counted) > max(0.02 * counted, 0.2):
        return _Played(counted, True, doubts.if_differ("its index claims another length", counted, seconds))
    if not frames:
        return _Played(seconds, False, ())
    edits = tracks.edits(view, track, frames, tracks.number_after_times(view, child(view, moov, b"mvhd")))
    edited = (edits.frames + track.frames) / track.timescale
    if not edits.frames:
        return _Played(seconds, True, doubts.if_differ("its edit list plays nothing", seconds, 0.0))
    doubted = doubts.if_differ("its edit list plays another length than the sound has", edited, seconds)
    at_speed = (edits.at_speed + track.frames) / track.timescale
    doubted += doubts.if_differ("its edit list changes the speed", edited, at_speed)
    with_pause = edited + edits.pause_s
    doubted += doubts.if_differ("its edit list holds pauses", edited, with_pause)
    return _Played(edited, False, doubted)
