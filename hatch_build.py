"""Gives the package index a README whose pictures and links have absolute addresses, made from ``[project.urls]``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets the ``readme`` of the project."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README to the project's metadata."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, metadata["urls"]["Source"])}


def absolute(text: str, source: str) -> str:
    """Return Markdown whose pictures and links lead to the repository at ``source``."""

    def address(match: re.Match[str]) -> str:
        mark, label, target = match.groups()
        return f"{mark}[{label}]({source}/{'raw' if mark else 'blob'}/HEAD/{target})"

    return _TARGET.sub(address, text)
