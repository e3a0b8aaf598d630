"""A team's journal after a fork: the child's connections are its own, and the parent's sessions go on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from demo_process import Socket, ask
from forked import Child, in_child
from shared import AUDIO, HANG_S

import linq_nb
from linq_nb import Draft, Outbox, SettingsError, VoiceMemo

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def test_children_connect_for_themselves_while_a_batch_goes_on(demo_socket: Socket, url: str, memo: VoiceMemo) -> None:
    def connect() -> Outbox:
        return linq_nb.connect(base_url=demo_socket.base_url, api_key=demo_socket.api_key, journal=url, timeout=HANG_S)

    outbox = connect()
    chat_ids = list(ask(demo_socket, "POST", "add_chats", n=24)["result"].values())
    batch = outbox.send_all(outbox.plan([Draft(memo=memo, chat=chat_id) for chat_id in chat_ids]), workers=4)

    def work(mine: list[str]) -> list[str]:
        try:
            outbox.sends()
        except SettingsError:
            outbox.close()
            gc.collect()
        with connect() as own:
            return [str(own.send(memo, chat_id).message_id) for chat_id in mine]

    children = [Child(lambda number=number: work(chat_ids[number::2])) for number in range(2)]
    reported = [message_id for child in children for message_id in child.result()]
    assert batch.wait(HANG_S).is_done
    assert ask(demo_socket, "GET", "bubbles")["bubbles"] == dict.fromkeys(chat_ids, 1)
    assert {send.message_id for send in outbox.sends()} == set(reported)
    assert len(set(reported)) == len(chat_ids)
    outbox.close()


def test_a_journal_is_refused_in_a_child_and_works_in_the_parent_after_it(connect: Callable[..., Outbox]) -> None:
    outbox = connect()
    sends = outbox.sends()
    with pytest.raises(
        SettingsError, match=rf"belongs to process {os.getpid()}; nothing was sent; call linq_nb\.connect\(\) here"
    ):
        in_child(outbox.sends)
    assert outbox.sends() == sends


ENDS_BY_ITSELF = """
import os, sys
import linq_nb

base_url, key, journal, audio = sys.argv[1:5]
outbox = linq_nb.connect(base_url=base_url, api_key=key, journal=journal)
memo = linq_nb.VoiceMemo.from_file(audio)
chat = outbox.chats()[0]
outbox.send(memo, chat)
if os.fork() == 0:
    outbox.close()
    del outbox
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]), outbox.send(memo, chat).repeated)
"""


def test_a_child_that_ends_by_itself_does_not_end_its_parents_sessions(demo_socket: Socket, url: str) -> None:
    arguments = [demo_socket.base_url, demo_socket.api_key, url, str(AUDIO / "hello.amr")]
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", ENDS_BY_ITSELF, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert (done.stdout.split(), done.stderr) == (["7", "True"], "")
