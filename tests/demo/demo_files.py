"""Files and a helper for the demo's tests."""

import pydantic

from linq_nb.demo import media

#: One small true file of each type that a memo can have: enough for the demo's look at the first bytes.
FILES = {
    "audio/mpeg": b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + bytes(400),
    "audio/x-m4a": b"\x00\x00\x00\x20ftypM4A " + bytes(400),
    "audio/aac": b"\xff\xf1\x50\x80" + bytes(400),
    "audio/x-caf": b"caff\x00\x01\x00\x00" + bytes(400),
    "audio/x-wav": media.hello(),
    "audio/x-aiff": b"FORM\x00\x00\x01\x00AIFF" + bytes(400),
    "audio/amr": b"#!AMR\n" + bytes(400),
}


def unknown_fields(value: object, path: str = "") -> list[str]:
    """Walk a parsed answer, and name what the SDK has no field for."""
    if isinstance(value, pydantic.BaseModel):
        extra = [f"{path}.{name}" for name in value.model_extra or {}]
        return extra + [f for name in value.model_fields_set for f in _inside(value, name, path)]
    if isinstance(value, list):
        return [field for item in value for field in unknown_fields(item, f"{path}[]")]
    return []


def _inside(value: pydantic.BaseModel, name: str, path: str) -> list[str]:
    return unknown_fields(getattr(value, name, None), f"{path}.{name}")
