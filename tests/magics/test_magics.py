"""The magics as a person types them: return values, displays and refusals."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from linq_nb import Draft, Outbox, Send, VoiceMemo, connect
from linq_nb.demo import Demo
from linq_nb.frames import COLUMNS
from linq_nb.magics import doctor
from linq_nb.outbox import session_of

ADA = '--chat "Ada Lovelace"'


# --- loading ---


def test_loading_prints_nothing_and_loading_twice_changes_nothing(new_shell: Callable[..., Any]) -> None:
    shell = new_shell()
    shell.run("%unload_ext nothing")  # IPython loads its own magics for this
    before = len(shell.ip.Completer.custom_matchers), len(shell.ip.configurables)
    shell.run("%load_ext linq_nb")
    assert shell.said == ""
    shell.run("import linq_nb; linq_nb.load_ipython_extension(get_ipython())")
    shell.run("%reload_ext linq_nb")
    assert shell.said == ""
    assert (len(shell.ip.Completer.custom_matchers), len(shell.ip.configurables)) == tuple(n + 1 for n in before)


def test_unloading_undoes_the_loading(new_shell: Callable[..., Any]) -> None:
    shell = new_shell()
    shell.run("%unload_ext nothing")
    state = lambda: (  # noqa: E731
        set(shell.ip.magics_manager.magics["line"]),
        set(shell.ip.magics_manager.registry),
        list(shell.ip.Completer.custom_matchers),
        list(shell.ip.configurables),
        list(shell.ip.events.callbacks["pre_run_cell"]),
        {name for name in vars(shell.ip) if "linq" in name},
    )
    before = state()
    shell.run("%load_ext linq_nb")
    shell.run("%unload_ext linq_nb")
    assert state() == before
    shell.run("%load_ext linq_nb")
    shell.run("%linq_errors 2001")


def test_load_and_help_import_nothing_heavy() -> None:
    code = """
import contextlib, io, sys
from traitlets.config import Config
from IPython.core.interactiveshell import InteractiveShell
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
before = set(sys.modules)
said = io.StringIO()
with contextlib.redirect_stdout(said):
    shell.run_cell("%load_ext linq_nb")
    assert said.getvalue() == "", said.getvalue()
    shell.run_cell("%linq_voicememo --help")
