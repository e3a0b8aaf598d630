"""A process that takes stored deliveries into a journal beside others; prints the number of new deliveries."""

from __future__ import annotations

import sys
from pathlib import Path

from linq_nb import webhooks
from linq_nb.journal import Journal


def main(url: str, file: str) -> None:
    book = Journal(url)
    events = [webhooks.parse(line) for line in Path(file).read_text("utf-8").splitlines()]
    sys.stdin.readline()  # all begin together
    sys.stdout.write(f"{sum(book.ingest(event)[0].is_new for event in events)}\n")
    book.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
