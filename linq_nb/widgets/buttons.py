"""Buttons, rows of controls, and controls that are hidden."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]  # ipywidgets has no types


def button(description: str, *, tooltip: str = "", kind: str = "", shown: bool = True, style: Any = None) -> Any:
    """Make a button; ``kind`` is "primary", "danger" or empty. Buttons may share a ``style``, which costs a message."""
    return widgets.Button(
        description=description,
        tooltip=tooltip,
        button_style=kind,
        layout=widgets.Layout(width="auto", display="" if shown else "none"),
        **({"style": style} if style is not None else {}),
    )


def row_layout(*, shown: bool = True) -> Any:
    """Make the layout of a row that wraps where the page is narrow."""
    return widgets.Layout(flex_flow="row wrap", align_items="center", width="auto", display="" if shown else "none")


def set_shown(control: Any, shown: bool) -> None:
    """Show or hide a control."""
    control.layout.display = "" if shown else "none"