assert "--chat CHAT" in said.getvalue()
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("IPython.")))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    heavy = ("httpx", "pandas", "numpy", "sqlalchemy", "ipywidgets", "mutagen", "av", "linq_nb.views", "linq_nb.outbox")
    assert not loaded & {*heavy, "linq_nb.audio", "linq_nb.model"}
    assert {name for name in loaded if name.startswith("linq_nb")} == {
        "linq_nb", "linq_nb.errors", "linq_nb.magics", "linq_nb.magics.commands", "linq_nb.magics.completion",
        "linq_nb.magics.help", "linq_nb.magics.options", "linq_nb.magics.commands_spec",
        "linq_nb.magics.lexer",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["connect", "voicememo", "chats", "sends", "status", "reconcile", "errors", "form", "explore", "doctor"]
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_shown_and_nothing_else_happens(shell: Any, name: str, flag: str) -> None:
    assert shell.run(f"%linq_{name} {flag}") is None
    assert f"%linq_{name}" in shell.said
    assert "Examples:" in shell.said
    assert "ask = each" in shell.said
    assert "outbox" not in shell


def test_settings_are_listed_and_set(shell: Any) -> None:
    shell.run("%config LinqMagics")
    assert "LinqMagics.ask" in shell.said
    assert "LinqMagics.quiet" in shell.said
    shell.run("%config LinqMagics.ask = 'never'")
    shell.run("%linq_voicememo --help")
    assert "ask = never" in shell.said


def test_settings_come_from_the_configuration_file(new_shell: Callable[..., Any]) -> None:
    shell = new_shell(LinqMagics={"ask": "once", "quiet": True})
    shell.run("%load_ext linq_nb")
    shell.run("%linq_errors --help")
    assert "ask = once" in shell.said
    assert shell.run("%linq_errors 2001") is None


def test_wrong_setting_is_an_error_of_one_line(new_shell: Callable[..., Any]) -> None:
    shell = new_shell(LinqMagics={"ask": "always"})
    assert "invalid configuration of LinqMagics" in shell.fails("%load_ext linq_nb")


# --- connecting ---


def test_connect_binds_outbox_and_returns_it(shell: Any) -> None:
    outbox = shell.run("%linq_connect --demo --fresh")
    assert isinstance(outbox, Outbox)
    assert outbox is shell["outbox"]
    assert "from the demo" in shell.said
    assert "demo_" not in shell.said


def test_connect_leaves_a_name_of_yours_alone(shell: Any) -> None:
    shell["outbox"] = [1]
    assert "'outbox' is of type list here; nothing was changed; --into NAME" in shell.fails("%linq_connect --demo")
    assert shell["outbox"] == [1]
    shell.run("%linq_connect --demo --into linq")
    assert isinstance(shell["linq"], Outbox)
    assert "outbox is of type list here" in shell.fails("%linq_chats")
    assert len(shell.run("%linq_chats --via linq --limit 3")) == 3
    shell.run("%linq_connect --demo --into outbox")
    assert isinstance(shell["outbox"], Outbox)


def test_first_use_connects_from_the_settings(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINQ_NB_DEMO", "1")
    shell.run("%linq_sends")
    assert shell["outbox"].demo is not None


def test_without_settings_the_error_says_how_to_connect(shell: Any) -> None:
    message = shell.fails("%linq_chats")
    assert message.startswith("SettingsError: no Linq API key; nothing was sent; set LINQ_API_V3_API_KEY")
    assert "%linq_connect --demo" in message
    assert "outbox" not in shell


@pytest.mark.parametrize("via", ["nobody", "{3}", "hello"])
def test_via_that_names_no_outbox_is_refused(shell: Any, demo: Demo, via: str) -> None:
    shell["hello"] = 1
    assert "Outbox" in shell.fails(f"%linq_chats --via {via}")


# --- previewing ---


def test_preview_without_a_connection_shows_the_memo(shell: Any) -> None:
    memo = shell.run("%linq_voicememo hello.wav --preview")
    assert isinstance(memo, VoiceMemo)
    assert "0:02 · WAV" in shell.said
    assert "outbox" not in shell


def test_preview_with_chats_gives_cards_and_drafts_and_sends_nothing(shell: Any, demo: Demo) -> None:
    cards = shell.run(f'%linq_voicememo hello.wav {ADA} --chat "Book Club" --preview')
    assert [draft.memo.filename for draft in cards.drafts] == ["hello.wav"] * 2
    assert cards.html.count("<audio") == 2
    assert "DEMO" in shell.said
    assert "to Ada Lovelace" in shell.said
    assert "to Book Club" in shell.said
    assert demo.bubbles() == {}


# --- sending ---


def test_memo_is_sent_once_and_again_only_as_a_copy(shell: Any, demo: Demo) -> None:
    send = shell.run(f"%linq_voicememo hello.wav {ADA}")
    assert isinstance(send, Send)
    assert shell.said.index("DEMO from") < shell.said.index("queued:")
    assert "no problems found; ready to send" in shell.said
    again = shell.run(f"%linq_voicememo hello.wav {ADA}")
    assert again.repeated
    assert "already sent" in shell.said
    assert "--copy 2" in shell.said
    shell.run(f"%linq_voicememo hello.wav {ADA} --copy 2;")
    shell.run(f"%linq_voicememo hello.wav {ADA} --copy {{2}};")
    assert demo.bubbles() == {demo.chat_ids["Ada Lovelace"]: 2}


def test_into_stores_the_result(shell: Any, demo: Demo) -> None:
    shell.run(f"x = %linq_voicememo hello.wav {ADA} --into send")
    assert shell["x"] is shell["send"]
    assert shell.run("%linq_sends --into sends --quiet") is None
    assert shell.said == ""
    assert len(shell["sends"]) == 1


def test_several_chats_give_a_list_and_one_named_twice_counts_once(shell: Any, demo: Demo) -> None:
    ada = demo.chat_ids["Ada Lovelace"]
    sends = shell.run(f'%linq_voicememo hello.wav {ADA} --chat "Book Club" --chat {ada} --chat "ada lovelace"')
    assert [send.chat_name for send in sends] == ["Ada Lovelace", "Book Club"]
    assert sum(demo.bubbles().values()) == 2


@pytest.mark.parametrize("quiet", ["--quiet", ";"])
def test_quiet_shows_nothing_and_still_sends(shell: Any, demo: Demo, quiet: str) -> None:
    assert shell.run(f"%linq_voicememo hello.wav {ADA} --into send {quiet}") is None
    assert shell.said == ""
    assert shell["send"].status == "queued"
    assert len(demo.bubbles()) == 1


def test_failure_among_several_keeps_and_shows_the_sends_before_it(shell: Any, demo: Demo) -> None:
    line = f'%linq_voicememo hello.wav {ADA} --chat "Kim Opted Out" --chat "Book Club" --into sends'
    assert "opted out" in shell.fails(line)
    assert [send.chat_name for send in shell["sends"]] == ["Ada Lovelace"]
    assert "Send queued · hello.wav" in shell.said
    assert demo.bubbles() == {demo.chat_ids["Ada Lovelace"]: 1}


@pytest.mark.parametrize("into", ["class", "a-b", "3", "{3}", "''"])
def test_invalid_name_for_into_is_refused_before_a_send(shell: Any, demo: Demo, into: str) -> None:
    assert "nothing was done" in shell.fails(f"%linq_voicememo hello.wav {ADA} --into {into}")
    assert demo.bubbles() == {}


def test_accepted_finding_does_not_stop_the_send(shell: Any, demo: Demo) -> None:
    line = '%linq_voicememo hello.wav --chat "Cora Critical"'
    assert "CRITICAL" in shell.fails(line)
    shell.run(f"{line} --accept chat_critical")
    assert demo.bubbles() == {demo.chat_ids["Cora Critical"]: 1}


def test_a_url_that_may_repeat_is_sent_by_accept_or_copy(shell: Any, demo: Demo) -> None:
    url = demo.media_urls["hello"]
    shell.run(f"%linq_voicememo {url}?token=1 {ADA}")
    line = f"%linq_voicememo {url}?token=2 {ADA}"
    message = shell.fails(line)
    assert "--copy 2" in message
    assert "--accept url_may_repeat" in message
    shell.run(f"{line} --copy 2")
    shell.run(f"{line} --accept url_may_repeat")
    assert demo.bubbles() == {demo.chat_ids["Ada Lovelace"]: 3}


# --- SOURCE ---


@pytest.mark.parametrize(
    "source",
    ["hello.wav", "./hello.wav", '"hello.wav"', "{path}", "$path", "path", "{str(path)}", "memo", "{memo}", "data"],
)  # fmt: skip
def test_source_may_be_a_path_or_a_value(shell: Any, source: str, folder: Path) -> None:
    shell["path"] = folder / "hello.wav"
    shell["memo"] = VoiceMemo.from_file("hello.wav")
    shell["data"] = (folder / "hello.wav").read_bytes()
    memo = shell.run(f"%linq_voicememo {source} --preview")
    assert memo.duration_ms == 2000
    assert memo.sha256 == shell["memo"].sha256


@pytest.mark.parametrize("source", ['"my memo.wav"', r"my\ memo.wav", "'my memo.wav'", "{'my memo.wav'}"])
def test_a_path_may_have_a_space(shell: Any, source: str) -> None:
    assert shell.run(f"%linq_voicememo {source} --preview").filename == "my memo.wav"


def test_tilde_is_the_home_folder(shell: Any, folder: Path) -> None:
    shutil.copy("hello.wav", folder.parent / "there.wav")
    assert shell.run("%linq_voicememo ~/there.wav --preview").filename == "there.wav"


def test_samples_come_with_their_rate(shell: Any) -> None:
    shell["samples"] = [0.0, 0.5, -0.5, 0.25] * 4000
    assert "--rate 16000" in shell.fails("%linq_voicememo samples --preview")
    assert shell.run("%linq_voicememo samples --rate {8000.0} --preview").duration_ms == 2000


def test_url_and_attachment_id_are_not_fetched(shell: Any) -> None:
    assert shell.run("%linq_voicememo https://example.com/a.m4a --preview").source == "url"
    assert shell.run("%linq_voicememo 31882132-ee6f-4a05-84aa-2d0541f249f4 --preview").source == "attachment"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("helo.wav", "AudioError: there is no file 'helo.wav'; nothing was sent; did you mean 'hello.wav'?"),
        ("no/hello.wav", "AudioError: there is no file 'hello.wav' (and no folder 'no'); nothing was sent; check the"),
        ("memmo", "AudioError: there is no file and no Python name 'memmo'; nothing was sent; did you mean 'memo'?"),
        ("{memmo}", "SettingsError: the name 'memmo' is not defined; nothing was sent; did you mean 'memo'?"),
        ("memo", "SettingsError: a value of type dict is not audio; nothing was sent"),
        ("len", "AudioError: there is no file and no Python name 'len'"),
        ("{len}", "SettingsError: a value of type builtin_function_or_method is not audio"),
        ("{None}", "SettingsError: a value of type NoneType is not audio"),
        ("both", "SettingsError: 'both' is both a file and a Python name (of type int); nothing was sent; write ./"),
        ("memo['a']", "SettingsError: there is no file 'memo[a]'; nothing was sent; put a Python value in braces"),
        ("{'x' * 5000}", "AudioError: there is no file"),
        ("~nobody/a.wav", "AudioError: there is no file 'a.wav'"),
        ("hello.wav --rate 8000", "SettingsError: --rate is for samples only, and hello.wav has its own rate; nothing"),
        ("sound.ogg", "AudioError: this is Ogg"),
        (".", "AudioError: "),
    ],
)  # fmt: skip
def test_wrong_source_is_an_error_that_helps(shell: Any, folder: Path, source: str, words: str) -> None:
    shell["memo"], shell["both"] = {}, 1
    (folder / "both").write_bytes(b"")
    (folder / "sound.ogg").write_bytes(b"OggS" + bytes(100))
    assert shell.fails(f"%linq_voicememo {source} --preview").startswith(words)


