"""`POST /v3/chats/{chatId}/voicememo`: the one call that puts a bubble in a chat."""

from datetime import timedelta
from mimetypes import guess_type
from urllib.parse import unquote, urlsplit

from . import faults, lifecycle, media, rules, shapes, webhooks
from .call import Call
from .faults import Fault
from .sniff import sniff
from .state import Attachment, Chat, Message, State
from .wire import Json, Refusal, Reply, json_reply

_FIELDS = {"voice_memo_url": str, "attachment_id": str, "override_optout": bool, "force_notify": bool}
_OF_OTHER_CALLS = ("from", "to", "message", "parts", "preferred_service", "idempotency_key", "effect", "reply_to")


def send(call: Call) -> Reply:
    """Accept one voice memo (202), or refuse it as Linq does."""
    state, chat = call.state, call.state.chat(call.path_id)
    body, more = _body(call)
    given = [name for name in ("voice_memo_url", "attachment_id") if name in body]
    if not given:
        raise Refusal(400, 1001, "One of voice_memo_url and attachment_id is required.")
    if len(given) == 2:
        raise Refusal(400, 1005, "Give voice_memo_url or attachment_id, not both.")
    may_send(state, chat, override=body.get("override_optout", False))
    by_url = "voice_memo_url" in body
    file, content = _by_url(call, body["voice_memo_url"]) if by_url else _uploaded(call, body["attachment_id"])
    call.fault = _trouble(call, chat, content)
    if call.fault is not None and not call.fault.accepts:
        return Reply(500)
    within_limits(state, chat)
    part = shapes.media_part(file, rules.delivered_type(file.content_type))
    message = new_message(call, chat, content, [part], file)
    message.options = {name: value for name, value in body.items() if name not in given} | more
    return json_reply(202, shapes.voice_memo(message))


def _body(call: Call) -> tuple[Json, Json]:
    """Give the fields that are known, and others, which Linq may have added; those of other calls are refused."""
    data = rules.json_body(call.request)
    more = {name: value for name, value in data.items() if name not in (*_FIELDS, *_OF_OTHER_CALLS)}
    body = {name: value for name, value in data.items() if name not in more}
    rules.fields(body, {}, _FIELDS)
    return body, more


def may_send(state: State, chat: Chat, *, override: bool) -> None:
    """Refuse a chat that was left (2013), a paused line (2027), people blocked (2026) or opted out (2024)."""
    if chat.left:
        raise Refusal(409, 2013, "You have left this chat.")
    if chat.person.script == "line_paused":
        raise Refusal(403, 2027, f"The line {chat.line.number} cannot send at the moment.")
    if chat.is_group:
        return
    if chat.others[0] in state.blocked:
        raise Refusal(403, 2026, "The recipient is on your block list.")
    if chat.others[0] in state.opted_out and not override:
        raise Refusal(403, 2024, "The recipient has opted out of your messages.")


def _uploaded(call: Call, attachment_id: str) -> tuple[Attachment, str]:
    """Find an uploaded file and its hash: 404/2003 unknown or expired, 404/2007 not there yet or still processing."""
    state = call.state
    file = state.attachment(attachment_id)
    if file.sha256 is None:
        if call.now >= file.expires_at:
            raise Refusal(404, 2003, "The attachment was never uploaded.")
        raise Refusal(404, 2007, "The attachment is not uploaded yet.")
    ready_at = (file.uploaded_at or call.now) + timedelta(seconds=state.limits.processing_s)
    if call.now < ready_at:
        raise Refusal(404, 2007, "The attachment is still being processed.")
    rules.memo_size(file.size_bytes)
    data = state.blobs[file.sha256]
    rules.memo_type(file.content_type, sniff(data), len(data))
    return file, file.sha256


def _by_url(call: Call, url: str) -> tuple[Attachment, str]:
    """Fetch a file from a URL, and give what tells its content from others."""
    rules.public_https(url, "voice_memo_url")
    filename, extension = _file_name(url)
    declared = rules.AUDIO_EXTENSIONS.get(extension)
    if declared is None:
        raise Refusal(400, 5006, "The URL does not end in the extension of a voice memo format.")
    file = _from_web(call, url, filename, declared, "voice memo")
    return file, file.sha256 or _key(url)


