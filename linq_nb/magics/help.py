"""The help of a magic as it is displayed. It does not use the views, so it is quick to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from linq_nb.magics.options import Command

_STYLE = "font-size:12px;line-height:1.5;white-space:pre-wrap;background:none"


class Help:
    """The help of a magic with the present settings, as text and as HTML."""

    def __init__(self, command: Command, settings: Mapping[str, str]) -> None:
        values = "".join(f"\n  {name} = {value}" for name, value in settings.items())
        self._text = f"{command.help}\n\nSettings (%config LinqMagics):{values}"

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        """Return the help with the names of the magic, of the options and of the sections in bold."""
        names = r"^(%\w+(?=:)|  (?:--|\[?[A-Z]+\]?  ).*?(?=  )|[A-Z].*:$)"
        html = re.sub(names, r"<b>\1</b>", escape(self._text, quote=False), flags=re.MULTILINE)
        return f'<pre class="linq-nb" style="{_STYLE}">{html}</pre>'