def test_text_of_a_value_is_not_read_as_a_name_again(shell: Any) -> None:
    shell["memo"], shell["name"] = VoiceMemo.from_file("hello.wav"), "memo"
    assert "there is no file" in shell.fails("%linq_voicememo {name} --preview")


# --- --chat ---


@pytest.mark.parametrize(
    ("chat", "words"),
    [
        ("--preview", ""),
        ("", "SettingsError: --chat CHAT sends the memo, --preview only shows it: give one of the two; nothing was"),
        ("--chat Nobody", "PreflightError: no chat is called 'Nobody'; nothing was sent"),
        ("--chat 'Ada Lovelac'", "PreflightError: no chat is called 'Ada Lovelac'; nothing was sent; did you mean"),
        ("--chat {3}", "SettingsError: --chat takes a chat, its id or its name, not a value of type int;"),
        ("--chat Ada Lovelace", "SettingsError: %linq_voicememo: unexpected 'Lovelace'; quotes keep words"),
        ('--chat "Ada', 'SettingsError: the quote " is not closed; nothing was sent; close it'),
    ],
)  # fmt: skip
def test_wrong_chat_is_an_error_that_helps(shell: Any, demo: Demo, chat: str, words: str) -> None:
    line = f"%linq_voicememo hello.wav {chat}"
    if words:
        assert shell.fails(line).startswith(words)
    else:
        shell.run(line)
    assert demo.bubbles() == {}


