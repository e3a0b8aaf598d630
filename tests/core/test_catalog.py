"""The table of error codes has the text of Linq's documents, under every HTTP status of each code."""

from __future__ import annotations

import pytest

from linq_nb import catalog

ASYNC = None
DOCUMENTED: dict[int, tuple[int | None, ...]] = {
    1001: (400,), 1002: (400,), 1003: (400, 422), 1004: (400,), 1005: (400,), 1006: (409,), 1007: (429,), 1008: (400,),
    2001: (404,), 2002: (404,), 2003: (404,), 2004: (401,), 2005: (403,), 2006: (403,), 2007: (404,), 2008: (403,),
    2009: (409,), 2010: (404,), 2011: (403,), 2012: (404,), 2013: (409,), 2014: (409,), 2015: (409,), 2016: (409,),
    2017: (409,), 2018: (409,), 2019: (404,), 2021: (404,), 2022: (500,), 2024: (403,), 2026: (403,), 2027: (403,),
    3001: (500,), 3002: (500,), 3003: (500,), 3004: (500,), 3005: (504,), 3006: (500,), 3007: (500, ASYNC),
    4001: (429, 500, ASYNC), 4002: (500, ASYNC), 4003: (500,), 4004: (503,), 4005: (422, ASYNC),
    4006: (ASYNC,), 4007: (ASYNC,), 4008: (ASYNC,), 4009: (503,), 4010: (503,),
    5001: (413, 500), 5002: (500,), 5003: (500,), 5004: (400,), 5005: (400,), 5006: (400,), 5007: (400,),
}  # fmt: skip


@pytest.mark.parametrize(("code", "statuses"), DOCUMENTED.items())
def test_every_documented_code_is_listed_under_every_status(code: int, statuses: tuple[int | None, ...]) -> None:
    assert {entry.http_status for entry in catalog.by_code(code)} == set(statuses)
    for status in statuses:
        assert catalog.explain(status, code).code == code


def test_the_table_has_no_undocumented_and_no_duplicate_code() -> None:
    assert {entry.code for entry in catalog.CODES} == set(DOCUMENTED)
    assert len({(entry.http_status, entry.code) for entry in catalog.CODES}) == len(catalog.CODES)


def test_an_entry_has_a_meaning_an_advice_and_a_source() -> None:
    for entry in catalog.CODES:
        assert entry.meaning
        assert entry.todo
        assert set(entry.source.split(", ")) <= {"page", "docs", "spec", "sdk"}


def test_an_unknown_code_is_explained_by_its_http_status() -> None:
    for status in range(100, 600):
        unknown = catalog.explain(status, 9999)
        assert unknown == catalog.explain(status)
        assert unknown.again_safe == (400 <= status < 500 and status != 408)


def test_the_same_number_means_different_things_under_different_statuses() -> None:
    assert catalog.explain(413, 5001).again == "no"
    assert catalog.explain(500, 5001).again == "risk"
    assert catalog.explain(429, 4001).again == "wait"
    assert catalog.explain(None, 4001).again == "later"
    assert "malformed" in catalog.explain(400, 1003).meaning
    assert "processed" in catalog.explain(422, 1003).meaning


def test_running_again_is_called_safe_only_where_nothing_was_sent() -> None:
    unsafe = [e for e in catalog.CODES if e.again_safe and e.http_status is not None and e.http_status >= 500]
    assert {entry.code for entry in unsafe} <= {2022, 4009, 4010}  # none of them answers a voice memo


@pytest.mark.parametrize("http_status", [None, 200, 202])
@pytest.mark.parametrize("code", [3007, 4001, 4002, 4005])
def test_a_code_without_an_error_status_is_explained_as_that_of_a_webhook(http_status: int | None, code: int) -> None:
    entry = catalog.explain(http_status, code)
    assert (entry.http_status, entry.code) == (None, code)


def test_a_success_without_a_code_explains_nothing() -> None:
    assert catalog.explain(202) == catalog.explain(None)


def test_running_again_is_a_risk_after_an_unknown_code_of_a_webhook() -> None:
    assert catalog.explain(None, 9999).again == "risk"
    assert catalog.explain(None, None).again == "risk"
