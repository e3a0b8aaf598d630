"""The form: choose chats and audio, see the card, send; for those who would rather click than type.

Standard ipywidgets, with a few small widgets of our own (anywidget, one ES module each) where those fall short:
a list of a thousand chats, a file of any size, a line that is read out, code to copy.
"""

from __future__ import annotations

from linq_nb.forms.send_form import SendForm

__all__ = ["SendForm"]
