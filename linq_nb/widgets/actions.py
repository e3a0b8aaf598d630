"""What a person can do about a send, by its status: the list that every view offers."""

from __future__ import annotations

from typing import NamedTuple

from linq_nb import rules
from linq_nb.errors import SettingsError
from linq_nb.model import Send
from linq_nb.outbox import Outbox
from linq_nb.status import UNCLEAR_STATUSES
from linq_nb.text import clean


class Action(NamedTuple):
    """Something to do about one send; ``needs_reason``: the journal keeps why a person did it."""

    name: str
    label: str
    hint: str
    needs_reason: bool = False


REFRESH = Action("refresh", "Ask Linq again", "read the delivery status of this send from Linq")
RECONCILE = Action("reconcile", "Look in the chat", "search the chat for this send; nothing is sent")
RESOLVE_SENT = Action("resolve sent", "It was sent", "it is in the chat: it will not be sent again", True)
RESOLVE_NOT_SENT = Action("resolve not_sent", "It was not sent", "it is not in the chat: it may be sent again", True)


def actions_for(send: Send) -> list[Action]:
    """Return what can be done about a send now; nothing of it sends anything."""
    if send.status in UNCLEAR_STATUSES:
        return [RECONCILE, RESOLVE_SENT, RESOLVE_NOT_SENT]
    return [REFRESH] if rules.may_be_asked(send, settled=True) else []


def act(outbox: Outbox, send: Send, action: str, reason: str = "") -> None:
    """Do what an action names; nothing of it sends anything. Raises SettingsError for a name that is none of them."""
    if action == "refresh":
        outbox.refresh(send, settled=True)
    elif action == "reconcile":
        outbox.reconcile(send)
    elif action == "resolve sent":
        outbox.resolve(send, "sent", reason=reason)
    elif action == "resolve not_sent":
        outbox.resolve(send, "not_sent", reason=reason)
    else:
        raise SettingsError(f"there is no action {clean(action, 40)!r}; nothing was done")
