"""Lines, capability checks, the block list and the next free number."""

from datetime import timedelta

from . import rules, shapes
from .call import Call
from .people import Service
from .state import Blocked, State
from .wire import Json, Refusal, Reply, json_reply

CHECK_EVERY = timedelta(seconds=10)


def list_all(call: Call) -> Reply:
    return json_reply(200, {"phone_numbers": [shapes.line(line) for line in call.state.lines]})


def list_old(call: Call) -> Reply:
    """Answer the deprecated `GET /v3/phonenumbers`."""
    return json_reply(200, {"phone_numbers": [shapes.old_line(line) for line in call.state.lines]})


def update(call: Call) -> Reply:
    """Set or clear the forwarding number of a line (404/2019 for an unknown line)."""
    wanted, body = rules.uuid_text(call.path_id, "phoneNumberId"), rules.json_body(call.request)
    if set(body) != {"forwarding_number"}:
        raise Refusal(400, 1001, "forwarding_number is required, and nothing else.")
    line = next((line for line in call.state.lines if line.id == wanted), None)
    if line is None:
        raise Refusal(404, 2019, "Phone number not found.")
    number = body["forwarding_number"] or None
    line.forwarding_number = None if number is None else rules.e164(str(number), "forwarding_number")
    full = shapes.line(line)
    return json_reply(200, {name: full[name] for name in ("id", "phone_number", "forwarding_number")})


def check(call: Call, service: Service) -> Reply:
    """Check whether an address has a service, once in 10 seconds; an email address has no RCS (400/1005)."""
    body = call.body({"address": str}, {"from": str})
    if service == "RCS" and "@" in body["address"]:
        raise Refusal(400, 1005, "address must be a phone number: RCS has no email addresses.")
    address = rules.address(body["address"], "address")
    line = call.state.line(rules.e164(body["from"], "from")).number if "from" in body else "any"
    last = call.state.checks.get(line)
    if last is not None and call.now < last + CHECK_EVERY:
        raise rules.too_soon("One capability check in 10 seconds.", call.now, last + CHECK_EVERY)
    call.state.checks[line] = call.now
    selected = _service_of(call.state, address)
    available = selected == service
    answer: Json = {"address": address, "available": available, "selected_service": selected}
    return json_reply(200, answer if available else answer | {"reason": "not_supported"})


def _service_of(state: State, address: str) -> Service:
    """Give the service of a message to this address: that of its direct chat, else by a hash of the address."""
    for chat in state.chats.values():
        if chat.others == [address]:
            return chat.carrier
    if "@" in address:
        return "iMessage"
    kinds: tuple[Service, ...] = ("iMessage", "iMessage", "RCS", "SMS")
    return kinds[int(4 * state.ids.unit("service", address))]


def list_blocked(call: Call) -> Reply:
    newest = sorted(call.state.blocked.values(), key=lambda entry: entry.blocked_at, reverse=True)
    return json_reply(200, {"blocked_handles": [shapes.blocked(entry) for entry in newest]})


def block(call: Call) -> Reply:
    """Block a handle; again gives the same entry (SDK docs)."""
    body = call.body({"handle": str}, {"reason": str})
    handle = rules.address(body["handle"], "handle")
    new = Blocked(handle, call.now, body.get("reason"))
    return json_reply(200, {"blocked_handle": shapes.blocked(call.state.blocked.setdefault(handle, new))})


def unblock(call: Call) -> Reply:
    body = call.body({"handle": str})
    if call.state.blocked.pop(rules.address(body["handle"], "handle"), None) is None:
        raise Refusal(404, 2001, "This handle is not blocked.")
    return Reply(204)


def available(call: Call) -> Reply:
    """Give the line from which Linq would send."""
    excluded = call.request.query.get("exclude_from")
    free = [line for line in call.state.lines if line.number != excluded]
    link = f"{shapes.CDN}/contact-cards/{free[0].id}.vcf"
    return json_reply(200, {"phone_number": free[0].number, "vcf_url": link})