def test_chat_may_be_a_record_an_id_or_a_handle(shell: Any, demo: Demo) -> None:
    shell["chat"] = shell["outbox"].find_chat("Grace Hopper")
    for chat in ("{chat}", "$chat", "{chat.chat_id}", "+12025550112", '"grace  hopper"'):
        assert shell.run(f"%linq_voicememo hello.wav --chat {chat}").chat_name == "Grace Hopper"
    assert demo.bubbles() == {demo.chat_ids["Grace Hopper"]: 1}


def test_ambiguous_chat_lists_the_candidates(shell: Any, demo: Demo) -> None:
    message = shell.fails("%linq_voicememo hello.wav --chat +12025550117")
    assert demo.chat_ids["Kim Opted Out"] in message
    assert demo.chat_ids["Kim Second Line"] in message
    assert "+12025550117" not in message


# --- local names ---


def test_magic_inside_a_function_sees_its_names(shell: Any, folder: Path) -> None:
    shell.run(
        "def go(memo, chat):\n"
        "    outbox = __import__('linq_nb').connect(demo=True, fresh=True)\n"
        "    send = %linq_voicememo memo --chat {chat}\n"
        "    return send, outbox.demo.bubbles()\n"
    )
    send, bubbles = shell.run(f"go({str(folder / 'hello.wav')!r}, 'Ada Lovelace')")
    assert send.chat_name == "Ada Lovelace"
    assert list(bubbles.values()) == [1]
    assert "outbox" not in shell


