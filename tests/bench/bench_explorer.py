"""The explorer's counting at 10,000, 100,000 and 1,000,000 sends, beside DuckDB by hand and itables on one frame.

``python tests/bench/bench_explorer.py [--sends 10000 100000 1000000] [--times 7]``: DuckDB over a folder of Parquet.
``opens``: seconds from the relation to the first view, the first time. ``filter``: median milliseconds of a changed
filter, warm, for each kind of filter. ``by hand``: the same counts in SQL.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import many_sends

from linq_nb import to_frame
from linq_nb.explorer.exploration import Exploration
from linq_nb.reports.selection import Selection

NAMES = ("chat_name", "filename", "error_message")
SEARCH = " OR ".join(f"contains(lower({name}), 'customer 01')" for name in NAMES)
SINCE, UNTIL = many_sends.START + timedelta(days=30), many_sends.START + timedelta(days=37)
FILTERS = {
    "all": (Selection(), "true"),
    "failed": (Selection(status="failed"), "status = 'failed'"),
    "search": (Selection(text="Customer 01"), SEARCH),
    "week": (Selection(since=SINCE, until=UNTIL), f"created_at >= '{SINCE}' AND created_at < '{UNTIL}'"),
    "service": (Selection(service="SMS"), "service = 'SMS'"),
    "needs me": (Selection(needs_me=True), "status IN ('unknown', 'failed', 'rejected', 'not_sent')"),
}
BY_HAND = (
    "SELECT date_trunc('day', created_at), status, count(*) FROM sends WHERE {} GROUP BY ALL",
    "SELECT quantile_cont(delivery_s, [0.5, 0.95]) FROM sends WHERE {}",
    "SELECT chat_id, max(chat_name), count(*) AS n FROM sends WHERE {} GROUP BY 1 ORDER BY n DESC, 1 LIMIT 8",
    """SELECT status, error_code, count(*) AS n FROM sends WHERE ({})
        AND status IN ('failed', 'unknown', 'not_sent', 'rejected') GROUP BY ALL ORDER BY n DESC LIMIT 8""",
    """SELECT chat_name, status, service, error_code, filename, duration_ms, created_at, delivery_s, read_s, send_id
        FROM sends WHERE {} ORDER BY created_at DESC, send_id LIMIT 50""",
)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--times", type=int, default=7)
    args = parser.parse_args()
    for count in args.sends:
        with tempfile.TemporaryDirectory() as folder:
            measure(count, args.times, folder)


def measure(count: int, times: int, folder: str) -> None:
    frame = to_frame(list(many_sends.sends(count)))
    for day, rows in frame.groupby("day", observed=True):
        place = Path(folder) / f"day={day}"
        place.mkdir()
        rows.drop(columns="day").to_parquet(place / "sends.parquet", index=False)
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    parquet = f"read_parquet('{folder}/*/*.parquet', hive_partitioning = true)"
    explored: Any = None

    def opened() -> None:
        nonlocal explored
        explored = Exploration(database.sql(f"SELECT * FROM {parquet}"))
        explored.view()

    opening = seconds(opened)
    database.execute(f"CREATE VIEW sends AS SELECT * FROM {parquet}")
    print(f"\n{count:,} sends: opens in {opening:.2f} s; itables on the same frame: {itables(frame)}")
    print("| filter | ours, ms | by hand, ms |")
    for name, (selection, where) in FILTERS.items():

        def ours(selection: Selection = selection) -> None:
            explored.selection, explored.offset = selection, 0
            explored.view()

        def hand(where: str = where) -> None:
            for query in BY_HAND:
                database.sql(query.format(where)).fetchall()

        pairs = [(seconds(ours), seconds(hand)) for _ in range(times)]
        medians = (1000 * statistics.median(values) for values in zip(*pairs, strict=True))
        print("| {} | {:.0f} | {:.0f} |".format(name, *medians))


def itables(frame: Any) -> str:
    """Return how long itables takes for the same frame, all rows in the page, where it is installed."""
    try:
        from itables import to_html_datatable
    except ImportError:
        return "not installed"
    html = None

    def make() -> None:
        nonlocal html
        html = to_html_datatable(frame, maxBytes=0)

    elapsed = seconds(make)
    return f"{elapsed:.2f} s and {len(html or '') / 1e6:.0f} MB of HTML"


if __name__ == "__main__":
    main()
