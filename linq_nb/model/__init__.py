"""The records that everything else reads and makes: frozen, flat, without IO except loading a memo from a file.

Times are aware UTC and named ``*_at``; lengths say their unit; handles are E.164 or an email address.
"""

from linq_nb.model.draft import BadDraft, Draft, Finding, Findings, Plan, PlanRow, Verdict
from linq_nb.model.memo import MemoSource, VoiceMemo, url_names_of
from linq_nb.model.record import (
    BOOL,
    CATEGORY,
    FLOAT,
    INT,
    TEXT,
    TIME,
    Column,
    columns_of,
    frame_columns,
    short_columns,
)
from linq_nb.model.reputation import Reputation, ReputationChat, ReputationDriver, ReputationStep
from linq_nb.model.resources import Attachment, Chat, Handle, Line, Message, Subscription
from linq_nb.model.send import SPANS, Event, Send, SendList, accepted_time
from linq_nb.model.sources import is_uuid, send_id, source_of
from linq_nb.model.urls import UrlNames, is_old_name, names_of_parameters, url_names

__all__ = [
    "BOOL", "CATEGORY", "FLOAT", "INT", "SPANS", "TEXT", "TIME", "Attachment", "BadDraft", "Chat", "Column", "Draft",
    "Event", "Finding", "Findings", "Handle", "Line", "MemoSource", "Message", "Plan", "PlanRow", "Reputation",
    "ReputationChat", "ReputationDriver", "ReputationStep", "Send", "SendList", "Subscription", "UrlNames", "Verdict",
    "VoiceMemo", "accepted_time", "columns_of", "frame_columns", "is_old_name", "is_uuid", "names_of_parameters",
    "send_id", "short_columns", "source_of", "url_names", "url_names_of",
]  # fmt: skip