# --- the frames ---


def test_frames_mask_handles_by_default(shell: Any, demo: Demo) -> None:
    shell.run(f"%linq_voicememo hello.wav {ADA};")
    assert list(shell.run("%linq_sends --columns all").to_handles) == ["+1•••••0111"]
    assert list(shell.run("%linq_sends --columns to_handles").to_handles) == ["+1•••••0111"]
    assert list(shell.run("%linq_sends --handles full").to_handles) == ["+12025550111"]
    assert len(shell.run("%linq_sends --handles hashed").to_handles[0]) == 16


SHORT = "chat_name status service error_code meaning filename duration_ms created_at delivery_s read_s".split()  # noqa: SIM905


@pytest.mark.parametrize("command", ["%linq_sends", "%linq_status"])
def test_a_table_shows_the_important_columns_and_keeps_all(shell: Any, demo: Demo, command: str) -> None:
    shell.run(f"%linq_voicememo hello.wav {ADA};")
    assert list(shell.run(f"{command} --into all_of_it")) == SHORT
    everything = shell["all_of_it"]
    assert list(everything) == list(shell.run(f"{command} --columns all")) == list(COLUMNS[Send])
    assert list(shell.run(f"{command} --columns status --columns=sha256")) == ["status", "sha256"]
    assert list(shell.run(f"{command} --handles full")) == [*SHORT, "from_handle", "to_handles"]


def test_an_error_without_a_code_shows_its_reason(shell: Any, demo: Demo) -> None:
    shell.fails("%linq_voicememo hello.wav --chat 'Lou Lost Answer'")
    assert list(shell.run("%linq_sends")) == [*SHORT[:5], "error_message", *SHORT[5:]]


def test_a_column_that_is_misspelt_gets_the_nearest_name(shell: Any, demo: Demo) -> None:
    assert "no column 'satus'; did you mean status" in shell.fails("%linq_sends --columns satus")


def test_sends_are_chosen_by_chat_and_status(shell: Any, demo: Demo) -> None:
    shell.run(f'%linq_voicememo hello.wav {ADA} --chat "Book Club";')
    assert len(shell.run("%linq_sends --status queued --status sent")) == 2
    assert len(shell.run("%linq_sends --status unknown")) == 0
    assert list(shell.run(f'%linq_sends {ADA} --chat "ada lovelace"').chat_name) == ["Ada Lovelace"]


