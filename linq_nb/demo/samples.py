"""The sample memos: one spoken sentence in every format that Linq takes, and in Ogg, which it refuses."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "audio"


def sample(name: str = "hello.m4a") -> Path:
    """Return the path of a sample memo: ``hello`` as aac, aiff, amr, caf, m4a, mp3 or wav; as ogg, which Linq refuses.

    Each is 5 seconds of speech. Raises FileNotFoundError, with the names that there are.
    """
    file = _FOLDER / name
    if Path(name).name != name or not file.is_file():
        names = ", ".join(sorted(file.name for file in _FOLDER.iterdir()))
        raise FileNotFoundError(f"there is no sample {name!r}; use one of {names}")
    return file
