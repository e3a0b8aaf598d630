"""The rows of a batch: a cell of text, a table or a list of drafts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linq_nb.errors import SettingsError
from linq_nb.model import BadDraft, Draft
from linq_nb.outbox.drafts import drafts_of_table
from linq_nb.tables import is_table, of_text, of_value

_FROM_TAKES = "the name of a DataFrame or of a list of drafts, or an {expression} for one of these"


def from_cell(text: str) -> list[Draft | BadDraft]:
    """Read a cell whose first line names the columns, as ``chat,audio[,copy]``. Raises SettingsError."""
    return drafts_of_table(of_text(text))


def from_value(value: Any, scope: Mapping[str, Any]) -> list[Draft | BadDraft]:
    """Read a table or a list of drafts, or the one that a name stands for. Raises SettingsError."""
    if isinstance(value, str):
        if value not in scope:
            hint = "; a file is read first, as by df = pd.read_csv(file, dtype=str)" if "." in value else ""
            raise SettingsError(
                f"the name {value!r} is not defined; nothing was sent; --from takes {_FROM_TAKES}{hint}"
            )
        value = scope[value]
    if is_table(value):
        return drafts_of_table(of_value(value))
    if isinstance(value, list | tuple):
        return list(value)
    raise SettingsError(f"--from takes {_FROM_TAKES}, not a value of type {type(value).__name__}; nothing was sent")
