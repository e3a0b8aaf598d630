"""What a person can do about a send, by its status: the list that every view offers, and how each is done."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from linq_nb import preflight, rules
from linq_nb.errors import SettingsError
from linq_nb.model import Finding, Send
from linq_nb.outbox import Outbox
from linq_nb.status import UNCLEAR_STATUSES, is_opt_out, status_of
from linq_nb.text import clean


class Action(NamedTuple):
    """Something to do about one send; ``needs_reason``: the journal keeps why a person did it."""

    name: str
    label: str
    hint: str
    needs_reason: bool = False


REFRESH = Action("refresh", "Ask Linq again", "read the delivery status of this send from Linq")
RECONCILE = Action("reconcile", "Look for it", "search the chat for this send; nothing is sent")
RESOLVE_SENT = Action("resolve sent", "It was sent", "it is in the chat: it will not be sent again", True)
RESOLVE_NOT_SENT = Action("resolve not_sent", "It was not sent", "it is not in the chat: it may be sent again", True)
TRY_AGAIN = Action("try again", "Try again", "nothing was sent, so this is the first bubble")
SEND_ANYWAY = Action("send anyway", "Send anyway…", "send despite what the checks found; you are asked first")


def actions_for(send: Send) -> list[Action]:
    """Return what can be done about a send now; nothing of it sends anything."""
    if send.status in UNCLEAR_STATUSES:
        return [RECONCILE, RESOLVE_SENT, RESOLVE_NOT_SENT]
    return [REFRESH] if rules.may_be_asked(send, settled=True) else []


def sending_actions(send: Send, findings: Collection[Finding] = ()) -> list[Action]:
    """Return what sends this memo, where nothing was sent yet; ``findings`` are those of the last check.

    For a recipient who opted out, and for a finding that no ``accept=`` lifts, there is nothing.
    """
    if not status_of(send.status).may_run_again or is_opt_out(send.status, send.error_code) or not send.send_id:
        return []
    if preflight.errors(findings):
        return [SEND_ANYWAY] if preflight.acceptable(findings) else []
    return [TRY_AGAIN]


def act(outbox: Outbox, send: Send, action: str, reason: str = "") -> Send:
    """Do an action of ``actions_for``, which sends nothing, and return the send as it then stands.

    Raises SettingsError for a name that is none of them.
    """
    match action:
        case REFRESH.name:
            return outbox.refresh(send, settled=True)[0]
        case RECONCILE.name:
            return outbox.reconcile(send)[0]
        case RESOLVE_SENT.name:
            return outbox.resolve(send, "sent", reason=reason)
        case RESOLVE_NOT_SENT.name:
            return outbox.resolve(send, "not_sent", reason=reason)
    raise SettingsError(f"there is no action {clean(action, 40)!r}; nothing was done; run the cell again")
