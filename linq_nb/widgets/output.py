"""The output of a widget: the widget itself, and below it a static record that needs no kernel."""

from __future__ import annotations

from typing import Any

from linq_nb import live, views
from linq_nb.views.page import BOX, div, quiet

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

HIDE_MISSING_WIDGET = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .linq-nb-kept) > .jupyter-widgets:not(:has(*))"
    "{display:none}</style>"
)
"""Hides JupyterLab's "model not found" above the record when the kernel is gone.

The widget's output is then empty. Other front ends, and an untrusted notebook, ignore the rule.
"""


class WidgetOutput:
    """A widget in a cell, and below it its record. A saved notebook keeps the record only."""

    def __init__(self) -> None:
        self._widget, self._record = live.Output(), live.Output()
        self._end: views.Shown | None = None

    def show(self, widget: Any, text: str, record: views.Shown) -> None:
        """Show a widget with its plain-text twin, or the note of its end; and its record."""
        if self._end is None:
            view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
            self._widget.show({WIDGET_VIEW: view, "text/plain": text})
        else:
            self._widget.show(self._end)
        self._record.show(_marked(record))

    def update(self, record: views.Shown) -> None:
        """Rewrite the record where it was shown."""
        self._record.update(_marked(record))

    def end(self, note_text: str) -> None:
        """Replace the widget by a note, where it was shown and where it will be."""
        self._end = note(note_text)
        self._widget.update(self._end)


def note(text: str) -> views.Shown:
    """Make a display of one quiet line."""
    return views.Shown(div(BOX, quiet(text)), text)


def _marked(record: views.Shown) -> views.Shown:
    """Mark a record, so that the widget above it can be hidden when it cannot be drawn."""
    html = f'<div class="linq-nb-kept" style="margin-top:6px">{HIDE_MISSING_WIDGET}{record.html}</div>'
    return views.Shown(html, record.text)
