"""The sources of the key, the base URL and the journal; the key is never shown."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_samples import TOKEN
from IPython.core.error import StdinNotImplementedError

from linq_nb import SettingsError, settings
from linq_nb.hosts import is_loopback
from linq_nb.secret import Secret


def nobody() -> str:
    raise EOFError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def profiles(home: Path, content: Any) -> None:
    """Write the Linq CLI's file; a str as it is."""
    (home / ".linq").mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (home / ".linq" / "config.json").write_text(text, "utf-8")


CLI = {"profile": "work", "profiles": {"work": {"token": "work-token"}, "home": {"token": "home-token"}, "none": {}}}

SOURCES = [
    ({"argument": "a1"}, {}, "a1", "the argument"),
    ({"profile": "home"}, {}, "home-token", "profile 'home' of the Linq CLI"),
    ({}, {"LINQ_API_V3_API_KEY": "e1"}, "e1", "LINQ_API_V3_API_KEY"),
    ({}, {"LINQ_API_KEY": "e2"}, "e2", "LINQ_API_KEY"),
    ({}, {"LINQ_TOKEN": "e3"}, "e3", "LINQ_TOKEN"),
    ({}, {"LINQ_PROFILE": "home"}, "home-token", "profile 'home' of the Linq CLI"),
    ({}, {}, "work-token", "the Linq CLI's profile"),
]


@pytest.mark.parametrize("first", range(len(SOURCES)))
def test_the_first_source_that_has_a_key_gives_it(home: Path, first: int) -> None:
    profiles(home, CLI)
    arguments: dict[str, str] = {}
    environ: dict[str, str] = {}
    for options, env, _, _ in reversed(SOURCES[first:]):
        arguments |= options
        environ |= env
    key, source = settings.find_key(arguments.get("argument"), arguments.get("profile"), environ, home, nobody)
    assert (key.reveal(), source) == SOURCES[first][2:]


def test_an_empty_variable_does_not_count(home: Path) -> None:
    environ = {"LINQ_API_V3_API_KEY": " ", "LINQ_API_KEY": "", "LINQ_TOKEN": " t1 \n"}
    assert settings.find_key(None, None, environ, home, nobody)[0].reveal() == "t1"


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"profiles": []}', '{"profiles": {"work": 7}}', "\0", {}])
def test_a_broken_profile_file_is_an_error_only_when_a_profile_was_requested(home: Path, content: Any) -> None:
    profiles(home, content)
    with pytest.raises(SettingsError, match="no Linq API key"):
        settings.find_key(None, None, {}, home, nobody)
    with pytest.raises(SettingsError, match="linq login"):
        settings.find_key(None, "work", {}, home, nobody)


@pytest.mark.parametrize("name", ["nobody", "none"])
def test_a_profile_without_a_token_lists_the_profiles(home: Path, name: str) -> None:
    profiles(home, CLI)
    for arguments, environ in (((None, name), {}), ((None, None), {"LINQ_PROFILE": name})):
        with pytest.raises(
            SettingsError, match=f"no token for profile '{name}' [(]it has 'work', 'home', 'none'[)]; nothing was sent"
        ):
            settings.find_key(*arguments, environ, home, nobody)


def test_a_missing_profile_says_what_to_do(home: Path) -> None:
    with pytest.raises(SettingsError, match="no token for profile 'work'; nothing was sent; run `linq login`"):
        settings.find_key(None, "work", {}, home, nobody)


@pytest.mark.parametrize("key", ["two words", "tök", "a\nb", "a\x1bb", "“quoted”"])
def test_an_invalid_key_is_refused_without_being_shown(home: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="characters that no key has") as caught:
        settings.find_key(key, None, {}, home, nobody)
    assert key not in str(caught.value)


def test_the_key_is_read_from_colabs_secrets_in_colab(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class SecretNotFoundError(Exception):
        pass

    def get(name: str) -> str:
        if name != "LINQ_API_KEY":
            raise SecretNotFoundError
        return "colab-key"

    userdata: Any = types.ModuleType("google.colab.userdata")
    userdata.get = get
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "google.colab.userdata", userdata)
    key, source = settings.find_key(None, None, {}, home, nobody)
    assert (key.reveal(), source) == ("colab-key", "Colab secret LINQ_API_KEY")


def unanswered(error: Exception) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


@pytest.mark.parametrize(
    "ask",
    [unanswered(EOFError()), unanswered(OSError()), unanswered(StdinNotImplementedError()), lambda: "", lambda: "  "],
)
def test_when_nobody_answers_the_error_says_how_to_set_a_key(home: Path, ask: Callable[[], str]) -> None:
    with pytest.raises(SettingsError, match=r"no Linq API key; nothing was sent; set LINQ_API_V3_API_KEY.*demo"):
        settings.find_key(None, None, {}, home, ask)


def test_an_answer_is_the_key_and_an_interrupt_is_raised(home: Path) -> None:
    assert settings.find_key(None, None, {}, home, lambda: " typed ")[0].reveal() == "typed"
    with pytest.raises(KeyboardInterrupt):
        settings.find_key(None, None, {}, home, unanswered(KeyboardInterrupt()))  # type: ignore[arg-type]


