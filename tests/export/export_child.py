"""Exports a journal over and over, until it is killed; says when it has begun."""

from __future__ import annotations

import sys

import linq_nb

outbox = linq_nb.connect(demo=True, journal=sys.argv[1])
print("begun", flush=True)
while True:
    outbox.to_parquet(sys.argv[2])
