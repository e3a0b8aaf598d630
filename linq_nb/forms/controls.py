"""The form's controls and their layout, in the order in which the Tab key visits them."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types

from linq_nb.forms.form_widgets import Card, ChatPicker, Snippets, Upload
from linq_nb.widgets.buttons import button, row_layout
from linq_nb.widgets.status_line import StatusLine

LABEL_WIDTH = {"description_width": "56px"}


class Controls:
    """The form's widgets; ``studio`` holds the recorder while it is open, ``options`` what is seldom needed.

    Controls that look alike share their layout and style: each of these is a message to the page.
    """

    def __init__(self) -> None:
        plain, style = widgets.Layout(), widgets.ButtonStyle()
        self.heading = widgets.HTML(layout=plain)
        self.picker = ChatPicker(layout=plain)
        self.source = widgets.Combobox(
            description="Audio",
            placeholder="a path, https URL or attachment id",
            continuous_update=False,
            layout=widgets.Layout(flex="1 1 240px", width="auto", min_width="0"),
            style=LABEL_WIDTH,
        )
        self.upload = Upload(layout=plain)
        self.record = button("Record", style=style)
        self.studio = widgets.VBox(layout=widgets.Layout(width="auto", display="none"))
        self.copy = widgets.BoundedIntText(
            value=1,
            min=1,
            max=1000,
            description="Copy",
            tooltip="2 is a second bubble of the same memo",
            layout=widgets.Layout(width="130px", display="none"),
            style=LABEL_WIDTH,
        )
        self.convert = widgets.Checkbox(
            description="Convert it to M4A, which Linq takes",
            indent=False,
            layout=widgets.Layout(width="auto", display="none"),
        )
        self.options = widgets.HBox([self.copy, self.convert], layout=row_layout(shown=False))
        self.card = Card(layout=plain)
        self.send = button("Send", kind="primary", style=style)
        stops = "start no further send; those under way end"
        self.stop = button("Stop sending", tooltip=stops, shown=False, style=style)
        self.no = button("No, send nothing", shown=False, style=style)
        self.yes = button("Yes", kind="danger", shown=False, style=style)
        self.status = StatusLine(layout=plain)
        self.result = widgets.HTML(layout=plain, style=self.heading.style)
        self.snippets = Snippets(layout=widgets.Layout(display="none"))

    def arranged(self) -> Any:
        """Return the form: the controls in rows that wrap where the page is narrow."""
        row = row_layout()
        audio = widgets.HBox([self.source, self.upload, self.record], layout=row)
        buttons = widgets.HBox([self.send, self.stop, self.no, self.yes], layout=row)
        parts = [self.heading, self.picker, audio, self.studio, self.card, buttons, self.status]
        parts += [self.options, self.result, self.snippets]
        form = widgets.VBox(parts, layout=widgets.Layout(width="auto", max_width="680px"))
        form.add_class("linq-nb-form")
        return form
