"""A process that sends one memo to the demo on a socket, and may be killed at a stage: see test_once."""

from __future__ import annotations

import os
import signal
import sys

import httpx
from core_samples import memo

import linq_nb


class Deadly(httpx.HTTPTransport):
    """Kills this process with SIGKILL right before or after a request whose method and path fit."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._when, _, self._what = stage.partition(" ")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        named = f"{request.method} {request.url.path}"
        method, _, path = self._what.partition(" ")
        hit = bool(self._what) and named.startswith(method) and path in named
        if hit and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        response = super().handle_request(request)
        if hit and self._when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return response


def main(journal: str, chat: str, stage: str) -> None:
    transport = Deadly(stage) if stage else None
    with linq_nb.connect(journal=journal, transport=transport) as outbox:
        send = outbox.send(memo(), chat)
        sys.stdout.write(f"{send.status} {send.message_id} {send.repeated}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
