"""The help of a magic as it is displayed. It does not use the views, so it is quick to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from linq_nb.magics.options import Command

_TEXT = "white-space:pre-wrap;margin:6px 0"
_CODE = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px"
_CELL = "text-align:left;vertical-align:top;background:none;padding:1px 16px 1px 0"


class Help:
    """The help of a magic with the present settings, as text and as HTML."""

    def __init__(self, command: Command, settings: Mapping[str, str]) -> None:
        values = "".join(f"\n  {name} = {value}" for name, value in settings.items())
        self._text = f"{command.help}\n\nSettings (%config LinqMagics):{values}"

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        """Return the help with the options as a table."""
        headline, options, *texts = escape(self._text, quote=False).split("\n\n")
        rows = "".join(
            f'<tr style="background:none"><td style="{_CELL};{_CODE};white-space:nowrap">{name}</td>'
            f'<td style="{_CELL}">{about}</td></tr>'
            for name, about in re.findall(r"^  (.+?)  +(.+)$", options, re.MULTILINE)
        )
        others = "".join(
            f'<pre style="{_TEXT};{_CODE}">{text}</pre>'
            if text.startswith(("Examples:", "  "))
            else f'<div style="{_TEXT}">{text}</div>'
            for text in texts
        )
        return f'<div class="linq-nb" style="font-size:13px"><b>{headline}</b><table>{rows}</table>{others}</div>'
