"""The same reports on PySpark in local mode, on demand: ``pip install pyspark``, Java, then ``pytest -m spark``."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import by_hand
import pandas as pd
import pytest
from engines import as_text
from hypothesis import HealthCheck, given, settings
from test_reports import CASES, same, some_messages, some_sends

from linq_nb import reports, to_frame

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1",
                "spark.sql.session.timeZone": "UTC", "spark.driver.bindAddress": "127.0.0.1"}  # fmt: skip
    session = SparkSession.builder.master("local[1]").appName("reports")
    for name, value in settings.items():
        session = session.config(name, value)
    spark = session.getOrCreate()
    yield spark
    spark.stop()


def in_spark(spark: Any, frame: pd.DataFrame) -> Any:
    """A table of Spark with the dtypes of the frame; missing values are NULL, not NaN."""
    from pyspark.sql import types as T

    kinds = {"Int64": T.LongType(), "Float64": T.DoubleType(), "boolean": T.BooleanType(), "string": T.StringType()}
    frame = as_text(frame)
    schema = T.StructType([T.StructField(n, kinds.get(str(t), T.TimestampType())) for n, t in frame.dtypes.items()])
    plain = frame.astype(object).where(frame.notna(), None)
    data = [
        [value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in row] for row in plain.values
    ]
    return spark.createDataFrame(data, schema)


def answered(report: Any) -> list[dict[str, Any]]:
    """The rows of Spark's answer, its times as UTC."""
    plain = [row.asDict() for row in report.collect()]
    zoned = [{n: v.astimezone(UTC) if isinstance(v, datetime) else v for n, v in row.items()} for row in plain]
    return [{n: round(v, 9) if isinstance(v, float) else v for n, v in row.items()} for row in zoned]


@given(some_sends(), some_messages())
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_spark_answers_as_plain_python_does(spark: Any, sends: Any, messages: Any) -> None:
    ours = in_spark(spark, to_frame(sends, "full"))
    for name, report, plain in CASES:
        same(answered(report(ours)), plain(sends), f"{name} on Spark")
    theirs = in_spark(spark, to_frame(messages, kind="messages"))
    report = reports.compare(ours, theirs)
    same(answered(report), by_hand.compare(sends, messages), "compare on Spark")
    assert type(report).__module__.startswith("pyspark")
