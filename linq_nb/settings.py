"""Finds the API key, the base URL and the journal. Settings are only read, never written.

API key: argument, ``LINQ_API_V3_API_KEY``, ``LINQ_API_KEY``, ``LINQ_TOKEN``, the Linq CLI's
``~/.linq/config.json`` (``LINQ_PROFILE``), Colab secrets, then a prompt where one can be answered.
"""

from __future__ import annotations

import getpass
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from linq_nb.errors import SettingsError
from linq_nb.hosts import is_loopback
from linq_nb.secret import HiddenMapping, HiddenText, HiddenUrl, Secret

_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*/*", re.ASCII).fullmatch
"""A path that can only be spelled in this way: nothing encoded, no ``.`` or ``..``, no two slashes in it."""

PRODUCTION = "https://api.linqapp.com/api/partner"
KEY_VARIABLES = ("LINQ_API_V3_API_KEY", "LINQ_API_KEY", "LINQ_TOKEN")
URL_VARIABLE = "LINQ_API_V3_BASE_URL"
JOURNAL_VARIABLE = "LINQ_NB_JOURNAL"
DEMO_VARIABLE = "LINQ_NB_DEMO"
PROFILE_VARIABLE = "LINQ_PROFILE"
ENVIRON = HiddenMapping(os.environ)
"""The environment; a traceback that shows the variables of a frame does not show its values."""

_CORRECT = f"correct {URL_VARIABLE} or base_url="

_IS_KEY = re.compile(r"[!-~]+").fullmatch


@dataclass(frozen=True, slots=True)
class Settings:
    """What a connection needs, and where the key came from."""

    api_key: Secret
    api_key_from: str
    base_url: str
    journal: str

    @property
    def is_demo(self) -> bool:
        """Demo on a socket: loopback, with a token that starts with ``demo_``. All else is live."""
        host = urlsplit(self.base_url).hostname or ""
        return is_loopback(host) and self.api_key.reveal().startswith("demo_")


def load(
    *,
    api_key: Secret | str | None = None,
    base_url: str | None = None,
    profile: str | None = None,
    journal: str | None = None,
    environ: Mapping[str, str] = ENVIRON,
    home: Path | None = None,
) -> Settings:
    """Return the settings; raises SettingsError, which says what is missing and where to set it."""
    api_key = hidden_key(api_key)
    home = home or _home()
    url = check_base_url(base_url or environ.get(URL_VARIABLE, "").strip() or PRODUCTION)
    key, key_from = find_key(api_key, profile, environ, home)
    return Settings(key, key_from, url, find_journal(journal, environ, home)[0])


def _home() -> Path:
    """Return the user's home folder; in a container the user may have none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def wants_demo(environ: Mapping[str, str] = ENVIRON) -> bool:
    """Whether ``LINQ_NB_DEMO`` asks for the demo."""
    return environ.get(DEMO_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def find_key(
    argument: Secret | str | None,
    profile: str | None,
    environ: Mapping[str, str],
    home: Path,
    prompt: Callable[[], str] | None = None,
) -> tuple[Secret, str]:
    """Return the API key and where it came from; a profile given as an argument goes before the environment."""
    if argument := hidden_key(argument):
        return _key(argument, "the argument")
    if profile:
        return _key(_profile_token(home, profile, required=True), f"profile {profile!r} of the Linq CLI")
    for name in KEY_VARIABLES:
        if environ.get(name, "").strip():
            return _key(Secret(environ[name]), name)
    chosen = environ.get(PROFILE_VARIABLE)
    token = _profile_token(home, chosen, required=bool(chosen))
    if token.reveal():
        return _key(token, f"profile {chosen!r} of the Linq CLI" if chosen else "the Linq CLI's profile")
    return _colab_key() or _prompted(prompt)


def hidden_key(key: Secret | str | None) -> Secret | None:
    """Wrap the key of an argument in a Secret, so that no traceback shows it; None without a key."""
    return Secret(key) if isinstance(key, str) and key else key or None


def _key(key: Secret, source: str) -> tuple[Secret, str]:
    key = Secret(key.reveal().strip())
    if not _IS_KEY(key.reveal()):
        raise SettingsError(
            f"the API key from {source} has characters that no key has; nothing was sent; copy it again"
        )
    return key, source


def _profile_token(home: Path, profile: str | None, *, required: bool) -> Secret:
    """Return the token of a profile of the Linq CLI; empty when there is none and it is not ``required``."""
    file = home / ".linq" / "config.json"
    try:
        tokens, current = _profile_tokens(file)
    except FileNotFoundError:
        tokens, current = {}, "default"
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        if not required:
            return Secret("")
        raise SettingsError(
            f"{file.name} of the Linq CLI cannot be read; nothing was sent; run `linq login` again"
        ) from None
    name = profile or current
    token = tokens.get(name, Secret(""))
    if required and not token.reveal():
        others = f" (it has {', '.join(map(repr, tokens))})" if tokens else ""
        raise SettingsError(
            f"the Linq CLI has no token for profile {name!r}{others}; nothing was sent; run `linq login`"
        )
    return token


def _profile_tokens(file: Path) -> tuple[dict[str, Secret], str]:
    """Return the token of each profile in the Linq CLI's file, and the name of the current profile."""
    config = json.loads(file.read_text("utf-8"), object_hook=_with_hidden_token)
    tokens = {str(name): dict(profile or {}).get("token") for name, profile in dict(config["profiles"]).items()}
    hidden = {name: token if isinstance(token, Secret) else Secret("") for name, token in tokens.items()}
    return hidden, str(config.get("profile", "default"))


def _with_hidden_token(profile: dict[str, Any]) -> dict[str, Any]:
    is_token = isinstance(profile.get("token"), str)
    return profile | {"token": Secret(profile["token"])} if is_token else profile


def _colab_key() -> tuple[Secret, str] | None:
    """Return a key from Colab's secrets; None outside Colab, or when no secret is shared with the notebook."""
    if "google.colab" not in sys.modules:
        return None
    userdata: Any = importlib.import_module("google.colab.userdata")
    for name in KEY_VARIABLES:
        try:
            value = HiddenText(userdata.get(name) or "")
        except Exception as error:  # Colab's own exceptions: secret unknown, not shared, timed out
            if type(error).__name__ not in ("SecretNotFoundError", "NotebookAccessError", "TimeoutException"):
                raise
            continue
        if value:
            return _key(Secret(value), f"Colab secret {name}")
    return None


def _prompted(prompt: Callable[[], str] | None) -> tuple[Secret, str]:
    missing = SettingsError(
        f"no Linq API key; nothing was sent; set {KEY_VARIABLES[0]}, or run `linq login`, or pass api_key=; "
        "without one, %linq_connect --demo (or connect(demo=True)) gives the whole toolkit on a demo"
    )
    try:
        key = Secret((prompt or _ask)().strip())
    except (EOFError, OSError, NotImplementedError):  # a kernel raises the last where nobody can answer
        raise missing from None
    if not key.reveal():
        raise missing
    return _key(key, "the prompt")


def _ask() -> str:
    """Ask for the key where a person can answer: in a terminal or a notebook, not in a pipe."""
    app = sys.modules.get("ipykernel.kernelapp")  # being loaded is no proof of a kernel: ipywidgets loads it too
    is_kernel = app is not None and app.IPKernelApp.initialized()
    if not is_kernel and not (sys.stdin and sys.stdin.isatty()):
        raise EOFError
    return getpass.getpass("Linq API key (the demo needs none: %linq_connect --demo): ")


def check_base_url(url: str) -> str:
    """Return the base URL in one spelling, because send keys contain it: no default port, no slash at the end.

    https only, except on loopback. Raises SettingsError.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError(f"the base URL is not a URL; nothing was sent; {_CORRECT}") from None
    if "@" in parts.netloc:
        raise SettingsError(
            "the base URL carries a login; nothing was sent; give the key by api_key= or the environment"
        )
    is_host = re.fullmatch(r"[a-z0-9:._-]*[a-z0-9:_-]", host) and all(len(label) < 64 for label in host.split("."))
    is_plain = re.fullmatch("[!-~]+", url) and is_host and _PLAIN_PATH(parts.path)
    if parts.query or parts.fragment or not is_plain:
        raise SettingsError(f"the base URL is not a plain URL such as {PRODUCTION}; nothing was sent; {_CORRECT}")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError(
            f"the base URL must be https (plain http only on this machine), not {parts.scheme}; nothing was sent; "
            f"{_CORRECT}"
        )
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = f":{port}" if port not in (None, {"https": 443, "http": 80}[parts.scheme]) else ""
    path = parts.path.rstrip("/").removesuffix("/v3").rstrip("/")
    return f"{parts.scheme}://{shown_host}{shown_port}{path}"


def find_journal(argument: str | None, environ: Mapping[str, str], home: Path) -> tuple[str, str]:
    """Return the journal's URL (SQLAlchemy's form) and where it came from; a plain path means SQLite."""
    if argument:
        return journal_url(argument), "the argument"
    if environ.get(JOURNAL_VARIABLE, "").strip():
        return journal_url(HiddenUrl(environ[JOURNAL_VARIABLE].strip())), JOURNAL_VARIABLE
    return journal_url(str(data_folder(environ, home) / "journal.sqlite")), "the user's data folder"


def journal_url(text: str) -> str:
    """Return a URL for a URL or a file path."""
    if text == ":memory:":
        return "sqlite://"
    if "://" in text:
        return HiddenUrl(text)
    try:
        return f"sqlite:///{Path(text).expanduser().absolute()}"
    except RuntimeError:
        raise SettingsError(
            "the journal's path begins with the home folder of an unknown user; nothing was opened; give another path"
        ) from None


def data_folder(environ: Mapping[str, str], home: Path, platform: str = sys.platform) -> Path:
    """Return the user's data folder for linq_nb, as the operating system places it."""
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "linq_nb"
    if platform == "darwin":
        return home / "Library" / "Application Support" / "linq_nb"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "linq_nb"
