"""The log records of httpx and httpcore, without signed queries and keys."""

from __future__ import annotations

import logging
import re

from linq_nb.secret import HIDDEN_VALUE

LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
"""The loggers that these libraries write to; a filter holds for one logger only, not for those below it."""

_QUERY = re.compile(r"(\bhttps?:(?:\\?/){2}[^\s?#'\"]*\?)[^\s'\"<>]+", re.IGNORECASE)
_TARGET = re.compile(r"(target=b?['\"][^?'\"]*\?)[^'\"]+")
_HEADER = re.compile(
    r"(?i)((?:authorization|(?:x-amz|x-goog|x-api)[\w-]*|cookie)['\"]?\s*[,:=]\s*b?['\"]?)[^'\"\n)\]]+"
)


class HideSecrets(logging.Filter):
    """Changes records, never drops one; handlers of the user get them as they would without it."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # args that do not fit: logging itself says so
            return True
        hidden = text
        for pattern in (_QUERY, _TARGET, _HEADER):
            hidden = pattern.sub(rf"\g<1>{HIDDEN_VALUE}", hidden)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


_filter = HideSecrets()


def hide_secrets_in_logs() -> None:
    """Put the filter on the loggers of httpx and httpcore; doing it again changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_filter)
