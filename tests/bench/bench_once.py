"""How many bubbles a chat gets when answers are lost: the official SDK with its defaults, and linq_nb.

``python tests/bench/bench_once.py [--calls 2000]``, on the demo in process: the same faults for both, decided by
chat, content and attempt. Prints the table that the README shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import httpx
import linq

import linq_nb
from linq_nb.demo import Demo

URL = "https://example.com/memo.m4a"
LOST = {"one answer is lost": 1, "every answer is lost": 9}


def sdk_send(demo: Demo, chats: list[str]) -> int:
    """Send with the official SDK as its docs show it; returns how many calls raised."""
    client = linq.LinqAPIV3(
        api_key=demo.api_key, base_url=demo.base_url, http_client=httpx.Client(transport=demo.transport())
    )
    raised = 0
    for chat_id in chats:
        try:
            client.chats.send_voicememo(chat_id, voice_memo_url=URL)
        except linq.APIError:
            raised += 1
    client.close()
    return raised


def our_send(demo: Demo, chats: list[str]) -> int:
    """Send with linq_nb, and run the same again, as Run All does; returns how many sends are not settled."""
    outbox = linq_nb.connect(
        api_key=demo.api_key,
        base_url=demo.base_url,
        transport=demo.transport(),
        journal=":memory:",
        clock=demo.now,
        sleep=demo.sleep,
    )
    memo = linq_nb.VoiceMemo.from_url(URL)
    unsettled = 0
    for run in range(2):
        unsettled = 0
        for chat_id in chats:
            try:
                outbox.send(memo, chat_id)
            except linq_nb.LinqError:
                unsettled += 1
        if run == 0:
            demo.advance(minutes=3)
    outbox.close()
    return unsettled


def second_bubbles(demo: Demo) -> int:
    """Count the surplus bubbles."""
    return sum(number - 1 for number in demo.bubbles().values())


def lossy(send: Callable[[Demo, list[str]], int], times: int) -> int:
    """Send one memo while answers are lost; returns the bubbles in the chat."""
    demo = Demo()
    demo.lose_next_answer(times=times)
    chat_id = demo.chat_ids["Grace Hopper"]
    send(demo, [chat_id])
    return demo.bubbles(chat_id)


def bad_day(send: Callable[[Demo, list[str]], int], calls: int) -> tuple[int, int, int]:
    """Send to many chats on a day with 1 % lost answers and 1 % errors after accepting."""
    demo = Demo()
    chats = list(demo.add_chats(calls).values())
    demo.faults(lost=0.01, error_after_accept=0.01)
    raised = send(demo, chats)
    missing = sum(demo.bubbles(chat_id) == 0 for chat_id in chats)
    return second_bubbles(demo), missing, raised


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    calls = parser.parse_args().calls
    print("| | official SDK | linq_nb |\n|---|---|---|")
    for name, times in LOST.items():
        sdk, ours = lossy(sdk_send, times), lossy(our_send, times)
        print(f"| one call, {name}: bubbles in the chat | {sdk} | {ours} |")
    sdk_day, our_day = bad_day(sdk_send, calls), bad_day(our_send, calls)
    print(f"| {calls:,} calls on a bad day: second bubbles | {sdk_day[0]} | {our_day[0]} |")
    print(f"| memos missing | {sdk_day[1]} | {our_day[1]} |")
    print(
        f"| calls that raised (SDK), sends left unclear after running again (linq_nb) | {sdk_day[2]} | {our_day[2]} |"
    )


if __name__ == "__main__":
    main()
