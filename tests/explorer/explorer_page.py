"""The page of an explorer, from the side of its kernel."""

from __future__ import annotations

from typing import Any

from linq_nb import Explorer


class Page:
    """The page of an explorer: its messages, and the answers."""

    def __init__(self, explorer: Explorer) -> None:
        self.explorer, self.answers = explorer, []
        explorer.send = lambda content, buffers=None: self.answers.append(content)

    def ask(self, kind: str, **more: Any) -> dict[str, Any]:
        self.explorer._receive({"kind": kind, "number": 1, **more}, ())
        return self.answers[-1]

    @property
    def view(self) -> dict[str, Any]:
        return self.explorer._view

    def column(self, name: str) -> list[str]:
        place = [column["name"] for column in self.view["columns"]].index(name)
        return [row["cells"][place] for row in self.view["rows"]]
