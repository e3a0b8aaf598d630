"""The table of formats: each media type and each extension leads to one format."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from linq_nb.audio import FORMATS, SUFFIXES, extension_format, mime_format

PACKAGE = Path(__file__).parents[2] / "linq_nb"


@pytest.mark.parametrize(
    ("mime", "expected"),
    [
        ("audio/mpeg", "mp3"),
        ("audio/mp3", "mp3"),
        ("audio/x-m4a", "m4a"),
        ("audio/mp4", "m4a"),
        ("audio/m4a", "m4a"),
        ("audio/aac", "aac"),
        ("audio/x-aac", "aac"),
        ("audio/x-caf", "caf"),
        ("audio/wav", "wav"),
        ("audio/x-wav", "wav"),
        ("audio/aiff", "aiff"),
        ("audio/x-aiff", "aiff"),
        ("audio/amr", "amr"),
        (" Audio/MP4; codecs=mp4a.40.2 ", "m4a"),
        ("audio/ogg", None),
        ("video/mp4", None),
        ("", None),
    ],
)
def test_every_alias_of_a_type_leads_to_its_format(mime, expected):
    assert mime_format(mime) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".M4A", "m4a"),
        ("m4b", "m4a"),
        ("memo.mp4", "m4a"),
        ("x.aifc", "aiff"),
        ("X.AIF", "aiff"),
        ("a.b.wave", "wav"),
        ("speech.awb", "amr"),
        ("memo.caf", "caf"),
        ("mp3", "mp3"),
        ("hello.ogg", None),
        ("mp3.txt", None),
        ("", None),
        (".", None),
    ],
)
def test_an_extension_leads_to_its_format(name, expected):
    assert extension_format(name) == expected


def test_the_table_agrees_with_itself():
    for name, facts in FORMATS.items():
        assert facts.extension == f".{name}"
        assert all(mime_format(mime) == name for mime in (facts.mime_type, *facts.mime_aliases))
        assert all(extension_format(extension) == name for extension in (facts.extension, *facts.other_extensions))


def test_the_recorders_file_field_offers_files_of_the_table():
    offered = re.search(r'"audio/\*,([^"]*)"', (PACKAGE / "recorder/recorder.js").read_text("utf-8"))
    assert offered is not None
    suffixes = set(offered.group(1).split(","))
    assert {facts.extension for facts in FORMATS.values()} <= suffixes <= SUFFIXES


def test_importing_loads_no_other_package():
    code = "import sys, linq_nb.audio; print(sorted({'av', 'mutagen', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
