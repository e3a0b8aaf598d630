"""The form: choose chats and audio, see the card, send, follow; for those who would rather click than type.

One anywidget. ``send_form`` is its kernel side and form.js its page; ``choice`` holds what is chosen, ``outcomes`` what
became of it, ``wording`` says both in words.
"""

from __future__ import annotations

from linq_nb.forms.send_form import SendForm

__all__ = ["SendForm"]