def test_status_asks_linq_and_reconcile_finds_a_lost_answer(shell: Any, demo: Demo) -> None:
    shell.run(f"%linq_voicememo hello.wav {ADA};")
    shell.fails('%linq_voicememo hello.wav --chat "Lou Lost Answer"')
    demo.advance(minutes=5)
    assert list(shell.run("%linq_status").status) == ["read", "unknown"]
    assert shell.run("%linq_reconcile").status[0] == "delivered"
    assert len(shell.run("%linq_reconcile")) == 0


def test_reconcile_names_the_sends_that_may_still_be_under_way(shell: Any, demo: Demo) -> None:
    outbox = shell["outbox"]
    memo = VoiceMemo.from_attachment("11111111-1111-4111-8111-111111111111")
    wanted = session_of(outbox).wanted(Draft(memo=memo, chat=next(iter(demo.chat_ids.values()))))
    session_of(outbox).journal.claim(
        dataclasses.replace(wanted, status="sending", posted_at=session_of(outbox).now()),
        memo.names,
        "a notebook that died",
    )
    assert len(shell.run("%linq_reconcile")) == 0
    assert "1 send is under way" in shell.said


def test_chats_can_be_chosen_by_line(shell: Any, demo: Demo) -> None:
    assert set(shell.run("%linq_chats --from +12025550101").from_handle) == {"+1•••••0101"}
    assert list(shell.run("%linq_chats --to linus@example.com").chat_name) == ["Linus Email"]


@pytest.mark.parametrize(("line", "rows"), [("", 30), ("2001", 1), ("{2024}", 1)])
def test_errors_lists_the_codes(shell: Any, line: str, rows: int) -> None:
    assert len(shell.run(f"%linq_errors {line}")) >= rows


@pytest.mark.parametrize("line", ["abc", "99", "{None}", "{[1]}"])
def test_wrong_error_code_is_an_error_that_helps(shell: Any, line: str) -> None:
    if line == "{None}":
        assert len(shell.run(f"%linq_errors {line}")) >= 30
    else:
        assert "%linq_errors" in shell.fails(f"%linq_errors {line}")


# --- the form and the doctor ---


def test_the_form_uses_the_notebooks_outbox(shell: Any, demo: Demo) -> None:
    form = shell.run("form = %linq_form\nform")
    assert form.outbox is shell["outbox"]


def test_doctor_shows_settings_linq_and_journal(shell: Any, demo: Demo) -> None:
    shown = shell.run("%linq_doctor")
    assert "DEMO, https://demo.linq.invalid" in shown.text
    assert "answers; 2 lines" in shown.text
    assert "+1•••••0100: HEALTHY\n" in shown.text
    assert "+1•••••0101: AT_RISK; %linq_doctor --reputation asks Linq why" in shown.text
    assert "agrees with Linq's" in shown.text
    assert "0 sends" in shown.text
    assert demo.api_key not in shown.text + shown.html


@pytest.mark.parametrize(("minutes", "words"), [(0, "agrees with"), (-60, "3,600 s behind"), (2, "120 s ahead of")])
def test_doctor_compares_the_clock_with_linqs(connect: Any, demo: Demo, minutes: int, words: str) -> None:
    outbox = connect(clock=lambda: demo.now() + timedelta(minutes=minutes))
    assert f"{words} Linq's" in doctor.examine(lambda: session_of(outbox)).text


def test_doctor_requests_the_reputation_of_lines_only_on_request(shell: Any, demo: Demo) -> None:
    def audits() -> int:
        return sum("reputation_audit" in request.path for request in demo.requests)

    shell.run("%linq_doctor")
    assert audits() == 0
    assert "+1•••••0101: AT_RISK, audited just now; A large share" in shell.run("%linq_doctor --reputation").text
    assert (requests := audits()) > 0
    demo.advance(minutes=90)
    again = shell.run("%linq_doctor").text
    assert "+1•••••0100: HEALTHY, audited 1 hour ago; Keep sending as you do" in again
    assert audits() == requests
    demo.fail_next(500, 3006, path="/reputation_audit", times=9)
    broken = shell.run("%linq_doctor --reputation").text
    assert broken.count("not ready: ApiError: Linq refused the reputation audit (500/3006") == 2
    assert "0 sends" in broken


