"""`/v3/attachments`: promise an upload, look at it, delete it."""

from datetime import timedelta

from . import rules, shapes, storage
from .call import Call
from .clock import stamp
from .state import Attachment
from .wire import Reply, json_reply

UPLOAD_LIFE = timedelta(minutes=15)


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
        "upload_url": storage.upload_url(state.upload_base, item),
        "http_method": "PUT",
        "required_headers": storage.required_headers(item),
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
