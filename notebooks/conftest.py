"""nbval compares the text of each output; how it looks is tested by the views' and the browser's tests."""

from __future__ import annotations

from typing import Any


def pytest_itemcollected(item: Any) -> None:
    """Wait for the outputs of a cell as long as a busy machine needs: nbval itself waits 5 seconds for each."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = 180


def pytest_collectstart(collector: Any) -> None:
    """Leave HTML to its own tests: it holds pictures that differ with and without the audio extra."""
    if collector.path is not None and collector.path.suffix == ".ipynb":
        collector.skip_compare += ("text/html", "stderr")
