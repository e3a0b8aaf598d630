"""A process that sends one memo to many chats through a journal: see test_team_batch."""

from __future__ import annotations

import sys

import linq_nb
from linq_nb import Draft, VoiceMemo, demo


def main(journal: str, *chats: str) -> None:
    memo = VoiceMemo.from_file(demo.sample("hello.amr"))
    with linq_nb.connect(journal=journal) as outbox:
        sends = list(outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat) for chat in chats]), workers=4))
    print(*(send.message_id for send in sends), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
