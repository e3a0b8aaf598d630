"""Secrets stay out of tracebacks with variables, reprs, logs and echoes, at any moment of a Ctrl-C."""

from __future__ import annotations

import base64
import json
import logging
import os
import pickle
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from core_samples import ATTACHMENT_ID, CHAT_ID, TOKEN, accepted_body
from IPython.core.interactiveshell import InteractiveShell
from raw_server import Answer, RawServer, answer, by_target, raw, silent
from shared import AUDIO, HANG_S
from slow_linq import press_ctrl_c

import linq_nb
from linq_nb import ApiError, NotSent, WebhookError, settings
from linq_nb.client import Client, Throttle
from linq_nb.client.echoes import Echoes
from linq_nb.client.logs import LOGGERS
from linq_nb.receiver import Receiver
from linq_nb.secret import HiddenBytes, HiddenMapping, HiddenText, HiddenUrl, Secret, StandIns

SIGNATURE, UPLOAD_HEADER, LOGIN = "s1gnatureOfTheUpl0ad", "he4derOfTheUpl0ad", "l0ginOfThePr0xy"
SECRETS = [
    TOKEN,
    quote(TOKEN, safe=""),
    SIGNATURE,
    UPLOAD_HEADER,
    LOGIN,
    base64.b64encode(f"me:{LOGIN}".encode()).decode(),
]
CHAT = {"id": CHAT_ID, "display_name": "Ada", "handles": [{"handle": "+12025555597", "is_me": False}]}


def interrupt(after: bytes = b"") -> Answer:
    """Send a part of an answer, press Ctrl-C in this process, and say no more."""

    def act(server: RawServer, link: socket.socket) -> None:
        link.sendall(after)
        os.kill(os.getpid(), signal.SIGINT)
        silent(server, link)

    return act


def announcement(origin: str) -> dict[str, Any]:
    headers = {"x-amz-security-token": UPLOAD_HEADER, "Content-Type": "audio/amr"}
    url = f"{origin}/put/a.amr?X-Amz-Signature={SIGNATURE}"
    return {"attachment_id": ATTACHMENT_ID, "upload_url": url, "required_headers": headers}


def half(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(data) + 10) + data


PHASES = ["chats", "attachments", "put", "voicememo", "half an announcement", "half an answer"]


def scripted(phase: str, origin: str) -> Answer:
    answers = {
        "attachments": answer(200, announcement(origin)), "put": answer(200),
        "voicememo": answer(202, accepted_body()), "chats": answer(200, CHAT),
    }  # fmt: skip
    if phase == "half an announcement":
        answers["attachments"] = interrupt(half(announcement(origin)))
    elif phase == "half an answer":
        answers["voicememo"] = interrupt(half(accepted_body() | {"upload_url": f"https://x/?sig={SIGNATURE}"}))
    else:
        answers[phase] = interrupt()
    return by_target(**answers)


