"""The form's controls and how they are laid out; in the order in which the Tab key visits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types

from linq_nb.forms.parts import Card, ChatPicker, Snippets, Upload
from linq_nb.widgets.parts import StatusLine


@dataclass(frozen=True)
class Controls:
    """The form's widgets; ``studio`` holds the recorder while it is open, ``options`` what is seldom wanted."""

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

    Those that look alike share their layout and style: each of these is one more message to the page.
    """
    plain, pressed = widgets.Layout(), widgets.ButtonStyle()
    heading = widgets.HTML(layout=plain)

    def button(description: str, shown: str = "", **more: Any) -> Any:
        layout = widgets.Layout(width="auto", display=shown)
        return widgets.Button(description=description, layout=layout, style=pressed, **more)

    named = {"style": {"description_width": "56px"}}
    copy = widgets.BoundedIntText(
        value=1,
        min=1,
        max=1000,
        description="Copy",
        tooltip="2 is a second bubble of the same memo",
        layout=widgets.Layout(width="130px", display="none"),
        **named,
    )
    convert = widgets.Checkbox(
        description="Convert it to M4A, which Linq takes",
        indent=False,
        layout=widgets.Layout(width="auto", display="none"),
    )
    return Controls(
        heading=heading,
        picker=ChatPicker(layout=plain),
        source=widgets.Combobox(
            description="Audio", placeholder="a path, https URL or attachment id", continuous_update=False,
            layout=widgets.Layout(flex="1 1 240px", width="auto", min_width="0"), **named,
        ),
        upload=Upload(layout=plain),
        record=button("Record"),
        studio=widgets.VBox(layout=widgets.Layout(width="auto", display="none")),
        copy=copy,
        convert=convert,
        options=widgets.HBox([copy, convert], layout=_row("none")),
        card=Card(layout=plain),
        send=button("Send", button_style="primary", disabled=True),
        stop=button("Stop sending", "none", tooltip="start no further one; what is under way ends"),
        no=button("No, send nothing", "none"),
        yes=button("Yes", "none", button_style="danger"),
        status=StatusLine(layout=plain),
        result=widgets.HTML(layout=plain, style=heading.style),
        snippets=Snippets(layout=widgets.Layout(display="none")),
    )  # fmt: skip


def arranged(c: Controls) -> Any:
    """Lay the controls out; rows wrap where the page is narrow."""
    row = _row()
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


def _row(shown: str = "") -> Any:
    return widgets.Layout(flex_flow="row wrap", align_items="center", width="auto", display=shown)
