"""Phone numbers in the spellings in which spreadsheets, forms and people have them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import linq_nb
from linq_nb.errors import SettingsError
from linq_nb.handles import to_e164

ADA = "+12025550112"
SPELLINGS = [
    12025550112, 12025550112.0, np.int64(12025550112), np.float64(12025550112), "12025550112", "12025550112.0", ADA,
    "+1 (202) 555-0112", "+1.202.555.0112", "00 1 202 555 0112", "tel:+1-202-555-0112", '="12025550112"',
    "'+12025550112", "\uff0b\uff11\uff12\uff10\uff12\uff15\uff15\uff15\uff10\uff11\uff11\uff12",
    "+1\u00a0202\u2011555\u20110112", "+1\u2009202\u2212555\u22120112", "\u202a+12025550112\u202c",
    "\ufeff+12025550112", " +12025550112\r\n", "+\u0661\u0662\u0660\u0662\u0665\u0665\u0665\u0660\u0661\u0661\u0662",
]  # fmt: skip


@pytest.mark.parametrize("value", SPELLINGS, ids=ascii)
def test_every_usual_spelling_gives_the_same_number(value: Any) -> None:
    assert to_e164(value) == ADA
    assert to_e164(value, "US") == ADA
    assert to_e164(value, "de") == ADA


@pytest.mark.parametrize(
    ("value", "region", "number"),
    [
        ("(202) 555-0112", "US", ADA),
        (2025550112, "us", ADA),
        ("0176/12345678", "DE", "+4917612345678"),
        ("+44 (0)20 7946 0018", None, "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("15012345678", "CN", "+8615012345678"),
    ],
)
def test_a_region_completes_a_number_without_its_country_code(value: Any, region: str, number: str) -> None:
    assert to_e164(value, region) == number


@pytest.mark.parametrize(
    ("value", "region", "says"),
    [
        ("2.02556E+9", None, "the digits are lost; nothing was sent; read the column as text"),
        ("1,20255E+10", "US", "read the column as text"),
        (Decimal("1.20256E+10"), None, "the digits are lost; nothing was sent; read the column as text"),
        (12025550112.5, None, "the digits are lost; nothing was sent; read the column as text"),
        (2.02556e20, None, "read the column as text"),
        ("2025550112", None, r'10 digits, no [+], ends in 0112.*to_e164[(]numbers, region="US"[)] adds'),
        ("0176 12345678", None, "12 digits|11 digits"),
        ("+1202", None, "4 digits, a [+]"),
        ("+1202555011234567", None, "15 digits at most"),
        ("+12025550112;+12025550113", None, "22 digits"),
        ("+12025550112 x5", None, "not a phone number"),
        ("1-800-FLOWERS", "US", "not a phone number"),
        ("ada@example.com", None, "no digits"),
        (True, None, "not a value of type bool"),
        ([], None, ""),
        ("+12025550112", "USA", "region is the code of a country such as US or DE"),
        ("+12025550112", "\u00b9", "region is the code of a country"),
    ],
)
def test_an_impossible_number_is_refused_with_the_reason(value: Any, region: str | None, says: str) -> None:
    if value == []:
        assert to_e164(value) == []
        return
    with pytest.raises(SettingsError, match=says) as raised:
        to_e164(value, region)
    assert "2025550" not in str(raised.value)


@pytest.mark.parametrize("value", [None, float("nan"), "", "  ", pd.NA, pd.NaT, np.nan, " nan ", "NaN", "<NA>", "NaT"])
def test_a_missing_value_stays_missing(value: Any) -> None:
    assert to_e164(value) is None


def test_a_column_is_read_as_a_whole_and_an_invalid_number_is_missing() -> None:
    wanted = [ADA, None, None, ADA]
    values = ["1 202 555 0112", "no number", None, "+12025550112"]
    series = linq_nb.to_e164(pd.Series(values, index=[3, 1, 4, 5], name="phone"))
    assert (list(series.index), series.name, str(series.dtype)) == ([3, 1, 4, 5], "phone", "string")
    assert [None if pd.isna(value) else value for value in series] == wanted
    assert linq_nb.to_e164(pl.Series("phone", values)).to_list() == wanted
    assert linq_nb.to_e164(values) == wanted
    assert linq_nb.to_e164(pd.Series([12025550112, np.nan]))[0] == ADA
    assert len(linq_nb.to_e164(pd.Series([], dtype=object))) == 0
