"""A press in the form sends once, asks first with a real account, and shows every outcome."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from form_page import (
    ADA,
    BOOK_CLUB,
    card,
    choose,
    fill,
    is_off,
    label,
    opened,
    press,
    progress,
    result,
    rows_of,
    say,
    status,
    tone,
    tone_of,
    upload,
)
from IPython.core.interactiveshell import InteractiveShell
from shared import wait_for
from slow_linq import press_ctrl_c, runs
from traitlets.config import Config

import linq_nb
from linq_nb import OutcomeUnknown, SendForm, VoiceMemo
from linq_nb.demo import Demo

# --- sending ---


def test_press_sends_once_and_shows_the_result(form: SendForm, demo: Demo) -> None:
    fill(form)
    press(form)
    assert [send.status for send in form.sends] == ["queued"]
    assert "queued" in result(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1
    assert (label(form), is_off(form)) == ("Already sent 0:02 to Ada Lovelace · iMessage", True)
    assert "Set Copy to 2 for another bubble" in status(form)
    assert "sent already" in card(form)
    assert "ready to send" not in card(form)
    assert form.view["may_copy"]
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_copy_sends_another_bubble(form: SendForm, demo: Demo) -> None:
    fill(form)
    press(form)
    form.copy = 2
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 2
    assert form.record().text.count("queued") == 2


def test_double_click_tries_once(outbox: linq_nb.Outbox, demo: Demo) -> None:
    form = opened(outbox, double_click_s=3600)
    fill(form)
    demo.fail_next(400, 1005)
    press(form)
    press(form)
    assert demo.bubbles() == {}
    assert form.sends[0].attempts == 1
    form.close()


def test_a_memo_that_was_sent_elsewhere_is_not_sent_again(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    outbox.send(VoiceMemo.from_bytes(tone(), "up.wav"), outbox.find_chat(ADA))
    fill(form)
    assert label(form) == "Already sent 0:02 to Ada Lovelace · iMessage"
    assert is_off(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == 1


def test_a_url_that_may_repeat_is_sent_as_a_copy_only(form: SendForm, demo: Demo, outbox: linq_nb.Outbox) -> None:
    url = demo.media_urls["hello"]
    outbox.send(VoiceMemo.from_url(f"{url}?token=1"), outbox.find_chat(ADA))
    fill(form, source=f"{url}?token=2")
    assert is_off(form)
    assert "may be a signature (token)" in card(form)
    assert form.view["may_copy"]
    form.copy = 2
    press(form)
    assert (form.error, form.sends[0].copy) == (None, 2)
    assert demo.bubbles(demo.chat_ids[ADA]) == 2


def test_a_memo_that_the_checks_refuse_cannot_be_sent(form: SendForm, demo: Demo) -> None:
    fill(form, "Kim Opted Out")
    assert label(form) == "Cannot send 0:02 to Kim Opted Out · iMessage"
    assert is_off(form)
    assert "opted out" in card(form)
    press(form)
    assert demo.bubbles() == {}


def test_refusal_of_linq_is_shown_and_may_be_tried_again(form: SendForm, demo: Demo) -> None:
    fill(form)
    demo.fail_next(403, 2005)
    press(form)
    assert isinstance(form.error, linq_nb.PermissionDeniedError)
    assert "403/2005" in status(form) + result(form)
    assert form.sends[0].status == "rejected"
    assert not is_off(form)
    press(form)
    assert form.error is None
    assert form.sends[0].status == "queued"
    assert form.record().text.count("hello") + form.record().text.count("up.wav") == 1


def test_lost_answer_is_shown_as_unknown(form: SendForm, demo: Demo) -> None:
    fill(form, "Lou Lost Answer")
    press(form)
    assert isinstance(form.error, OutcomeUnknown)
    assert form.sends[0].status == "unknown"
    assert "unknown" in form.record().text
    assert label(form) == "Look for 0:02 in Lou Lost Answer · iMessage"
    assert demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1
    demo.advance(minutes=5)
    press(form)
    assert form.error is None
    assert form.sends[0].repeated
    assert demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1


def test_several_chats_get_one_bubble_each_and_failures_are_shown_per_chat(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, "Lou Lost Answer", BOOK_CLUB, "Dee Daily Cap", "Kim Opted Out")
    press(form)
    ends = {send.chat_name: send.status for send in form.sends}
    assert (ends[ADA], ends[BOOK_CLUB], ends["Lou Lost Answer"]) == ("queued", "queued", "unknown")
    assert tone_of(form) == "error"
    assert progress(form).startswith("5 chats: 2 queued, 1 unknown")
    assert status(form) == "Those that went are not sent again."
    assert len(form.outcomes.rows()) == 5
    assert "429" in result(form)
    assert form.record().text.count("up.wav") == 5
    before = demo.bubbles()
    assert set(before.values()) == {1}
    press(form)
    assert demo.bubbles(demo.chat_ids[ADA]) == demo.bubbles(demo.chat_ids["Lou Lost Answer"]) == 1


def test_successful_sends_to_several_chats_show_no_alert(form: SendForm, demo: Demo) -> None:
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    press(form)
    assert progress(form) == "2 chats: 2 queued."
    assert status(form) == "It is sent. Set Copy to 2 for another bubble."
    assert tone_of(form) == "quiet"
    assert label(form) == "Already sent 0:02 to 2 chats · 3 people · iMessage"
    choose(form, ADA, BOOK_CLUB, "Grace Hopper")
    assert label(form) == "Send 0:02 to Grace Hopper · iMessage"
    press(form)
    assert [demo.bubbles(demo.chat_ids[name]) for name in (ADA, BOOK_CLUB, "Grace Hopper")] == [1, 1, 1]


@pytest.fixture
def door() -> Iterator[threading.Event]:
    """An event: memos wait for it before they reach Linq."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def held(open_live: Callable[..., SendForm], door: threading.Event) -> SendForm:
    """A form whose memos wait for ``door``."""
    return open_live(lambda number: wait_for(door.is_set))