@pytest.fixture
def verbose(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run a cell in IPython that shows the variables of each frame; returns all that it printed."""
    shell.run_line_magic("xmode", "Verbose")
    shell.run_line_magic("colors", "nocolor")

    def run(cell: str) -> str:
        capsys.readouterr()
        shell.run_cell(cell)
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def without_secrets(text: str) -> None:
    assert "KeyboardInterrupt" in text
    assert "site-packages/httpcore" not in text
    assert [secret for secret in SECRETS if secret in text] == []


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_shows_no_secret_at_any_moment_of_a_send(
    phase: str, server: RawServer, shell: InteractiveShell, verbose: Callable[[str], str], tmp_path: Path
) -> None:
    server.will(scripted(phase, server.origin))
    os.environ["LINQ_API_KEY"] = TOKEN  # removed by the fixture that cleans the environment
    try:
        shell.user_ns |= {"url": server.base_url, "place": str(tmp_path / "j.sqlite"), "file": AUDIO / "hello.amr"}
        printed = verbose(
            "import linq_nb\n"
            "outbox = linq_nb.connect(base_url=url, journal=place)\n"
            f"outbox.send(linq_nb.VoiceMemo.from_file(file), '{CHAT_ID}')"
        )
    finally:
        del os.environ["LINQ_API_KEY"]
    without_secrets(printed)
    shell.user_ns["outbox"].close()


STEPS = {
    "chats": "client.chat(CHAT_ID)",
    "attachments": "client.create_attachment('a.amr', 'audio/amr', 5)",
    "put": "client.upload(announced, b'12345')",
    "voicememo": "client.post_memo(CHAT_ID, voice_memo_url=link)",
    "half an announcement": "client.create_attachment('a.amr', 'audio/amr', 5)",
    "half an answer": "client.post_memo(CHAT_ID, attachment_id=CHAT_ID)",
}


@pytest.mark.parametrize("phase", PHASES)
def test_ctrl_c_shows_no_secret_behind_a_proxy(
    phase: str,
    server: RawServer,
    shell: InteractiveShell,
    verbose: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", server.origin.replace("//", f"//me:{LOGIN}@"))
    server.will(scripted(phase, "http://files.invalid"))
    client = Client("http://linq.internal/api/partner", Secret(TOKEN), timeout=HANG_S)
    announced = linq_nb.wire.attachment(announcement("http://files.invalid"))
    link = HiddenUrl(f"https://audio.example/a.m4a?X-Amz-Signature={SIGNATURE}")
    shell.user_ns |= {"client": client, "announced": announced, "CHAT_ID": CHAT_ID, "link": link}
    without_secrets(verbose(STEPS[phase]))
    (request,) = server.requests
    assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(f"me:{LOGIN}".encode()).decode()
    assert request.headers.get("authorization") == (None if phase == "put" else f"Bearer {TOKEN}")
    assert (SIGNATURE in request.target) == (phase == "put")
    assert request.headers.get("x-amz-security-token") == (UPLOAD_HEADER if phase == "put" else None)
    client.close()


def test_ctrl_c_shows_no_secret_while_a_proxy_opens_the_way(
    server: RawServer, shell: InteractiveShell, verbose: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.origin.replace("//", f"//me:{LOGIN}@"))
    server.will(interrupt())
    shell.user_ns["key"] = Secret(TOKEN)
    connect = "linq_nb.connect(base_url='https://linq.invalid/a', api_key=key, journal=':memory:')"
    without_secrets(verbose(f"import linq_nb\nwith {connect} as live:\n    live.lines()"))
    assert [(request.method, "authorization" in request.headers) for request in server.requests] == [("CONNECT", False)]


def test_ctrl_c_shows_no_secret_while_a_key_is_looked_for(
    verbose: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the Linq CLI is a pipe here, so that reading it waits."""

    def interrupt_the_reader() -> None:
        with open(folder / "config.json", "w"):  # when the pipe has a reader
            press_ctrl_c()
            is_over.wait(5)  # a signal right before the read blocks is handled only after it, when the pipe is closed

    monkeypatch.setenv("LINQ_WEBHOOK_SECRET", f"whsec_{SIGNATURE}")
    folder = Path.home() / ".linq"
    folder.mkdir()
    os.mkfifo(folder / "config.json")
    is_over, thread = threading.Event(), threading.Thread(target=interrupt_the_reader, daemon=True)
    thread.start()
    without_secrets(verbose("import linq_nb\nlinq_nb.connect()"))
    is_over.set()
    thread.join()


def test_ctrl_c_shows_no_password_while_a_database_is_silent(verbose: Callable[[str], str], shell: Any) -> None:
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(8)
                os.kill(os.getpid(), signal.SIGINT)
                while link.recv(1000):  # until the client goes away
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        shell.user_ns["url"] = HiddenUrl(f"postgresql://me:{SIGNATURE}@{at}/db?sslmode=disable&options={LOGIN}")
        without_secrets(verbose("import linq_nb\nlinq_nb.connect(api_key='none', journal=url)"))
        thread.join(HANG_S)


def test_ctrl_c_shows_no_query_of_a_download(
    server: RawServer, shell: InteractiveShell, verbose: Callable[[str], str]
) -> None:
    server.will(interrupt(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nRIFF"))
    memo = linq_nb.VoiceMemo.from_url(f"{server.origin}/a.wav?X-Amz-Signature={SIGNATURE}")
    shell.user_ns["memo"] = memo
    without_secrets(verbose("outbox._session.media_transport = None\noutbox.fetch(memo, allow_private=True)"))


# --- reprs ---


def shown(value: Any, seen: set[int] | None = None) -> list[str]:
    """Every repr that can be reached from a value by its variables."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, Secret | type) or callable(value):
        return []
    seen.add(id(value))
    parts: list[Any] = list(value) if isinstance(value, list | tuple | set | frozenset) else []
    parts += [*value.keys(), *value.values()] if isinstance(value, dict) else []
    if type(value).__module__.split(".")[0] in ("linq_nb", "httpx", "httpcore", "h11"):
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        parts += [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots)]
    return [repr(value), *(text for part in parts for text in shown(part, seen))]


def test_no_object_of_a_connection_shows_the_key(server: RawServer, live: Callable[..., Any], memo: Any) -> None:
    server.will(scripted("none", server.origin))
    outbox = live()
    outbox.send(memo, CHAT_ID)
    texts = shown(outbox) + shown(settings.load(api_key=TOKEN))
    assert len(texts) > 100
    assert [text for text in texts if any(secret in text for secret in SECRETS)] == []
    for value in (Secret(TOKEN), settings.load(api_key=TOKEN), StandIns()):
        try:
            data = pickle.dumps(value)
        except TypeError:
            continue
        assert TOKEN.encode() not in data


def frames_of(error: BaseException) -> list[str]:
    """The variables of each frame of ours that an error went through."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "linq_nb/" in frame.f_code.co_filename]
    return [repr(frame.f_locals) for frame in frames if "tests" not in frame.f_code.co_filename]


@pytest.mark.parametrize("secret", [str, Secret, lambda text: [text, text], lambda text: (Secret(text), text)])
@pytest.mark.parametrize("scheme", ["standard", "legacy"])
def test_a_webhook_s_secret_is_in_no_frame_and_no_receiver(secret: Any, scheme: Any, outbox: Any) -> None:
    text = "whsec_" + base64.b64encode(SIGNATURE.encode()).decode()
    headers = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,a", "x-webhook-timestamp": "1"}
    headers |= {"webhook-timestamp": str(int(outbox.demo.now().timestamp())), "x-webhook-signature": "00"}
    headers["x-webhook-timestamp"] = headers["webhook-timestamp"]
    with pytest.raises(WebhookError, match="does not fit") as caught:
        outbox.ingest(b"{}", headers, secret(text), scheme=scheme)
    assert len(frames_of(caught.value)) >= 4
    assert [locals_ for locals_ in frames_of(caught.value) if text in locals_] == []
    receiver = Receiver(outbox._session.journal, secret(text), port=0, scheme=scheme)
    assert text not in repr(vars(receiver))
    receiver.close()


def test_hidden_values_are_used_like_others_and_not_shown() -> None:
    assert HiddenText("abc") == "abc"
    assert HiddenBytes(b"abc")[1:] == b"bc"
    assert dict(HiddenMapping({"a": "b"})) == {"a": "b"}
    for hidden in (HiddenText(TOKEN), HiddenBytes(TOKEN.encode()), HiddenMapping({"a": TOKEN}), Secret(TOKEN)):
        assert TOKEN not in repr(hidden) + repr([hidden]) + repr({"a": hidden})
    urls = [
        f"https://h/p?sig={TOKEN}",
        f"https://a:{TOKEN}@h/p#x",
        f"postgresql+psycopg://u:{TOKEN}@h/d?password={TOKEN}",
    ]
    for url in urls:
        assert TOKEN not in repr(HiddenUrl(url))
        assert HiddenUrl(url) == url
    assert repr(HiddenUrl("https://h/p")) == "'https://h/p'"


def test_a_stand_in_is_only_filled_for_its_own_request() -> None:
    ours, others = StandIns(), StandIns()
    name = ours.add(Secret(TOKEN))
    assert bytes(ours.fill(b"GET /%b HTTP/1.1" % name)) == b"GET /%b HTTP/1.1" % TOKEN.encode()
    assert bytes(others.fill(name)) == name
    evil = ours.add(Secret("a\r\nX-Evil: 1"))
    with pytest.raises(ValueError, match="no header"):
        ours.fill(evil)


# --- logs ---


def test_the_logs_of_httpx_and_httpcore_hide_signed_urls(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        Client(server.base_url, Secret(TOKEN)).close()
    assert all(len(logging.getLogger(name).filters) == 1 for name in LOGGERS)
    caplog.set_level(logging.DEBUG)
    location = f"https://files.example/a?X-Amz-Signature={SIGNATURE}"
    server.will(answer(302, location=location, set_cookie=f"a={LOGIN}"))
    with httpx.Client() as client:
        client.put(
            f"{server.origin}/a.m4a?X-Amz-Signature={SIGNATURE}&id=1", headers={"Authorization": f"Bearer {TOKEN}"}
        )
    logging.getLogger("httpx").warning("to %s with %s", location, {"Authorization": f"Bearer {TOKEN}"})
    logging.getLogger("ours").warning(location)
    texts = [record.getMessage() for record in caplog.records if record.name != "ours"]
    assert len(texts) > 5
    assert any(f"{server.origin}/a.m4a?•••" in text for text in texts)
    assert [text for text in texts if any(secret in text for secret in SECRETS)] == []
    assert caplog.records[-1].getMessage() == location


# --- echoes ---

KEY = "tok/live+Ab=9_xyz-12345"
ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "slashes escaped": lambda key: key.replace("/", "\\/"),
    "escaped for JSON": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "escaped in part": lambda key: key[:5] + f"\\u{ord(key[5]):04X}" + key[6:],
    "escaped twice": lambda key: "".join(f"\\\\u{ord(char):04x}" for char in key),
    "in a URL": lambda key: quote(key, safe=""),
    "in a URL of a URL": lambda key: quote(quote(key, safe=""), safe=""),
    "in HTML": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "in HTML, hexadecimal": lambda key: "".join(f"&#x{ord(char):X};" for char in key),
    "as Basic": lambda key: base64.b64encode(f":{key}".encode()).decode(),
    "as Basic with a user": lambda key: base64.b64encode(f"ab:{key}:c".encode()).decode(),
    "in base64 for URLs": lambda key: base64.urlsafe_b64encode(f"a{key}".encode()).decode(),
}


@pytest.mark.parametrize("body", ['{{"a": "the key {} is bad"}}', "<p>{}</p>", '{{"b": ["x", {{"{}": 1}}]', "{}"])
@pytest.mark.parametrize("form", ESCAPES)
def test_an_echo_of_the_key_is_hidden_in_every_spelling(form: str, body: str) -> None:
    escaped = ESCAPES[form](KEY)
    text = Echoes(Secret(KEY)).hide(body.format(escaped))
    assert "[token]" in text
    assert escaped[4:-4] not in text
    if body.startswith('{{"a"'):
        assert KEY not in json.loads(text)["a"]


def test_text_without_the_key_stays_as_it_is() -> None:
    echoes = Echoes(Secret(KEY))
    for text in ('{"a": "\\/x\\u00e9 %20 &amp;"}', "plain", "", '{"deep": ' + "[" * 900 + "]" * 900 + "}"):
        assert echoes.hide(text) == text or "[too deep]" in echoes.hide(text)


@pytest.mark.parametrize("form", ESCAPES)
def test_no_error_and_no_journal_has_an_echoed_key(
    form: str, server: RawServer, live: Callable[..., Any], tmp_path: Path
) -> None:
    words = f"the token {ESCAPES[form](TOKEN)} is not valid"
    body = f'{{"error": {{"status": 401, "code": 2004, "message": "{words}"}}}}'
    server.will(raw(b"HTTP/1.1 401 No\r\nX-Trace-Id: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body.encode())))
    outbox = live()
    with pytest.raises(ApiError) as caught:
        outbox.send(linq_nb.VoiceMemo.from_url("https://audio.example/a.m4a"), CHAT_ID)
    text = f"{caught.value}{caught.value!r}{caught.value.response}{vars(caught.value)}"
    text += b"".join(file.read_bytes() for file in tmp_path.glob("live.sqlite*")).decode("latin-1")
    assert TOKEN not in text
    assert ESCAPES[form](TOKEN)[4:-4] not in text


# --- hosts of uploads ---

PRIVATE = [
    "https://127.0.0.1/put", "https://10.0.0.5/put", "https://169.254.169.254/latest", "https://[::1]/put",
    "https://[fe80::1%25eth0]/put", "https://[64:ff9b::7f00:1]/put", "https://2130706433/put", "https://0x7f.1/put",
    "https://localhost/put", "https://localhost./put", "https://files.internal/put", "https://files.example@10.0.0.5/put",
    "http://files.example/put", "ftp://files.example/put", "//files.example/put", "https://0177.0.0.1/put",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_an_upload_does_not_go_to_a_private_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def linq(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "api.linqapp.com"
        return httpx.Response(200, json={"attachment_id": ATTACHMENT_ID, "upload_url": url})

    client = Client("https://api.linqapp.com/api/partner", Secret(TOKEN), transport=httpx.MockTransport(linq))
    with pytest.raises(ApiError, match=r"no https address on the public internet.*nothing was sent"):
        client.create_attachment("a.amr", "audio/amr", 5)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_upload_does_not_go_to_a_public_name_with_a_private_address(
    address: str, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is checked on the connection, so a second look-up cannot lead elsewhere."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)
    port = listener.getsockname()[1]
    addresses = [(family, socket.SOCK_STREAM, 6, "", (address, port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    client = Client("https://api.linqapp.com/a", Secret(TOKEN), timeout=HANG_S, throttle=Throttle(lambda _: None))
    announced = linq_nb.wire.attachment({"id": "a", "upload_url": f"https://files.example:{port}/put"})
    with pytest.raises(NotSent, match=r"not on the public internet.*nothing was sent"):
        client.upload(announced, b"12345")
    listener.settimeout(HANG_S)
    link, _ = listener.accept()
    assert link.recv(1) == b""
    client.close()
    listener.close()
    link.close()


def test_an_upload_may_go_to_this_machine_where_linq_is_on_it_too(server: RawServer, client: Client) -> None:
    server.will(by_target(attachments=answer(200, announcement(server.origin)), put=answer(200)))
    client.upload(client.create_attachment("a.amr", "audio/amr", 5), b"12345")
    assert [request.method for request in server.requests] == ["POST", "PUT"]