def fetched_media(call: Call, url: str) -> Attachment:
    """Fetch a part's file from a URL: 400/5004 for an extension whose type is not supported."""
    rules.public_https(url, "url")
    filename, extension = _file_name(url)
    declared = rules.AUDIO_EXTENSIONS.get(extension) or guess_type(f"x.{extension}")[0] or ""
    if declared not in rules.AUDIO_TYPES and declared not in rules.OTHER_TYPES:
        raise Refusal(400, 5004, "The URL does not end in the extension of a supported file type.")
    return _from_web(call, url, filename, declared, "file")


def _file_name(url: str) -> tuple[str, str]:
    """Give the name of the file at a URL, and its extension in small letters."""
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    return filename, filename.rpartition(".")[2].lower()


def _key(url: str) -> str:
    return "url:" + url.partition("?")[0].partition("#")[0]


def _from_web(call: Call, url: str, filename: str, declared: str, what: str) -> Attachment:
    """Fetch a file: the demo's own are really read, others are believed by their extension."""
    parts = urlsplit(url)
    if parts.hostname == media.HOST and parts.path.removeprefix("/") in media.NAMES:
        return _own_media(call, parts.path, filename, declared)
    if (parts.hostname or "").endswith(".invalid"):
        raise Refusal(500, 5002, f"The {what} could not be downloaded.")
    key = _key(url)
    size = int(call.state.ids.between(20_000, 400_000, "size", key.removeprefix("url:")))
    return _fetched(call, key, filename, declared, size)


def _own_media(call: Call, path: str, filename: str, declared: str) -> Attachment:
    answer = media.get("/hello.wav" if path == "/redirect.wav" else path)
    if answer.status != 200:
        raise Refusal(500, 5002, "The voice memo could not be downloaded.")
    rules.memo_size(len(answer.body))
    actual = sniff(answer.body)
    if actual != declared:
        raise Refusal(400, 5006, f"The file at this URL is {actual or 'not audio'}, its name says {declared}.")
    file = _fetched(call, call.state.ids.hex("media", path), filename, declared, len(answer.body))
    file.sha256 = call.state.store_file(answer.body)
    file.duration_ms = media.duration_ms(answer.body)
    return file


def _fetched(call: Call, key: str, filename: str, content_type: str, size: int) -> Attachment:
    state, now = call.state, call.now
    file_id = state.ids.uuid("fetched", call.path_id, key, state.count("fetched", call.path_id, key))
    file = state.attachments[file_id] = Attachment(file_id, filename[:255], content_type, size, now, now, signature="")
    return file


def _trouble(call: Call, chat: Chat, content: str) -> Fault | None:
    """Give the chat's own fault, else one drawn by seed, chat, content and attempt, not by the order of arrival."""
    state = call.state
    attempt = state.count("attempt", chat.id, content)
    chat.first_contact_at = chat.first_contact_at or call.now
    own = faults.scripted(chat.person.script, attempt, chat.first_contact_at, call.now)
    return own or state.mix.draw(state.ids.unit("fault", state.mix.seed, chat.id, content, attempt))


def within_limits(state: State, chat: Chat) -> None:
    """Refuse with 429/1007 what is above 30 a minute between line and recipient, or above the daily cap."""
    now, minute, limit = state.clock.now(), timedelta(minutes=1), state.limits.pair_per_minute
    recent = sorted(at for at in state.accepted.get(chat.pair, []) if at > now - minute)
    if len(recent) >= limit:
        raise rules.too_soon("Too many messages to this recipient.", now, recent[-limit] + minute)
    if state.limits.daily is not None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if sum(at >= midnight for times in state.accepted.values() for at in times) >= state.limits.daily:
            raise rules.too_soon("The daily limit of messages is reached.", now, midnight + timedelta(days=1))


def new_message(
    call: Call, chat: Chat, content: str, parts: list[Json], attachment: Attachment | None = None
) -> Message:
    """Accept one outbound message, 40 to 400 ms from now. Its id and times are hashes of chat, content and count."""
    state = call.state
    key = ("message", chat.id, content, state.count("message", chat.id, content))
    created_at = call.now + timedelta(seconds=round(state.ids.between(0.04, 0.4, "accept", *key), 3))
    message = Message(
        id=state.ids.uuid(*key),
        chat=chat,
        created_at=created_at,
        parts=parts,
        trace_id=call.trace_id,
        stages=lifecycle.stages(chat, created_at, state.ids, key),
        sender=chat.me,
        carrier=chat.carrier,
        attachment=attachment,
        failure=lifecycle.failure(chat),
    )
    state.add_message(message)
    webhooks.schedule(state, message)
    state.accepted.setdefault(chat.pair, []).append(call.now)
    return message
