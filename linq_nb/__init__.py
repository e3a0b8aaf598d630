"""linq_nb: iMessage voice memos from a notebook through the Linq Partner API v3, each exactly once, and audited.

    import linq_nb
    outbox = linq_nb.connect(demo=True)
    memo = linq_nb.VoiceMemo.from_file("hello.m4a")
    send = outbox.send(memo, outbox.find_chat("Ada Lovelace"))
    linq_nb.to_frame(outbox.sends())

Importing this loads no third-party package; each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from linq_nb.board import StatusBoard
    from linq_nb.errors import (
        ApiError,
        AudioError,
        AuthenticationError,
        ConflictError,
        JournalError,
        LinqError,
        NotFoundError,
        NotSent,
        OutcomeUnknown,
        PermissionDeniedError,
        PreflightError,
        RateLimitError,
        SettingsError,
        WebhookError,
    )
    from linq_nb.export import read_parquet
    from linq_nb.forms import SendForm
    from linq_nb.frames import errors_frame, to_frame
    from linq_nb.magics import load_ipython_extension, unload_ipython_extension
    from linq_nb.model import (
        BadDraft,
        Chat,
        Draft,
        Event,
        Finding,
        Handle,
        Line,
        Message,
        Plan,
        PlanRow,
        Send,
        VoiceMemo,
    )
    from linq_nb.outbox import Outbox, connect
    from linq_nb.recorder import Recorder

_HOME = {
    "board": ("StatusBoard",),
    "errors": (
        "ApiError", "AudioError", "AuthenticationError", "ConflictError", "JournalError", "LinqError", "NotFoundError",
        "NotSent", "OutcomeUnknown", "PermissionDeniedError", "PreflightError", "RateLimitError", "SettingsError",
        "WebhookError",
    ),
    "export": ("read_parquet",),
    "forms": ("SendForm",),
    "frames": ("errors_frame", "to_frame"),
    "magics": ("load_ipython_extension", "unload_ipython_extension"),
    "model": (
        "BadDraft", "Chat", "Draft", "Event", "Finding", "Handle", "Line", "Message", "Plan", "PlanRow", "Send",
        "VoiceMemo",
    ),
    "outbox": ("Outbox", "connect"),
    "recorder": ("Recorder",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [  # noqa: RUF022  in the order of the layers
    "ApiError", "AudioError", "AuthenticationError", "ConflictError", "JournalError", "LinqError", "NotFoundError",
    "NotSent", "OutcomeUnknown", "PermissionDeniedError", "PreflightError", "RateLimitError", "SettingsError",
    "WebhookError",
    "BadDraft", "Chat", "Draft", "Event", "Finding", "Handle", "Line", "Message", "Plan", "PlanRow", "Send",
    "VoiceMemo",
    "errors_frame", "to_frame", "read_parquet", "Outbox", "connect", "SendForm", "Recorder", "StatusBoard",
    "load_ipython_extension", "unload_ipython_extension",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
