"""Object storage: the upload host that takes presigned PUTs, and the CDN that serves what was kept."""

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import unquote

from .state import Attachment, State
from .wire import Reply, Request, xml_reply

UPLOAD_PREFIX = "/upload/"
CDN_PREFIX = "/attachments/"


def upload_url(base: str, item: Attachment) -> str:
    return f"{base}{UPLOAD_PREFIX}{item.id}?X-Amz-Expires=900&X-Amz-Signature={item.signature}"


def required_headers(item: Attachment) -> dict[str, str]:
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
    for name, value in required_headers(item).items():
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
    if "Signature" in request.query and not _is_link_valid(state, item, request):
        return xml_reply(403, "AccessDenied", "The link has expired or was changed.")
    return Reply(200, state.blobs[item.sha256], {"Content-Type": item.content_type})


def _is_link_valid(state: State, item: Attachment, request: Request) -> bool:
    expires = request.query.get("Expires", "")
    if request.query["Signature"] != state.ids.hex("cdn", item.id, expires):
        return False
    return state.clock.now() < datetime.fromtimestamp(int(expires), UTC)


def http_date(at: datetime) -> str:
    """Write a time for the `Date` header."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
