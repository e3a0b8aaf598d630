"""The type of a file by its first bytes: a short list of the demo's own, to compare with the declared type."""

_BY_START = (
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"caff", "audio/x-caf"),
    (b"#!AMR", "audio/amr"),
    (b"MThd", "audio/midi"),
    (b"ADIF", "audio/aac"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"%PDF", "application/pdf"),
    (b"\x7fELF", "application/x-executable"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"PK\x03\x04", "application/zip"),
)
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp")
_CHUNKS = {
    (b"RIFF", b"WAVE"): "audio/x-wav",
    (b"RF64", b"WAVE"): "audio/x-wav",
    (b"FORM", b"AIFF"): "audio/x-aiff",
    (b"FORM", b"AIFC"): "audio/x-aiff",
}


def sniff(data: bytes) -> str | None:
    """Name the media type of these bytes, or None."""
    data = _after_id3(data)
    for start, media_type in _BY_START:
        if data.startswith(start):
            return media_type
    if data[4:8] in _BOXES:
        return "audio/x-m4a"
    return _CHUNKS.get((data[:4], data[8:12])) or _by_sync(data[:4096])


def _after_id3(data: bytes) -> bytes:
    if data[:3] != b"ID3" or len(data) < 10:
        return data
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return data[10 + size : 10 + size + 65_536].lstrip(b"\0")


def _by_sync(head: bytes) -> str | None:
    """Find the first MPEG or ADTS frame header: 11 sync bits, and layer 0 means ADTS."""
    for at in range(len(head) - 3):
        if head[at] == 0xFF and head[at + 1] & 0xE0 == 0xE0 and head[at + 2] & 0xF0 != 0xF0:
            if head[at + 1] & 0xF6 == 0xF0:
                return "audio/aac"
            if head[at + 1] & 0x06 and head[at + 1] & 0x18 != 0x08:
                return "audio/mpeg"
    return None
