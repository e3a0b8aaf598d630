"""Injected faults raise the exceptions of httpx, and the bubbles are counted nevertheless."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from demo_files import FILES
from shared import HANG_S, wait_for

from linq_nb.demo import START, Demo, Server

Post = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("order", "error", "bubbles"),
    [
        (lambda d: d.lose_next_answer(), httpx.ReadTimeout, 1),
        (lambda d: d.lose_next_answer(how="stall"), httpx.ReadTimeout, 1),
        (lambda d: d.lose_next_answer(how="closed"), httpx.RemoteProtocolError, 1),
        (lambda d: d.lose_next_answer(how="half"), httpx.RemoteProtocolError, 1),
        (lambda d: d.slow_next(6), httpx.ReadTimeout, 1),
        (lambda d: d.reset_next(), httpx.ReadError, 0),
        (lambda d: d.refuse_next(), httpx.ConnectError, 0),
    ],
)
def test_one_answer_is_lost_and_the_next_one_arrives(
    demo: Demo, memo: Post, order: Callable[[Demo], None], error: type[Exception], bubbles: int
) -> None:
    order(demo)
    with pytest.raises(error):
        memo("Ada Lovelace")
    assert demo.bubbles(demo.chat_ids["Ada Lovelace"]) == bubbles
    assert demo.requests[-1].status in (0, 202)
    assert memo("Ada Lovelace").status_code == 202


def test_a_lost_answer_takes_the_read_timeout_and_a_slow_answer_its_time(
    demo: Demo, http: httpx.Client, memo: Post
) -> None:
    demo.lose_next_answer()
    with pytest.raises(httpx.ReadTimeout):
        memo("Ada Lovelace")
    assert demo.now() == START + timedelta(seconds=5)
    http.timeout = httpx.Timeout(60)
    assert memo("Sol Slow").status_code == 202
    assert demo.now() == START + timedelta(seconds=25)
    http.timeout = httpx.Timeout(None)
    demo.lose_next_answer()
    with pytest.raises(httpx.ReadError):
        memo("Ada Lovelace")


def test_the_first_answer_of_lou_is_lost_and_the_chat_has_a_bubble(demo: Demo, memo: Post) -> None:
    with pytest.raises(httpx.ReadTimeout):
        memo("Lou Lost Answer")
    assert demo.bubbles() == {demo.chat_ids["Lou Lost Answer"]: 1}
    assert memo("Lou Lost Answer").status_code == 202
    assert demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 2


def test_the_errors_of_eve_come_after_the_bubble_and_those_of_dan_without_one(demo: Demo, memo: Post) -> None:
    assert [memo(name).status_code for name in ("Eve Server Error", "Dan Server Down")] == [500, 500]
    assert demo.bubbles() == {demo.chat_ids["Eve Server Error"]: 1}


@pytest.mark.parametrize(("after_accept", "bubbles"), [(False, 0), (True, 1)])
def test_fail_next_gives_the_chosen_error(demo: Demo, memo: Post, after_accept: bool, bubbles: int) -> None:
    demo.fail_next(503, 4004, times=2, after_accept=after_accept, retry_after=9, message="later")
    answers = [memo("Ada Lovelace") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 202]
    error = answers[0].json()["error"]
    assert (error["code"], error["message"], error["retry_after"]) == (4004, "later", 9)
    assert demo.bubbles(demo.chat_ids["Ada Lovelace"]) == 2 * bubbles + 1


def test_fail_next_gives_the_usual_code(demo: Demo, memo: Post) -> None:
    for status, code in ((401, 2004), (413, 5001), (422, 1003), (429, 1007), (500, 3006), (504, 3005)):
        demo.fail_next(status)
        assert memo("Ada Lovelace").json()["error"]["code"] == code


def test_an_accepted_memo_may_be_answered_with_anything(demo: Demo, memo: Post) -> None:
    demo.fail_next(200, after_accept=True, body="<html>Welcome to the hotel</html>")
    answer = memo("Ada Lovelace")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    demo.fail_next(307, headers={"Location": "https://elsewhere.invalid/"})
    assert memo("Ada Lovelace").headers["Location"] == "https://elsewhere.invalid/"
    assert demo.bubbles(demo.chat_ids["Ada Lovelace"]) == 1


def test_a_path_may_be_named_also_that_of_the_upload(demo: Demo, http: httpx.Client) -> None:
    demo.fail_next(500, path="/v3/chats")
    demo.fail_next(503, path="/upload/")
    assert http.get("/v3/phone_numbers").status_code == 200
    assert http.get("/v3/chats").status_code == 500
    body = {"filename": "a.amr", "content_type": "audio/amr", "size_bytes": 406}
    promise = http.post("/v3/attachments", json=body).json()
    with httpx.Client(transport=demo.transport()) as plain:
        for status in (503, 200):
            answer = plain.put(promise["upload_url"], content=FILES["audio/amr"], headers=promise["required_headers"])
            assert answer.status_code == status
    assert http.get("/v3/chats").status_code == 200


def test_a_refused_memo_is_not_lost(demo: Demo, memo: Post) -> None:
    demo.lose_next_answer()
    assert memo("Kim Opted Out").status_code == 403


def test_a_host_that_the_demo_does_not_have_is_not_reached(demo: Demo) -> None:
    with httpx.Client(transport=demo.transport()) as client:
        for url in ("https://api.linqapp.com/api/partner/v3/chats", demo.base_url.replace("https", "http")):
            with pytest.raises(httpx.ConnectError):
                client.get(url)


# The random mix, and several workers


def batch(order: int, workers: int) -> tuple[Any, ...]:
    """Send to 40 chats with faults and retries, in some order, each task on its own time line."""
    demo = Demo(seed=7)
    rows = list(demo.add_chats(40).items()) + [(n, demo.chat_ids[n]) for n in ("Raj Rate Limited", "Sol Slow")]
    random.Random(order).shuffle(rows)
    demo.faults(lost=0.1, error_after_accept=0.1, reset_before=0.1, rate_limit=0.2, slow=0.1, slow_s=9)
    outcomes: dict[str, Any] = {}
    pending = iter(rows)
    lock, start = threading.Lock(), demo.now()

    def work() -> None:
        headers = {"Authorization": f"Bearer {demo.api_key}"}
        with httpx.Client(transport=demo.transport(), base_url=demo.base_url, headers=headers) as client:
            while True:
                with lock:
                    row = next(pending, None)
                if row is None:
                    return
                with demo.timeline(start):
                    outcomes[row[0]] = *send(demo, client, row[1]), demo.now()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    demo.advance(minutes=10)
    memos = {name: demo.memos(chat_id) for name, chat_id in rows}
    return dict(sorted(outcomes.items())), dict(sorted(memos.items())), demo.bubbles(), demo.now()


def send(demo: Demo, client: httpx.Client, chat_id: str) -> tuple[Any, ...]:
    outcomes: list[Any] = []
    for _ in range(4):
        try:
            answer = client.post(f"/v3/chats/{chat_id}/voicememo", json={"voice_memo_url": "https://x.example/a.mp3"})
        except httpx.HTTPError as error:
            return (*outcomes, type(error).__name__)
        outcomes.append((answer.status_code, answer.headers["X-Trace-ID"], answer.headers["Date"]))
        if answer.status_code != 429:
            return tuple(outcomes)
        demo.sleep(float(answer.headers["Retry-After"]))
    return tuple(outcomes)


def test_outcomes_ids_and_times_are_the_same_in_any_order_with_any_workers() -> None:
    first = batch(order=0, workers=1)
    outcomes = [outcome[-2] for outcome in first[0].values()]
    assert {kind[0] if isinstance(kind, tuple) else kind for kind in outcomes} >= {
        202,
        500,
        "ReadTimeout",
        "ReadError",
    }
    assert batch(order=1, workers=4) == first
    assert batch(order=2, workers=16) == first


def test_another_seed_gives_other_faults(memo: Post, demo: Demo) -> None:
    demo.faults(error_after_accept=0.5, seed=1)
    first = [memo("Ada Lovelace").status_code for _ in range(12)]
    demo.faults(error_after_accept=0.5, seed=2)
    second = [memo("Grace Hopper").status_code for _ in range(12)]
    demo.faults()
    assert {*first} == {*second} == {202, 500}
    assert memo("Grace Hopper").status_code == 202


def test_a_timeline_belongs_to_its_thread_until_it_ends(demo: Demo) -> None:
    with demo.timeline():
        demo.sleep(30)
        assert demo.now() == START + timedelta(seconds=30)
        times: list[datetime] = []
        other = threading.Thread(target=lambda: times.append(demo.now()))
        other.start()
        other.join()
        assert times == [START]
        with demo.timeline(START):
            demo.sleep(5)
            assert demo.now() == START + timedelta(seconds=5)
        assert demo.now() == START + timedelta(seconds=30)
    assert demo.now() == START + timedelta(seconds=30)
    with demo.timeline(START):
        demo.sleep(1)
    assert demo.now() == START + timedelta(seconds=30)
    demo.sleep(-5)
    assert demo.now() == START + timedelta(seconds=30)


# On a socket


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Demo(real_time=True)) as server:
        yield server


@pytest.fixture
def served(server: Server) -> Demo:
    return server.demo


@pytest.fixture
def wire(served: Demo) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {served.api_key}"}
    with httpx.Client(base_url=served.base_url, headers=headers, trust_env=False, timeout=HANG_S) as client:
        yield client


@pytest.mark.parametrize(
    ("order", "error", "bubbles"),
    [
        (lambda d: d.lose_next_answer(), httpx.RemoteProtocolError, 1),
        (lambda d: d.lose_next_answer(how="closed"), httpx.RemoteProtocolError, 1),
        (lambda d: d.lose_next_answer(how="half"), httpx.RemoteProtocolError, 1),
        (lambda d: d.lose_next_answer(how="stall"), httpx.ReadTimeout, 1),
        (lambda d: d.slow_next(HANG_S), httpx.ReadTimeout, 1),
        (lambda d: d.reset_next(), httpx.ReadError, 0),
        (lambda d: d.refuse_next(), httpx.ReadError, 0),
    ],
)
def test_on_a_socket_the_connection_itself_breaks(
    served: Demo, wire: httpx.Client, order: Callable[[Demo], None], error: type[Exception], bubbles: int
) -> None:
    ada, body = served.chat_ids["Ada Lovelace"], {"voice_memo_url": "https://x.example/a.mp3"}
    path = f"/v3/chats/{ada}/voicememo"
    order(served)
    with pytest.raises(error):
        wire.post(path, json=body, timeout=0.5 if error is httpx.ReadTimeout else HANG_S)
    wait_for(lambda: served.bubbles(ada) == bubbles)  # the demo may be later than the end of the client's patience
    assert wire.post(path, json=body).status_code == 202
    assert served.bubbles(ada) == bubbles + 1


def test_a_slow_answer_takes_its_time_and_delays_no_other_request(
    server: Server, served: Demo, wire: httpx.Client
) -> None:
    ada, body = served.chat_ids["Ada Lovelace"], {"voice_memo_url": "https://x.example/a.mp3"}
    path = f"/v3/chats/{ada}/voicememo"
    served.slow_next(0.5)
    assert wire.post(path, json=body).elapsed >= timedelta(seconds=0.5)
    served.slow_next(HANG_S)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(wire.post, path, json=body)
        wait_for(lambda: served.bubbles(ada) == 2)
        assert wire.get("/v3/phone_numbers").status_code == 200
        assert not slow.done()
        server.stopping.set()  # ends the wait of the slow answer
        assert slow.result().status_code == 202


def test_many_requests_share_one_connection(served: Demo, wire: httpx.Client) -> None:
    streams = {wire.get("/v3/phone_numbers").extensions["network_stream"] for _ in range(5)}
    assert len({stream.get_extra_info("client_addr") for stream in streams}) == 1


def test_the_control_path_needs_no_token(served: Demo) -> None:
    ada = served.chat_ids["Ada Lovelace"]
    with httpx.Client(base_url=served.base_url.replace("/api/partner", "/demo"), trust_env=False) as control:
        headers = {"Authorization": f"Bearer {served.api_key}"}
        memo_url, body = (
            f"{served.base_url}/v3/chats/{ada}/voicememo",
            {"voice_memo_url": "https://x.example/a.mp3"},
        )
        assert control.get("/chats").json()["chats"]["Ada Lovelace"] == ada
        control.post("/fail_next", json={"status": 500, "after_accept": True}).raise_for_status()
        assert control.post(memo_url, json=body, headers=headers).status_code == 500
        assert control.get("/bubbles").json() == {"bubbles": {ada: 1}}
        assert control.get(f"/memos/{ada}").json()["memos"][0]["mime_type"] == "audio/mpeg"
        assert control.get("/requests").json()["requests"][-1]["has_auth"] is True
        assert control.get("/deliveries").json() == {"deliveries": []}
        assert control.post("/fail_next", json={"nonsense": 1}).status_code == 400
        assert control.post("/limits", json={"daily": 1}).status_code == 200
        assert control.post(memo_url, json=body, headers=headers).status_code == 429
        assert control.post("/limits", json={"state": 1}).status_code == 400
        assert "POST /demo/advance" in control.get("/").json()["there_is"]
        before = served.now()
        control.post("/advance", json={"days": 1}).raise_for_status()
        assert served.now() - before > timedelta(days=1)
        control.post("/reset").raise_for_status()
        assert control.get("/bubbles").json() == {"bubbles": {}}


def test_the_server_takes_loopback_addresses_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        Server(Demo(), "0.0.0.0")
