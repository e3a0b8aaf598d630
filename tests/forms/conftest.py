"""Forms on a demo, and on a demo that counts as a live account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from form_page import (
    opened,
    tone,
)
from slow_linq import Door

import linq_nb
from linq_nb import SendForm
from linq_nb.demo import Demo


@pytest.fixture
def demo(outbox: linq_nb.Outbox) -> Demo:
    world: Demo = outbox.demo
    return world


@pytest.fixture
def form(outbox: linq_nb.Outbox) -> Iterator[SendForm]:
    form = opened(outbox)
    yield form
    form.close()


@pytest.fixture
def open_live(connect: Callable[..., linq_nb.Outbox], demo: Demo) -> Iterator[Callable[..., SendForm]]:
    """Open forms on a demo that counts as a live account: its host is not this machine."""
    forms: list[SendForm] = []

    def open_form(on_memo: Callable[[int], None] = lambda number: None) -> SendForm:
        forms.append(opened(connect(transport=Door(demo, path="/voicememo", on=on_memo))))
        return forms[-1]

    yield open_form
    for form in forms:
        form.close()


@pytest.fixture
def live(open_live: Callable[..., SendForm], demo: Demo) -> tuple[SendForm, Demo]:
    return open_live(), demo


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    file = tmp_path / "hello.wav"
    file.write_bytes(tone())
    return file
