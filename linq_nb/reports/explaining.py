"""Meaning and remedy of errors, looked up in the catalogue by the engine that holds the table."""

from __future__ import annotations

import narwhals as nw

from linq_nb import catalog
from linq_nb.catalog import Code

_NEVER_LEFT = Code(None, None, "it never reached Linq", "wait", "run it again: nothing was sent", "")
_NO_REASON = Code(
    None, None, "the delivery failed; no reason is known", "later", "read the webhook of the failure: outbox.ingest", ""
)

_CODES_A_STATUS = 1_000_000
"""An HTTP status and a code make one number, to be looked up at once."""

_BY_BOTH = {
    (entry.http_status or 0) * _CODES_A_STATUS + entry.code: entry for entry in catalog.CODES if entry.code is not None
}
_BY_STATUS = {status: catalog.explain(status) for status in range(400, 500)}


def columns() -> list[nw.Expr]:
    """The columns ``meaning`` and ``what_to_do`` of rows with ``status``, ``http_status`` and ``error_code``."""
    return [_explained("meaning").alias("meaning"), _explained("todo").alias("what_to_do")]


def explained(status: str, http_status: int | None, error_code: int | None) -> dict[str, str]:
    """Return ``meaning`` and ``what_to_do`` of one error, as ``columns`` does for a table."""
    refusal = http_status if http_status and http_status >= catalog.LEAST_ERROR else 0
    entry = _BY_BOTH.get(refusal * _CODES_A_STATUS + (error_code or 0))
    if status == "not_sent" and not http_status:
        entry = _NEVER_LEFT
    elif entry is None:
        entry = _NO_REASON if status == "failed" else _BY_STATUS.get(refusal, catalog.explain(None))
    return {"meaning": entry.meaning, "what_to_do": entry.todo}


def _explained(field: str) -> nw.Expr:
    """As ``catalog.explain``: by both numbers, else by HTTP status; ``failed`` and ``not_sent`` have no answer."""
    http, code = nw.col("http_status").fill_null(0), nw.col("error_code").fill_null(0)
    refusal = nw.when(http >= catalog.LEAST_ERROR).then(http).otherwise(0)
    documented = (refusal * _CODES_A_STATUS + code).replace_strict(
        {key: getattr(entry, field) for key, entry in _BY_BOTH.items()}, default=None, return_dtype=nw.String
    )
    by_status = http.replace_strict(
        {key: getattr(entry, field) for key, entry in _BY_STATUS.items()},
        default=nw.lit(getattr(catalog.explain(None), field)),
        return_dtype=nw.String,
    )
    failed = nw.when(nw.col("status") == "failed").then(nw.lit(getattr(_NO_REASON, field))).otherwise(by_status)
    never_left = (nw.col("status") == "not_sent") & (http == 0)
    answered = nw.coalesce(documented, failed)
    return nw.when(never_left).then(nw.lit(getattr(_NEVER_LEFT, field))).otherwise(answered)
