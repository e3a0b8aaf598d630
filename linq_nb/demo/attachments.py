"""Files: promise an upload, take its presigned PUT as object storage does, and serve and delete what was kept."""

from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from . import rules, shapes
from .call import Call
from .clock import stamp
from .state import Attachment, State
from .wire import Reply, Request, json_reply, xml_reply

UPLOAD_LIFE = timedelta(minutes=15)
UPLOAD_PREFIX = "/upload/"
CDN_PREFIX = "/attachments/"


def create(call: Call) -> Reply:
    """Promise an upload for 15 minutes.

    The bytes are not known yet, so the id comes from name, type, size and how often these were asked for.
    """
    body = call.body({"filename": str, "content_type": str, "size_bytes": int})
    rules.upload(**body)
    state, key = call.state, (body["filename"], body["content_type"], body["size_bytes"])
    file_id = state.ids.uuid("attachment", *key, state.count("attachment", *key))
    item = Attachment(
        id=file_id,
        **body,
        created_at=call.now,
        expires_at=call.now + UPLOAD_LIFE,
        signature=state.ids.hex("upload", file_id),
    )
    state.attachments[file_id] = item
    answer = {
        "attachment_id": file_id,
        "upload_url": f"{state.upload_base}{UPLOAD_PREFIX}{file_id}?X-Amz-Expires=900&X-Amz-Signature={item.signature}",
        "http_method": "PUT",
        "required_headers": _required_headers(item),
        "expires_at": stamp(item.expires_at),
        "download_url": shapes.cdn_url(item),
    }
    return json_reply(200, answer)


def get(call: Call) -> Reply:
    return json_reply(200, shapes.attachment(call.state.attachment(call.path_id, "attachmentId")))


def delete(call: Call) -> Reply:
    """Delete for good; messages that show it keep their part without a working link."""
    del call.state.attachments[call.state.attachment(call.path_id, "attachmentId").id]
    return Reply(204)


def _required_headers(item: Attachment) -> dict[str, str]:
    return {"Content-Type": item.content_type, "Content-Length": str(item.size_bytes)}


def put(state: State, request: Request) -> Reply:
    """Accept a presigned PUT with exact headers and size, in time; errors are XML, as of object storage."""
    item = state.attachments.get(request.path.removeprefix(UPLOAD_PREFIX))
    if "authorization" in request.headers:
        return xml_reply(400, "InvalidArgument", "Only one auth mechanism allowed.")
    if item is None:
        return xml_reply(404, "NoSuchKey", "There is no such upload.")
    refusal = _refusal(state, item, request)
    if refusal is not None:
        return refusal
    digest = state.store_file(request.body)
    item.sha256, item.uploaded_at = digest, state.clock.now()
    return Reply(200, b"", {"ETag": f'"{digest[:32]}"'})


def _refusal(state: State, item: Attachment, request: Request) -> Reply | None:
    if request.method != "PUT":
        return xml_reply(405, "MethodNotAllowed", "This link takes a PUT.")
    if request.query.get("X-Amz-Signature") != item.signature:
        return xml_reply(403, "SignatureDoesNotMatch", "The signature does not match.")
    if state.clock.now() >= item.expires_at:
        return xml_reply(403, "AccessDenied", "Request has expired.")
    if "content-length" not in request.headers:
        return xml_reply(411, "MissingContentLength", "You must provide the Content-Length header.")
    for name, value in _required_headers(item).items():
        if request.headers.get(name.lower()) != value:
            return xml_reply(403, "SignatureDoesNotMatch", f"{name} is not what was signed.")
    if len(request.body) != item.size_bytes:
        return xml_reply(400, "IncompleteBody", "The body is not as long as Content-Length says.")
    return None


def cdn(state: State, request: Request) -> Reply:
    """Serve a kept file; a link with a signature ends when it says so."""
    item = state.attachments.get(unquote(request.path.removeprefix(CDN_PREFIX)).split("/")[0])
    if item is None or item.sha256 not in state.blobs:
        return xml_reply(404, "NoSuchKey", "There is no such file.")
    if (signature := request.query.get("Signature")) is not None:
        expires = request.query.get("Expires", "")
        is_unchanged = signature == state.ids.hex("cdn", item.id, expires)
        if not is_unchanged or state.clock.now() >= datetime.fromtimestamp(int(expires), UTC):
            return xml_reply(403, "AccessDenied", "The link has expired or was changed.")
    return Reply(200, state.blobs[item.sha256], {"Content-Type": item.content_type})
