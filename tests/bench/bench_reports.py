"""Each report beside hand-written pandas on the same frame, and beside hand-written SQL on DuckDB over Parquet.

``python tests/bench/bench_reports.py [--sends 1000000] [--times 5]``: seconds (the best of some rounds, ours and theirs
in turn) and their ratio. What is written by hand gives the same columns and rows, as far as they cost anything.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import many_sends
import pandas as pd

from linq_nb import reports, to_frame

NOW = many_sends.START + timedelta(days=91)
NOT_ACCEPTED = "('preparing', 'sending', 'not_sent', 'rejected', 'unknown')"
COUNTS = f"""count(*) AS sends, count(*) FILTER (status NOT IN {NOT_ACCEPTED}) AS accepted,
    count(*) FILTER (status IN ('delivered', 'read')) AS delivered, count(*) FILTER (status = 'read') AS read,
    count(*) FILTER (status = 'failed') AS failed, count(*) FILTER (status IN ('not_sent', 'rejected')) AS refused,
    count(*) FILTER (status IN ('sending', 'unknown')) AS unclear,
    min(created_at) AS first_at, max(created_at) AS last_at"""

SQL = {
    "by_chat": f"""SELECT chat_id, arg_max(chat_name, created_at), bool_or(is_group), {COUNTS} FROM sends
        GROUP BY chat_id ORDER BY failed DESC, refused DESC, unclear DESC, sends DESC, chat_id""",
    "by_day": f"SELECT day, {COUNTS} FROM sends GROUP BY day ORDER BY day",
    "funnel": f"""SELECT count(*), count(*) FILTER (status NOT IN {NOT_ACCEPTED}),
        count(*) FILTER (sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read')),
        count(*) FILTER ((sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read'))
            AND NOT is_group AND service <> 'SMS'),
        count(*) FILTER (status IN ('delivered', 'read') AND NOT is_group AND service <> 'SMS'),
        count(*) FILTER (status = 'read' AND NOT is_group AND service <> 'SMS') FROM sends""",
    "latency": """SELECT service, is_group, count(*), quantile_cont(delivery_s, [0.5, 0.9, 0.99]) FROM sends
        WHERE delivery_s IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "errors": """SELECT status, if(status = 'failed', NULL, http_status) AS http, error_code, count(*) AS n,
        count(DISTINCT chat_id), min(created_at), max(created_at) FROM sends
        WHERE status IN ('failed', 'unknown', 'not_sent', 'rejected') GROUP BY 1, 2, 3 ORDER BY n DESC""",
    "unconfirmed": """SELECT send_id, chat_id, chat_name, is_group, service, status, message_id, accepted_at, checked_at
        FROM sends WHERE status NOT IN ('preparing', 'sending', 'not_sent', 'rejected', 'unknown', 'expired',
            'delivered', 'read', 'failed', 'received')
        AND NOT (status = 'sent' AND (is_group OR service = 'SMS'))
        AND coalesce(accepted_at, posted_at, created_at) <= TIMESTAMPTZ '2026-05-30 23:00:00+00'
        ORDER BY accepted_at, send_id""",
    "duplicates": """SELECT chat_id, coalesce(sha256, attachment_id) AS audio,
        count(*) FILTER (status NOT IN ('sending', 'unknown')) AS bubbles,
        count(*) FILTER (status IN ('sending', 'unknown')) AS unclear, min(created_at), max(created_at) FROM sends
        WHERE status NOT IN ('not_sent', 'rejected', 'preparing') GROUP BY 1, 2 HAVING count(*) > 1
        ORDER BY bubbles DESC, unclear DESC, chat_id, audio""",
}


def counted(frame: pd.DataFrame, key: str, **more: Any) -> pd.DataFrame:
    status = frame["status"]
    flags = pd.DataFrame({
        key: frame[key], "created_at": frame["created_at"],
        "accepted": ~status.isin(["preparing", "sending", "not_sent", "rejected", "unknown"]),
        "delivered": status.isin(["delivered", "read"]), "read": status == "read", "failed": status == "failed",
        "refused": status.isin(["not_sent", "rejected"]), "unclear": status.isin(["sending", "unknown"]),
        **{name: frame[name] for name, _ in more.values()},
    })  # fmt: skip
    sums = {column: (column, "sum") for column in ("accepted", "delivered", "read", "failed", "refused", "unclear")}
    return flags.groupby(key, observed=True).agg(
        sends=("accepted", "size"), **sums, first_at=("created_at", "min"), last_at=("created_at", "max"), **more
    )


def chats(frame: pd.DataFrame) -> pd.DataFrame:
    table = counted(frame, "chat_id", chat_name=("chat_name", "last"), is_group=("is_group", "max"))
    return table.reset_index().sort_values(["failed", "refused", "unclear", "sends"], ascending=False)


def stages(frame: pd.DataFrame) -> list[int]:
    status = frame["status"]
    accepted = ~status.isin(["preparing", "sending", "not_sent", "rejected", "unknown"])
    sent = accepted & (frame["sent_at"].notna() | status.isin(["sent", "delivered", "read"]))
    telling = sent & ~frame["is_group"].fillna(False) & (frame["service"] != "SMS")
    delivered = telling & status.isin(["delivered", "read"])
    return [
        len(frame),
        *(int(stage.sum()) for stage in (accepted, sent, telling, delivered, delivered & (status == "read"))),
    ]


def lengths(frame: pd.DataFrame) -> pd.DataFrame:
    groups = frame.groupby(["service", "is_group"], observed=True)["delivery_s"]
    return groups.quantile([0.5, 0.9, 0.99]).unstack().assign(sends=groups.count())


def wrong(frame: pd.DataFrame) -> pd.DataFrame:
    some = frame.loc[frame["status"].isin(["failed", "unknown", "not_sent", "rejected"]),
                     ["status", "http_status", "error_code", "chat_id", "created_at"]]  # fmt: skip
    http = some["http_status"].mask(some["status"] == "failed")
    groups = some.assign(http_status=http).groupby(["status", "http_status", "error_code"], observed=True, dropna=False)
    return groups.agg(sends=("chat_id", "size"), chats=("chat_id", "nunique"), first_at=("created_at", "min"),
                      last_at=("created_at", "max")).sort_values("sends", ascending=False)  # fmt: skip


def waiting(frame: pd.DataFrame) -> pd.DataFrame:
    status = frame["status"]
    final = status.isin(["preparing", "sending", "not_sent", "rejected", "unknown", "expired", "delivered", "read",
                         "failed", "received"])  # fmt: skip
    enough = (status == "sent") & (frame["is_group"].fillna(False) | (frame["service"] == "SMS"))
    since = frame["accepted_at"].fillna(frame["posted_at"]).fillna(frame["created_at"])
    names = [
        "send_id",
        "chat_id",
        "chat_name",
        "is_group",
        "service",
        "status",
        "message_id",
        "accepted_at",
        "checked_at",
    ]
    rows = frame.loc[~final & ~enough & (since <= NOW - timedelta(hours=1)), names]
    return rows.sort_values(["accepted_at", "send_id"])


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    some = frame.loc[~frame["status"].isin(["not_sent", "rejected", "preparing"]),
                     ["chat_id", "sha256", "attachment_id", "status", "created_at"]]  # fmt: skip
    unclear = some["status"].isin(["sending", "unknown"])
    audio = some["sha256"].fillna(some["attachment_id"])
    groups = some.assign(audio=audio, unclear=unclear, bubbles=~unclear).groupby(["chat_id", "audio"])
    table = groups.agg(bubbles=("bubbles", "sum"), unclear=("unclear", "sum"), first_at=("created_at", "min"),
                       last_at=("created_at", "max")).reset_index()  # fmt: skip
    table = table[table["bubbles"] + table["unclear"] > 1]
    return table.sort_values(["bubbles", "unclear", "chat_id", "audio"], ascending=[False, False, True, True])


BY_HAND: dict[str, Callable[[pd.DataFrame], Any]] = {
    "by_chat": chats, "by_day": lambda frame: counted(frame, "day"), "funnel": stages, "latency": lengths,
    "errors": wrong, "unconfirmed": waiting, "duplicates": twice,
}  # fmt: skip


def ours(name: str, table: Any) -> Any:
    report = getattr(reports, name)
    return report(table, now=NOW) if name == "unconfirmed" else report(table)


def side_by_side(first: Callable[[], Any], second: Callable[[], Any], times: int) -> tuple[float, float]:
    """The best seconds of each, run in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(times):
        for place, work in enumerate((first, second)):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - start)
    return best[0], best[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    frame = to_frame(list(many_sends.sends(args.sends)))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "sends.parquet"))
        frame.to_parquet(file)
        database = duckdb.connect()
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"CREATE VIEW sends AS SELECT * FROM read_parquet('{file}')")
        print(
            f"{args.sends} sends\n| report | pandas by hand, s | ours, s | ratio | SQL, s | ours on DuckDB, s | ratio |"
        )
        for name, plain in BY_HAND.items():
            hand, our = side_by_side(lambda plain=plain: plain(frame), lambda name=name: ours(name, frame), args.times)
            sql, lazy = side_by_side(
                lambda name=name: database.sql(SQL[name]).fetchall(),
                lambda name=name: ours(name, database.table("sends")).fetchall(),
                args.times,
            )
            print(f"| {name} | {hand:.3f} | {our:.3f} | {our / hand:.2f} | {sql:.3f} | {lazy:.3f} | {lazy / sql:.2f} |")


if __name__ == "__main__":
    main()
