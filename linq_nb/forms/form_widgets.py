"""The form's own widgets. The page shows foreign text as text, so no name can run there; the card is escaped HTML.

Chats with their handles, the card with its sound, and code go to the page by message. They are not part of a widget's
state, so they are never saved with a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets

from linq_nb import views
from linq_nb.audio import MAX_UPLOAD_BYTES, SUFFIXES
from linq_nb.errors import AudioError
from linq_nb.model import Chat
from linq_nb.text import clean
from linq_nb.widgets.base import SHARED_JS, Widget, joined

HERE = Path(__file__).parent
Row = Mapping[str, str]


class ChatPicker(Widget):
    """A list of chats to filter by name or handle and to choose from; ``chosen`` is the ids, in order.

    ``on_ready`` is called when a page has drawn the list and waits for its chats, ``on_find`` with a text that matches
    no chat of the list, when the person presses Enter.
    """

    _esm = HERE / "picker.js"
    _css = HERE / "form.css"  # of the whole form, which has one picker
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.rows: Sequence[Row] = ()
        self.on_ready: Callable[[], None] = lambda: None
        self.on_find: Callable[[str], None] = lambda text: None

    def offer(self, chats: Iterable[Chat], *, is_complete: bool) -> None:
        """Offer these chats in the page; not ``is_complete`` when not all could be read."""
        self.rows = [chat_row(chat) for chat in chats]
        self.send({"kind": "chats", "chats": self.rows, "is_complete": is_complete})

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        if content.get("kind") == "ready":
            self.send({"kind": "reading"})
            self.on_ready()
        elif content.get("kind") == "find":
            self.on_find(str(content.get("text", "")))


class Upload(Widget):
    """A button that takes a file from the browser, in parts: one large message would be lost with the connection.

    ``on_file`` is called with the name and the bytes, ``on_error`` with an AudioError when the file is incomplete.
    """

    _esm = HERE / "upload.js"
    accept = traitlets.Unicode(",".join(["audio/*", *sorted(SUFFIXES)])).tag(sync=True)
    limit = traitlets.Int(MAX_UPLOAD_BYTES).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_file: Callable[[str, bytes], None] = lambda name, data: None
        self.on_error: Callable[[AudioError], None] = lambda error: None
        self._parts: list[bytes] = []

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        kind, name = content.get("kind"), str(content.get("name", "")) or "memo"
        if kind == "begin":
            self._parts = []
        elif kind == "part":
            self._parts += map(bytes, buffers)
        elif kind == "end":
            data, self._parts = b"".join(self._parts), []
            if len(data) == content.get("size"):
                self.on_file(name, data)
                return
            what = f"{len(data)} of {content.get('size')} bytes of {clean(name)} arrived from the browser"
            self.on_error(AudioError(f"{what}; nothing was sent; choose it again"))
        elif kind == "refused":
            self.on_error(AudioError(f"{clean(name)} is larger than 100 MiB; nothing was sent; shorten it"))


class Card(Widget):
    """The card of the memo; ``value`` is its HTML, in which every text is escaped."""

    _esm = joined(*SHARED_JS, HERE / "card.js")

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._html = ""

    @property
    def value(self) -> str:
        return self._html

    @value.setter
    def value(self, html: str) -> None:
        if html != self._html:
            self._html = html
            self.send({"kind": "card", "html": html})

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        if content.get("kind") == "ready":
            self.send({"kind": "card", "html": self._html})


class Snippets(Widget):
    """Two buttons that show what the form does as code to paste, and copy it where the browser lets them.

    ``on_ask`` is called with "magic" or "python" and answers with ``show``.
    """

    _esm = HERE / "snippets.js"

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_ask: Callable[[str], None] = lambda kind: None

    def show(self, code: str) -> None:
        """Show code in the page."""
        self.send({"kind": "code", "code": code})

    def _receive(self, content: Any, buffers: Sequence[memoryview]) -> None:
        if content.get("kind") == "ask":
            self.on_ask(str(content.get("how")))


def chat_row(chat: Chat) -> Row:
    """Return what the list shows of a chat, all masked, and what finds it: name, people, handles."""
    name, _, rest = views.chat_whom(chat).partition(" · ")
    health = "" if chat.health_status in (None, "HEALTHY") else clean(chat.health_status, 40)
    service = clean(chat.service, 40) if chat.service else ""
    handles = " ".join(person.handle for person in chat.others)
    return {
        "id": chat.chat_id,
        "name": name,
        "detail": rest.removesuffix(service).removesuffix(" · "),
        "service": service,
        "health": "NOT ACTIVE" if chat.is_active is False else health,
        "handles": handles.encode("utf-8", "replace").decode(),  # no half characters
    }