def test_a_script_without_a_terminal_gets_no_question(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import linq_nb; linq_nb.connect()"],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert done.returncode == 1
    assert "no Linq API key" in done.stderr


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://api.linqapp.com/api/partner", "https://api.linqapp.com/api/partner"),
        (" https://api.linqapp.com/api/partner/ ", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/v3", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/api/partner/v3/", "https://api.linqapp.com/api/partner"),
        ("HTTPS://API.LinqApp.com:443/api/partner", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com:8443", "https://api.linqapp.com:8443"),
        ("http://127.0.0.1:8765/api/partner", "http://127.0.0.1:8765/api/partner"),
        ("http://localhost:80/", "http://localhost"),
        ("http://[::1]:8765/x", "http://[::1]:8765/x"),
        ("https://api.linqapp.com/api/partner//", "https://api.linqapp.com/api/partner"),
        ("https://api.linqapp.com/.api/partner.x~1", "https://api.linqapp.com/.api/partner.x~1"),
    ],
)
def test_a_base_url_has_one_spelling(url: str, stored: str) -> None:
    assert settings.check_base_url(url) == stored
    assert settings.check_base_url(stored) == stored


@pytest.mark.parametrize(
    "url",
    [
        "http://api.linqapp.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "api.linqapp.com",
        "",
        "https://",
        "https://me:hunter2@api.linqapp.com",
        "https://hunter2@api.linqapp.com",
        "https://@api.linqapp.com",
        "https://api.linqapp.com?key=hunter2",
        "https://api.linqapp.com#hunter2",
        "https://exa mple.com",
        "https://api\n.linqapp.com",
        "https://api.linqapp.com\\@evil.example",
        "https://x:99999",
        "https://[x",
        "https://" + "a" * 64 + ".com",
        "https://ex℀mple.com",
        "https://api.linqapp.com./api/partner",
        "https://api.linqapp.com/%61pi/partner",
        "https://api.linqapp.com/api/./partner",
        "https://api.linqapp.com/x/../api/partner",
        "https://api.linqapp.com//api/partner",
        "https://api.linqapp.com/api/partner/.",
    ],
)
def test_a_base_url_is_https_or_loopback_in_one_spelling_and_carries_no_secret(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.check_base_url(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False),
     ("10.0.0.1", False), ("localhost.example.com", False), ("", False), ("127.0.0.1.example.com", False)],
)  # fmt: skip
def test_loopback_hosts_are_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    ("url", "key", "demo"),
    [
        ("http://127.0.0.1:1", "demo_x", True),
        ("http://localhost:1", "demo_x", True),
        ("http://127.0.0.1:1", "live", False),
        ("https://api.linqapp.com", "demo_x", False),
        ("https://127.0.0.1.example.com", "demo_x", False),
    ],
)
def test_demo_is_loopback_with_a_demo_token_and_all_else_is_live(home: Path, url: str, key: str, demo: bool) -> None:
    loaded = settings.load(api_key=key, base_url=url, environ={}, home=home)
    assert loaded.is_demo == demo


def test_the_base_url_is_the_argument_then_the_variable_then_production(home: Path) -> None:
    environ = {"LINQ_API_V3_BASE_URL": "https://two.example"}
    given = {"api_key": "k", "home": home}
    assert settings.load(**given, base_url="https://one.example", environ=environ).base_url == "https://one.example"
    assert settings.load(**given, environ=environ).base_url == "https://two.example"
    assert settings.load(**given, environ={"LINQ_API_V3_BASE_URL": " "}).base_url == settings.PRODUCTION


def test_the_journal_is_the_argument_then_the_variable_then_the_data_folder(home: Path) -> None:
    environ = {"LINQ_NB_JOURNAL": f"{home}/two.sqlite"}
    assert settings.find_journal("sqlite:///one", environ, home) == ("sqlite:///one", "the argument")
    assert settings.find_journal(None, environ, home) == (f"sqlite:///{home}/two.sqlite", "LINQ_NB_JOURNAL")
    url, source = settings.find_journal(None, {"LINQ_NB_JOURNAL": " "}, home)
    assert url.endswith("journal.sqlite")
    assert source == "the user's data folder"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (":memory:", "sqlite://"),
        ("postgresql://me@db/journal", "postgresql://me@db/journal"),
        ("/data/j.sqlite", "sqlite:////data/j.sqlite"),
    ],
)
def test_a_journal_is_a_url_or_a_path(text: str, url: str) -> None:
    assert settings.journal_url(text) == url


def test_a_journal_path_is_made_absolute_and_the_home_of_an_unknown_user_is_refused() -> None:
    assert settings.journal_url("j.sqlite") == f"sqlite:///{Path.cwd()}/j.sqlite"
    with pytest.raises(SettingsError, match="unknown user"):
        settings.journal_url("~nobody-of-that-name/j.sqlite")


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, ".local/share/linq_nb"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/linq_nb"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "Library/Application Support/linq_nb"),
        ("win32", {}, "AppData/Local/linq_nb"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/linq_nb"),
    ],
)
def test_the_data_folder_is_where_the_operating_system_places_it(platform: str, environ: Any, folder: str) -> None:
    assert settings.data_folder(environ, Path("/home/me"), platform) == Path("/home/me") / folder


def test_a_user_without_a_home_folder_can_give_every_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert settings.load(api_key="k", journal="/data/j.sqlite", environ={}).journal == "sqlite:////data/j.sqlite"


@pytest.mark.parametrize(
    ("value", "demo"), [("1", True), ("true", True), ("0", False), ("", False), (" False ", False), ("no", False)]
)
def test_the_demo_variable_is_read_as_true_or_false(value: str, demo: bool) -> None:
    assert settings.wants_demo({"LINQ_NB_DEMO": value}) == demo
    assert settings.wants_demo({}) is False


def test_a_secret_is_in_no_text() -> None:
    secret = Secret(TOKEN)
    loaded = settings.load(api_key=TOKEN, environ={}, home=Path("/home/me"))
    shown = [repr(secret), str(secret), f"{secret}", "%s" % (secret,), repr([secret]), repr(loaded)]  # noqa: UP031
    assert not [text for text in shown if TOKEN in text]
    assert not hasattr(secret, "__dict__")
    for fails in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            fails(secret)
    assert secret.reveal() == TOKEN
