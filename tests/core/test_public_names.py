"""``dir`` and Tab show public names only; the lists here change only when a public name does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import linq_nb
import linq_nb.accessor  # registers df.linq

PACKAGE = """
    ApiError AudioError AuthenticationError ConflictError JournalError LinqError NotFoundError NotSent OutcomeUnknown
    PermissionDeniedError PreflightError RateLimitError SettingsError WebhookError
    audit BadDraft Chat demo Draft Event Finding Handle Line Message Plan PlanRow Reputation Send VoiceMemo
    Explorer Outbox Recorder SendForm SendList StatusBoard connect errors_frame plots read_parquet reports
    to_e164 to_frame load_ipython_extension unload_ipython_extension
"""
VOICE_MEMO = """
    from_attachment from_bytes from_file from_samples from_url load
    artist attachment_id channels codec content data declared_type duration_ms filename format label mime_type names
    origin_sha256 path sample_rate sha256 size_bytes source title url
    convert fetched peaks unchanged
"""
SEND = """
    accept_s accepted_at attachment_id attempts base_url chat_id chat_name checked_at content copy created_at
    chat_handles chat_is_active extra force_notify has_cdn_url message_created_at
    delivered_at delivery_s doc_url duration_ms error_code error_message failed_at filename format from_handle
    http_status is_group is_open memo_source message_id mime_type observed override_optout posted_at read_at read_s
    reconcile_result repeated repeated_at send_id sent_at service sha256 size_bytes skew_max_ms skew_min_ms status
    to_handles trace_id typed_chat voice_memo_url
"""
OUTBOX = """
    lines chats chat find_chat known_chats line mode demo summary close
    reputation check fetch plan send send_all last_batch
    sends history messages refresh watch last_watch reconcile resolve
    ingest ingest_stored replay to_parquet forget hash_handles
"""
BATCH = "done frame is_done line plan results stop stopped_by wait"
ACCESSOR = "by by_chat by_day by_hour compare drafts duplicates errors funnel latency match plot unconfirmed"
PLOTS = "errors funnel latency timeline"

VALUES: dict[str, Callable[[], Any]] = {
    "linq_nb": lambda: linq_nb,
    "VoiceMemo": lambda: linq_nb.VoiceMemo.from_url("https://example.com/hello.m4a"),
    "Send": lambda: linq_nb.Send(send_id="s", base_url="https://example.com", content="url:u", chat_id="c"),
    "Outbox": lambda: linq_nb.connect(demo=True),
    "Batch": lambda: linq_nb.connect(demo=True).send_all(linq_nb.connect(demo=True).plan([])),
    "df.linq": lambda: pd.DataFrame().linq,
    "df.linq.plot": lambda: pd.DataFrame().linq.plot,
}
NAMES = {
    "linq_nb": PACKAGE,
    "VoiceMemo": VOICE_MEMO,
    "Send": SEND,
    "Outbox": OUTBOX,
    "Batch": BATCH,
    "df.linq": ACCESSOR,
    "df.linq.plot": PLOTS,
}


def public_names(value: object) -> list[str]:
    return sorted(name for name in dir(value) if not name.startswith("_"))


@pytest.mark.parametrize("name", NAMES)
def test_dir_shows_public_names_only(name: str) -> None:
    assert public_names(VALUES[name]()) == sorted(NAMES[name].split())


def test_dir_of_the_package_does_not_grow_as_its_modules_are_loaded() -> None:
    import linq_nb.receiver

    assert "linq_nb.receiver" in sys.modules
    assert public_names(linq_nb) == sorted(PACKAGE.split())
    assert set(dir(linq_nb)) - set(PACKAGE.split()) == {"__version__", "__doc__", "__file__", "__name__", "__path__"}


@pytest.mark.parametrize("use_jedi", [False, True], ids=["by dir", "by jedi"])
@pytest.mark.parametrize("name", NAMES)
def test_tab_shows_public_names_only(name: str, use_jedi: bool) -> None:
    assert tab(VALUES[name](), use_jedi) == sorted(NAMES[name].split())


def tab(value: Any, use_jedi: bool) -> list[str]:
    """Return what IPython offers after the dot."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.user_ns["value"] = value
    shell.Completer.use_jedi = use_jedi
    try:
        with provisionalcompleter():
            return sorted(
                offer.text.rpartition(".")[2] for offer in shell.Completer.completions("value.", len("value."))
            )
    finally:
        shell.restore_sys_module_state()