def start(form: SendForm) -> None:
    """Press send and yes, and do not wait."""
    say(form, {"kind": "press", "button": "send"})
    say(form, {"kind": "press", "button": "yes"})


def choose_nine(form: SendForm) -> None:
    choose(form, *[row["name"] for row in rows_of(form) if row["service"] == "iMessage"][:9])


def test_a_batch_is_stopped_in_the_form(open_live: Callable[..., SendForm], demo: Demo, door: threading.Event) -> None:
    names = list(demo.add_chats(12))
    waiting: list[int] = []

    def hold(number: int) -> None:
        waiting.append(number)
        wait_for(door.is_set)

    form = open_live(hold)
    upload(form, tone())
    choose(form, *names)
    start(form)
    wait_for(lambda: len(waiting) == 4)
    assert label(form) == "Sending 1 of 12 …"
    assert (is_off(form), not form.view["stop"]["enabled"]) == (True, False)
    assert form.view["stop"]["shown"]
    say(form, {"kind": "press", "button": "stop"})
    assert not form.view["stop"]["enabled"]
    assert "no further send starts" in status(form)
    door.set()
    form.wait()
    ends = [send.status for send in form.sends]
    assert (ends.count("queued"), ends.count("not_sent")) == (4, 8)  # four were under way
    assert sum(demo.bubbles().values()) == 4
    assert progress(form).startswith("12 chats: 4 queued, 8 not_sent")
    assert not form.view["stop"]["shown"]
    assert label(form).startswith("Send 0:02 to 8 chats")
    start(form)
    form.wait()
    assert set(demo.bubbles().values()) == {1}
    assert sum(demo.bubbles().values()) == 12


def test_nothing_else_is_chosen_or_pressed_while_a_batch_goes_on(
    held: SendForm, demo: Demo, door: threading.Event
) -> None:
    upload(held, tone())
    choose(held, ADA, BOOK_CLUB)
    start(held)
    say(held, {"kind": "press", "button": "send"})
    assert held.view["step"] == "send"
    choose(held, "Grace Hopper")
    upload(held, tone(3), "late.wav")
    door.set()
    held.wait()
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1, demo.chat_ids[BOOK_CLUB]: 1}
    assert held.view["step"] == "follow"
    choose(held, ADA, BOOK_CLUB)
    assert label(held) == "Send 0:03 to 2 chats · 3 people · iMessage"


def test_no_question_is_asked_while_a_batch_goes_on(held: SendForm, demo: Demo, door: threading.Event) -> None:
    upload(held, tone())
    choose(held, ADA, BOOK_CLUB, "Cora Critical")
    (group,) = held.view["acceptable"]
    start(held)
    say(held, {"kind": "accept", "rows": group["rows"]})
    assert held.question is None
    choose(held, BOOK_CLUB, ADA)  # the rows of the next plan are others
    door.set()
    held.wait()
    cora = next(row for row in held.outcomes.rows() if row["whom"].startswith("Cora"))
    say(held, {"kind": "act", "row": cora["id"], "action": "send anyway"})
    assert held.view["ask"] == {"yes": "Yes, send 0:02 to Cora Critical · iMessage anyway", "reason": True}
    assert demo.bubbles() == {demo.chat_ids[ADA]: 1, demo.chat_ids[BOOK_CLUB]: 1}


@pytest.mark.parametrize("copy", ["", "1.5", "two", [], float("inf"), 10**400])
def test_an_invalid_copy_number_is_an_error_in_words(form: SendForm, copy: object) -> None:
    fill(form)
    say(form, {"kind": "copy", "value": copy})
    if copy == 10**400:
        assert form.copy == 1000
        return
    assert "the copy is a whole number from 1 to 1,000" in status(form)
    assert form.copy == 1


@pytest.mark.parametrize("rows", [None, 3, "x", [[]], [{}], [None], {"a": 1}, [10**400]])
def test_rows_that_no_button_names_are_left_alone(form: SendForm, rows: object) -> None:
    fill(form, "Cora Critical")
    say(form, {"kind": "accept", "rows": rows})
    assert (form.error, form.question) == (None, None)