def test_an_audit_without_a_rating_leaves_that_of_the_line(connect: Any, demo: Demo) -> None:
    audits = httpx.MockTransport(lambda _: httpx.Response(200, json={"audit_id": "a", "status": "complete"}))
    linq = demo.transport()

    class Unrated(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return (audits if "reputation_audit" in request.url.path else linq).handle_request(request)

    session = session_of(connect(transport=Unrated()))
    shown = doctor.examine(lambda: session, reputation=True).text
    assert "+1•••••0101: AT_RISK, audited before" in shown


def test_doctor_warns_of_disabled_webhooks_until_they_are_enabled(connect: Any) -> None:
    outbox = connect()

    def received(number: int, event_type: str, identity: str, url: str) -> None:
        subscription = {"id": identity, "target_url": url}
        body = {
            "event_id": str(number),
            "event_type": f"webhook_subscription.{event_type}",
            "created_at": "2026-03-02T08:00:00Z",
            "data": {"webhook_subscription": subscription},
        }
        outbox.ingest_stored([body])

    def warnings() -> list[str]:
        text = doctor.examine(lambda: session_of(outbox)).text
        return [line for line in text.splitlines() if line.startswith("webhooks")]

    assert warnings() == []
    received(1, "created", "sub-1", "https://hooks.example.com/linq")
    received(2, "disabled", "sub-1", "https://hooks.example.com/linq?token=secret")
    received(3, "disabled", "sub-2", "https://other.example.com/")
    first, second = warnings()
    assert "sub-1 to hooks.example.com/linq was disabled 1 hour ago" in first
    assert "%linq_webhooks --delete sub-1" in first
    assert "secret" not in first
    assert "sub-2" in second
    received(4, "enabled", "sub-1", "https://hooks.example.com/linq")
    received(5, "deleted", "sub-2", "https://other.example.com/")
    assert warnings() == []


def test_doctor_never_raises(shell: Any, demo: Demo) -> None:
    demo.fail_next(401, 2004, path="/phone_numbers")
    assert "not ready: AuthenticationError" in shell.run("%linq_doctor").text
    broken = httpx.MockTransport(lambda request: 1 / 0)  # type: ignore[arg-type, return-value]
    with connect(api_key=demo.api_key, base_url=demo.base_url, transport=broken, journal=":memory:") as outbox:
        shell["outbox"] = outbox
        assert "not ready: ZeroDivisionError" in shell.run("%linq_doctor").text
    shell["outbox"] = 3
    assert "not ready: SettingsError: outbox is of type int here" in shell.run("%linq_doctor").text
    del shell.ip.user_ns["outbox"]
    assert "not ready: SettingsError: no Linq API key" in shell.run("%linq_doctor").text


# --- the explorer ---


def test_explore_shows_the_journal_or_a_frame_filtered(shell: Any, demo: Demo) -> None:
    shell.run('%linq_voicememo hello.wav --chat "Ada Lovelace" --quiet')
    assert repr(shell.run("%linq_explore")) == "Explorer(DEMO, 1 of 1 sends)"
    assert repr(shell.run("%linq_explore --status needs_me")) == "Explorer(DEMO, 0 of 1 sends)"
    assert repr(shell.run("%linq_explore --search lovelace --status queued")) == "Explorer(DEMO, 1 of 1 sends)"
    shell.run("%linq_sends --into df --quiet")
    assert shell.run("%linq_explore --from df --search nobody --into explorer;") is None
    assert repr(shell["explorer"]) == "Explorer(0 of 1 sends)"
    assert len(shell.run("explorer.filter(); explorer.rows")) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--from nothing", "the name 'nothing' is not defined; nothing was opened; --from takes"),
        ("--from {42}", "Explorer takes a frame"),
    ],
)
def test_explore_refuses_a_value_that_is_no_frame(shell: Any, demo: Demo, line: str, words: str) -> None:
    assert words in shell.fails(f"%linq_explore {line}")
