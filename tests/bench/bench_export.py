"""The export of a large journal: seconds, peak memory and size on disk, and DuckDB and pandas over what it wrote.

``python tests/bench/bench_export.py [--sends 1000000]``

Writing and reading run each in a process of its own; seconds are of processor time, megabytes the growth of that
process's peak (RSS). For comparison in the same run: ``to_frame`` of the same journal, pandas' own ``to_parquet`` of
that frame in one piece, and counting by chat and status with pandas on the frame.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import many_sends
from bench_frames import peak_mb


def measured(work: Callable[[], Any]) -> dict[str, float]:
    before, start = peak_mb(), time.process_time()
    work()
    return {"seconds": time.process_time() - start, "mb": peak_mb() - before, "whole_mb": peak_mb()}


def measure(way: str, journal: str, folder: str) -> dict[str, float]:
    """Measure one operation on the journal or its export; all modules that it needs are loaded before."""
    import duckdb
    import pandas as pd
    import pyarrow.dataset  # noqa: F401  loaded before it is measured

    import linq_nb

    outbox = linq_nb.connect(demo=True, journal=journal)
    linq_nb.to_frame([])
    if way == "to_parquet":
        return measured(lambda: outbox.to_parquet(folder))
    if way == "read_parquet":
        return measured(lambda: linq_nb.read_parquet(folder))
    if way == "to_frame":
        return measured(lambda: linq_nb.to_frame(outbox.sends()))
    if way == "duckdb counts":
        source = f"read_parquet('{folder}/**/*.parquet', hive_partitioning=true)"
        duckdb.sql("SET threads = 1")
        return measured(lambda: duckdb.sql(f"SELECT chat_id, status, count(*) FROM {source} GROUP BY ALL").fetchall())
    frame = pd.read_parquet(folder) if way == "pandas counts" else linq_nb.to_frame(outbox.sends())
    if way == "pandas counts":
        return measured(lambda: frame.groupby(["chat_id", "status"], observed=True).size())
    return measured(lambda: frame.to_parquet(f"{folder}.one", compression="zstd"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=1_000_000)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure)))
        return
    with tempfile.TemporaryDirectory() as name:
        journal, folder = Path(name, "journal.sqlite"), Path(name, "sends")
        many_sends.journal(journal, args.sends)
        print(f"{args.sends:,} sends | CPU s | MB | process MB")
        for way in ("to_frame", "pandas to_parquet", "to_parquet", "read_parquet", "pandas counts", "duckdb counts"):
            command = [sys.executable, __file__, "--measure", way, str(journal), str(folder)]
            done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            print(f"{way} | {done['seconds']:.2f} | {done['mb']:.0f} | {done['whole_mb']:.0f}", flush=True)
        files = [file.stat().st_size for file in folder.rglob("*.parquet")]
        whole = Path(f"{folder}.one").stat().st_size
        print(f"on disk: {sum(files) / 1e6:.0f} MB in {len(files)} files; in one piece {whole / 1e6:.0f} MB; "
              f"the journal {journal.stat().st_size / 1e6:.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
