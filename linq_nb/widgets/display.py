"""A widget in the notebook, and below it a static output that needs no kernel."""

from __future__ import annotations

from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from linq_nb import views
from linq_nb.views.page import BOX, div, quiet

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

NO_WIDGET_LEFT = (
    "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .linq-nb-kept) > .jupyter-widgets:not(:has(*))"
    "{display:none}</style>"
)
"""Takes JupyterLab's "model not found" away from above the record, once its kernel is gone.

A widget's output that holds no element is one that could not be drawn. Other front ends, and an untrusted notebook,
take no notice of it.
"""


def note(words: str) -> views.Shown:
    return views.Shown(div(BOX, quiet(words)), words)


def show_widget(widget: Any, text: str, display_id: str) -> None:
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    _show({WIDGET_VIEW: view, "text/plain": text}, display_id)


def show_note(words: str, display_id: str, *, update: bool = True) -> None:
    """Put a note where the widget was, or in its stead."""
    _show(note(words)._repr_mimebundle_(), display_id, update=update)


def show_record(record: views.Shown, display_id: str, *, update: bool = False) -> None:
    html = f'<div class="linq-nb-kept" style="margin-top:6px">{NO_WIDGET_LEFT}{record.html}</div>'
    _show({"text/html": html, "text/plain": record.text}, display_id, update=update)


def _show(bundle: dict[str, Any], display_id: str, *, update: bool = False) -> None:
    if get_ipython() is None:  # a plain script: there is no display
        return
    display(bundle, raw=True, display_id=display_id, update=update)  # type: ignore[no-untyped-call]  # no types
