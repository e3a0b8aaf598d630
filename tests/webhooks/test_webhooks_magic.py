"""%linq_webhooks lists, creates and deletes subscriptions; the secret is stored as requested and is in no output."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from shared import AUDIO

from linq_nb import LinqError, Outbox, SettingsError, VoiceMemo
from linq_nb.outbox import session_of
from linq_nb.secret import Secret

URL = "https://hooks.example.com/linq"


@pytest.fixture
def outbox(shell: InteractiveShell) -> Outbox:
    connected: Outbox = shell.user_ns["outbox"]
    return connected


def run(shell: InteractiveShell, line: str) -> Any:
    return shell.run_line_magic("linq_webhooks", line)


def made(outbox: Outbox) -> list[str]:
    return [subscription.target_url for subscription in session_of(outbox).client.subscriptions()]


def test_a_subscription_is_made_listed_and_deleted(shell: InteractiveShell, outbox: Outbox) -> None:
    assert list(run(shell, "")["target_url"]) == []
    (row,) = run(shell, f"--create {URL} --line {outbox.demo.lines[0]}").to_dict("records")
    assert (row["target_url"], row["version"], row["is_active"]) == (URL, "2026-02-03", True)
    assert row["subscribed_events"] == "message.sent message.delivered message.read message.failed"
    assert outbox.demo.lines[0] not in str(row), "lines are masked"
    assert made(outbox) == [f"{URL}?version=2026-02-03"]
    assert list(run(shell, "")["subscription_id"]) == [row["subscription_id"]]
    assert list(run(shell, f"--delete {row['subscription_id']}")["target_url"]) == []
    with pytest.raises(LinqError):
        run(shell, f"--delete {row['subscription_id']}")


def test_the_secret_verifies_and_is_in_no_output(
    shell: InteractiveShell, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = run(shell, f"--create {URL} --secret-into mine")
    secret = shell.user_ns["mine"]
    assert isinstance(secret, Secret)
    printed = capsys.readouterr()
    assert "in the variable 'mine'" in printed.out
    shown = printed.out + printed.err + repr(secret) + frame.to_csv() + frame.to_html() + run(shell, "").to_csv()
    assert secret.reveal().startswith("whsec_")
    assert secret.reveal() not in shown
    assert secret.reveal()[6:] not in shown
    outbox.send(VoiceMemo.from_file(AUDIO / "hello.amr"), "Ada Lovelace")
    outbox.demo.advance(seconds=10)
    for delivery in outbox.demo.deliveries():
        outbox.ingest(delivery.body, delivery.headers, secret)
    assert [send.status for send in outbox.sends()] == ["delivered"]


def test_the_secret_goes_to_a_new_file_of_its_owner(
    shell: InteractiveShell, outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "linq.secret"
    run(shell, f"--create {URL} --secret-file {file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().strip()
    assert secret.startswith("whsec_")
    assert secret not in capsys.readouterr().out
    assert "webhook_secret" not in shell.user_ns
    for other in (file, tmp_path / "nowhere" / "x"):
        with pytest.raises(SettingsError, match="nothing was created"):
            run(shell, f"--create {URL}/2 --secret-file {other}")
    assert file.read_text().strip() == secret
    assert len(made(outbox)) == 1


def test_a_refused_subscription_leaves_no_file_and_no_name(
    shell: InteractiveShell, outbox: Outbox, tmp_path: Path
) -> None:
    file = tmp_path / "linq.secret"
    with pytest.raises(LinqError):
        run(shell, f"--create http://hooks.example.com/plain --secret-file {file}")
    with pytest.raises(LinqError):
        run(shell, "--create http://hooks.example.com/plain")
    assert not file.exists()
    assert shell.user_ns.get("webhook_secret") is None
    assert made(outbox) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--create {url} --delete x", "--create and --delete cannot be used"),
        ("--events message.sent", "are for --create"),
        ("--secret-into x", "are for --create"),
        ("--create {url} --secret-into a --secret-file b", "--secret-into and --secret-file cannot"),
        ("--create {url} --secret-into class", "takes a name for a variable"),
        ("--create {url} --secret-into a.b", "takes a name for a variable"),
        ("--create {url} --secret-into outbox", "is used already"),
        ("--create https://[x", "takes the URL"),
    ],
)
def test_contradictory_options_make_no_subscription(
    shell: InteractiveShell, outbox: Outbox, line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinqError, match=words):
        run(shell, line.format(url=URL))
    assert made(outbox) == []
    assert shell.user_ns["outbox"] is outbox
    assert list(tmp_path.glob("*.secret")) == []


def test_a_secret_is_not_written_over_by_the_next(shell: InteractiveShell, outbox: Outbox) -> None:
    run(shell, f"--create {URL} --quiet")
    first = shell.user_ns["webhook_secret"]
    with pytest.raises(SettingsError, match="'webhook_secret' is used already"):
        run(shell, f"--create {URL}/2")
    assert shell.user_ns["webhook_secret"] is first
    assert len(made(outbox)) == 1


def test_version_and_events_are_as_requested(shell: InteractiveShell, outbox: Outbox) -> None:
    address = f"{URL}?token=s3cr3t&version=2025-01-01"
    frame = run(shell, f'--create "{address}" --events message.failed --events message.received,reaction.added')
    assert made(outbox) == [address]
    assert list(frame["version"]) == ["2025-01-01"]
    assert list(frame["subscribed_events"]) == ["message.failed message.received reaction.added"]
    assert "s3cr3t" not in frame.to_csv() + run(shell, "").to_csv()
