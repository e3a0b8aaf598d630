"""The form's controls and their layout, in the order in which the Tab key visits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types

from linq_nb.forms.form_widgets import Card, ChatPicker, Snippets, Upload
from linq_nb.widgets.buttons import button, row_layout
from linq_nb.widgets.status_line import StatusLine

LABEL_WIDTH = {"description_width": "56px"}


@dataclass(frozen=True)
class Controls:
    """The form's widgets; ``studio`` holds the recorder while it is open, ``options`` what is seldom needed."""

    heading: Any
    picker: ChatPicker
    source: Any
    upload: Upload
    record: Any
    studio: Any
    copy: Any
    convert: Any
    options: Any
    card: Card
    send: Any
    stop: Any
    no: Any
    yes: Any
    status: StatusLine
    result: Any
    snippets: Snippets


def controls() -> Controls:
    """Make the controls of one form.

    Controls that look alike share their layout and style: each of these is a message to the page.
    """
    plain, style = widgets.Layout(), widgets.ButtonStyle()
    heading, copy, convert = widgets.HTML(layout=plain), _copy_field(), _convert_box()
    return Controls(
        heading=heading,
        picker=ChatPicker(layout=plain),
        source=_source_field(),
        upload=Upload(layout=plain),
        record=button("Record", style=style),
        studio=widgets.VBox(layout=widgets.Layout(width="auto", display="none")),
        copy=copy,
        convert=convert,
        options=widgets.HBox([copy, convert], layout=row_layout(shown=False)),
        card=Card(layout=plain),
        send=button("Send", kind="primary", style=style),
        stop=button("Stop sending", tooltip="start no further send; those under way end", shown=False, style=style),
        no=button("No, send nothing", shown=False, style=style),
        yes=button("Yes", kind="danger", shown=False, style=style),
        status=StatusLine(layout=plain),
        result=widgets.HTML(layout=plain, style=heading.style),
        snippets=Snippets(layout=widgets.Layout(display="none")),
    )


def arranged(c: Controls) -> Any:
    """Return the form: the controls in rows that wrap where the page is narrow."""
    row = row_layout()
    form = widgets.VBox(
        [
            c.heading,
            c.picker,
            widgets.HBox([c.source, c.upload, c.record], layout=row),
            c.studio,
            c.card,
            widgets.HBox([c.send, c.stop, c.no, c.yes], layout=row),
            c.status,
            c.options,
            c.result,
            c.snippets,
        ],
        layout=widgets.Layout(width="auto", max_width="680px"),
    )
    form.add_class("linq-nb-form")
    return form


def _source_field() -> Any:
    return widgets.Combobox(
        description="Audio",
        placeholder="a path, https URL or attachment id",
        continuous_update=False,
        layout=widgets.Layout(flex="1 1 240px", width="auto", min_width="0"),
        style=LABEL_WIDTH,
    )


def _copy_field() -> Any:
    return widgets.BoundedIntText(
        value=1,
        min=1,
        max=1000,
        description="Copy",
        tooltip="2 is a second bubble of the same memo",
        layout=widgets.Layout(width="130px", display="none"),
        style=LABEL_WIDTH,
    )


def _convert_box() -> Any:
    return widgets.Checkbox(
        description="Convert it to M4A, which Linq takes",
        indent=False,
        layout=widgets.Layout(width="auto", display="none"),
    )