def test_a_form_that_is_closed_starts_nothing_more(open_live: Callable[..., SendForm], demo: Demo) -> None:
    waiting: list[int] = []

    def hold(number: int) -> None:
        waiting.append(number)
        wait_for(lambda: stopped_by(form))

    form = open_live(hold)
    upload(form, tone())
    choose_nine(form)
    start(form)
    wait_for(lambda: waiting)
    form.close()
    assert 0 < sum(demo.bubbles().values()) < 9
    assert form.record().text.count("not_sent") > 0


def stopped_by(form: SendForm) -> str:
    batch = form.outbox.last_batch
    return batch.stopped_by if batch is not None else ""


def test_an_interrupt_of_the_wait_stops_the_batch(held: SendForm, demo: Demo, door: threading.Event) -> None:
    upload(held, tone())
    choose_nine(held)
    start(held)
    main = threading.main_thread().ident or 0

    def interrupt() -> None:
        wait_for(lambda: runs(main, "wait", "sending.py"))
        press_ctrl_c()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        held.wait()
    assert stopped_by(held) == "interrupted"
    door.set()
    held.wait()
    assert sum(demo.bubbles().values()) < 9


def divide_by_zero(number: int) -> None:
    raise ZeroDivisionError("division by zero")


def test_a_fault_in_a_batch_is_shown(open_live: Callable[..., SendForm]) -> None:
    form = open_live(divide_by_zero)
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    start(form)
    form.wait()
    assert isinstance(form.error, ZeroDivisionError)
    assert "ZeroDivisionError" in status(form)
    assert not is_off(form)


def test_any_other_error_is_shown_too(open_live: Callable[..., SendForm]) -> None:
    form = open_live(divide_by_zero)
    fill(form)
    start(form)
    assert isinstance(form.error, ZeroDivisionError)
    assert "ZeroDivisionError: division by zero" in status(form)


def test_interrupt_is_shown_and_raised(open_live: Callable[..., SendForm]) -> None:
    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    form = open_live(interrupt)
    fill(form)
    with pytest.raises(KeyboardInterrupt):
        start(form)
    assert "stopped by KeyboardInterrupt" in status(form)
    assert not is_off(form)


def test_buttons_are_off_while_it_sends(open_live: Callable[..., SendForm]) -> None:
    states: list[tuple[bool, bool, bool]] = []

    def look(number: int) -> None:
        states.append((is_off(form), not form.view["ask"], "Sending" in status(form)))

    form = open_live(look)
    fill(form)
    start(form)
    assert states == [(True, True, True)]


def test_without_a_connection_the_form_says_so(outbox: linq_nb.Outbox, demo: Demo) -> None:
    demo.fail_next(401, 2004, path="/chats", times=5)
    form = opened(outbox)
    assert isinstance(form.error, linq_nb.AuthenticationError)
    assert tone_of(form) == "error"


# --- a real account ---


def test_live_form_asks_once_more(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    assert "LIVE" in form.view["mode"]
    press(form)
    assert world.bubbles() == {}
    assert form.view["ask"]["yes"] == "Yes, send 0:02 to Ada Lovelace · iMessage"
    assert "send up.wav (0:02) to Ada Lovelace" in status(form)
    assert "journal.sqlite" in status(form)
    assert not form.view["send"]["shown"]
    press(form, "yes")
    assert world.bubbles(world.chat_ids[ADA]) == 1
    assert not form.view["ask"]


def test_answering_no_sends_nothing(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    press(form)
    say(form, {"kind": "press", "button": "no"})
    press(form, "yes")
    assert world.bubbles() == {}
    assert "Nothing was sent." in status(form)
    assert not is_off(form)


def test_a_change_cancels_the_question(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    fill(form)
    press(form)
    choose(form, BOOK_CLUB)
    press(form, "yes")
    assert world.bubbles() == {}
    assert label(form) == "Send 0:02 to Book Club · 3 people · iMessage"


def test_live_form_asks_once_for_several_chats(live: tuple[SendForm, Demo]) -> None:
    form, world = live
    upload(form, tone())
    choose(form, ADA, BOOK_CLUB)
    assert "LIVE" in card(form)
    assert "from +1•••••0100" in card(form)
    press(form)
    assert world.bubbles() == {}
    assert "to Ada Lovelace · +1•••••0111 · iMessage and Book Club" in status(form)
    press(form, "yes")
    assert set(world.bubbles().values()) == {1}


@pytest.mark.parametrize(("ask", "questions"), [("each", 2), ("once", 1), ("never", 0)])
def test_setting_decides_how_often_a_live_send_asks(
    live: tuple[SendForm, Demo], monkeypatch: pytest.MonkeyPatch, ask: str, questions: int
) -> None:
    config = Config()
    config.HistoryManager.enabled = False
    config.LinqMagics.ask = ask
    shell = InteractiveShell(config=config)
    linq_nb.load_ipython_extension(shell)
    monkeypatch.setattr(InteractiveShell, "_instance", shell)
    form, world = live
    fill(form)
    asked = 0
    for copy in (1, 2):
        form.copy = copy
        press(form)
        asked += bool(form.view["ask"])
        press(form, "yes")
    assert asked == questions
    assert world.bubbles(world.chat_ids[ADA]) == 2
