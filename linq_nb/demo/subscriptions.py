"""Webhook subscriptions and the list of events."""

import re
from base64 import b64encode

from . import rules, shapes, webhooks
from .call import Call
from .state import Subscription
from .wire import Json, Refusal, Reply, json_reply

_IS_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,60}(\.[a-z0-9_]{1,60}){1,4}").fullmatch
_OPTIONAL = {"phone_numbers": list, "routing_id_header": str, "routing_key_header": str}


def events(call: Call) -> Reply:
    return json_reply(200, {"events": list(webhooks.EVENT_TYPES), "doc_url": shapes.EVENTS_DOC})


def list_all(call: Call) -> Reply:
    items = call.state.subscriptions.values()
    return json_reply(200, {"subscriptions": [shapes.subscription(item) for item in items]})


def create(call: Call) -> Reply:
    """Subscribe; only this answer has the secret. A second one for the same URL is refused (409/2015)."""
    body, state = call.body({"target_url": str, "subscribed_events": list}, _OPTIONAL), call.state
    url = _target(call, body["target_url"], None)
    number = state.count("subscription", url)
    item = Subscription(
        id=state.ids.uuid("subscription", url, number),
        target_url=url,
        subscribed_events=_events(body["subscribed_events"]),
        is_active=True,
        secret="whsec_" + b64encode(bytes.fromhex(state.ids.hex("secret", url, number))).decode(),
        created_at=call.now,
        updated_at=call.now,
        phone_numbers=_numbers(body.get("phone_numbers")),
        routing_id_header=body.get("routing_id_header"),
        routing_key_header=body.get("routing_key_header"),
    )
    state.subscriptions[item.id] = item
    webhooks.note_change(state, item, "created", call.now)
    return json_reply(201, {**shapes.subscription(item), "signing_secret": item.secret})


def _named(call: Call) -> Subscription:
    try:
        return call.state.subscriptions[call.path_id]
    except KeyError:
        raise Refusal(404, 2010, "Webhook subscription not found.") from None


def get(call: Call) -> Reply:
    return json_reply(200, shapes.subscription(_named(call)))


def update(call: Call) -> Reply:
    """Change the given fields; the secret cannot change."""
    item, body = _named(call), rules.json_body(call.request)
    given: Json = {name: value for name, value in body.items() if value is not None}
    rules.fields(given, {}, {**_OPTIONAL, "target_url": str, "subscribed_events": list, "is_active": bool})
    if "target_url" in given:
        item.target_url = _target(call, given["target_url"], item)
    if "subscribed_events" in given:
        item.subscribed_events = _events(given["subscribed_events"])
    if "phone_numbers" in body:
        item.phone_numbers = _numbers(given.get("phone_numbers"))
    if given.get("is_active", item.is_active) != item.is_active:
        item.is_active = given["is_active"]
        webhooks.note_change(call.state, item, "enabled" if item.is_active else "disabled", call.now)
    for name in ("routing_id_header", "routing_key_header"):
        if name in body:
            setattr(item, name, body[name] or None)
    item.updated_at = call.now
    return json_reply(200, shapes.subscription(item))


def delete(call: Call) -> Reply:
    item = call.state.subscriptions.pop(_named(call).id)
    webhooks.note_change(call.state, item, "deleted", call.now)
    return Reply(204)


def _target(call: Call, url: str, own: Subscription | None) -> str:
    """Check a target: https as Linq demands, or, in the demo only, http on this machine."""
    if not (url.startswith("http://") and webhooks.is_local(url)):
        rules.public_https(url, "target_url")
    if any(other.target_url == url for other in call.state.subscriptions.values() if other is not own):
        raise Refusal(409, 2015, "There is a subscription for this target_url already.")
    return url


def _events(names: list[object]) -> list[str]:
    if not names:
        raise Refusal(400, 1001, "subscribed_events needs at least one event.")
    for name in names:
        if not isinstance(name, str) or not _IS_EVENT_TYPE(name):  # Linq adds types: new ones are accepted
            raise Refusal(400, 1005, f"{name} is not an event type.")
    return [str(name) for name in names]


def _numbers(values: list[object] | None) -> list[str] | None:
    return [rules.e164(str(value), "phone_numbers") for value in values] if values else None
