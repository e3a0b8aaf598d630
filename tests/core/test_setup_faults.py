"""Certificates of a company's CA and proxies between this machine and Linq, as real servers on 127.0.0.1."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_samples import CHAT_ID
from raw_server import RawServer, answer, close, raw, reset
from shared import connecting

import linq_nb
from linq_nb import Outbox, VoiceMemo
from linq_nb.errors import NotSent, SettingsError
from linq_nb.magics import doctor
from linq_nb.outbox import session_of

TOKEN = "sk-setup-faults-1234567890"
LOGIN = "hunter2secret"
LINES = {"phone_numbers": [{"id": "1", "phone_number": "+12025550100"}]}


class Company:
    """A company's CA in the usual files, and a certificate of it for 127.0.0.1 and linq.invalid."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca, self.server = folder, folder / "ca.pem", folder / "server.pem"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        self._openssl("req", "-x509", *curve, "-subj", "/CN=Company CA", "-keyout", "ca.key", "-out", "ca.pem")
        names = "subjectAltName=IP:127.0.0.1,DNS:linq.invalid"
        self._openssl("req", *curve, "-subj", "/CN=linq", "-addext", names, "-keyout", "server.key", "-out", "s.csr")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy", "-days", "2"]
        self._openssl("x509", "-req", "-in", "s.csr", *signing, "-out", "s.pem")
        self.server.write_bytes((folder / "s.pem").read_bytes() + (folder / "server.key").read_bytes())
        self._openssl("x509", "-in", "ca.pem", "-outform", "der", "-out", "ca.cer")
        self.hashed = folder / "hashed"
        self.hashed.mkdir()
        name = self._openssl("x509", "-in", "ca.pem", "-noout", "-subject_hash").decode().strip()
        (self.hashed / f"{name}.0").write_bytes(self.ca.read_bytes())

    def _openssl(self, *arguments: str) -> bytes:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)
        return done.stdout


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make certificates")
    return Company(tmp_path_factory.mktemp("company"))


@pytest.fixture
def linq(company: Company) -> Iterator[RawServer]:
    """A Linq behind TLS whose certificate the company's CA signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(company.server)
    server = RawServer(tls=context).will(answer(200, LINES))
    yield server
    server.close()


@pytest.fixture
def proxy() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Callable[[str], Outbox]]:
    journal = str(tmp_path / "journal.sqlite")
    with connecting(api_key=TOKEN, journal=journal, sleep=lambda _: None) as connect:
        yield lambda base_url: connect(base_url=base_url)


@pytest.fixture(autouse=True)
def no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def refused(outbox: Outbox, memo: VoiceMemo) -> str:
    """Return the text of the error of a read, after a send and a batch met the same one and sent nothing."""
    with pytest.raises(SettingsError) as of_read:
        outbox.lines()
    text = str(of_read.value)
    assert "; nothing was sent; " in text
    assert TOKEN not in text
    assert LOGIN not in text
    assert "\n" not in text
    with pytest.raises(SettingsError) as of_send:
        outbox.send(memo, CHAT_ID)
    assert str(of_send.value) == text
    [send] = outbox.sends()
    assert (send.status, send.error_message) == ("not_sent", text)
    return text


# --- certificates ---

GOOD = [("SSL_CERT_FILE", "ca.pem"), ("SSL_CERT_DIR", "hashed"), ("REQUESTS_CA_BUNDLE", "ca.pem")]


@pytest.mark.parametrize(("variable", "name"), [*GOOD, ("REQUESTS_CA_BUNDLE", "hashed"), ("SSL_CERT_FILE", "s.pem")])
def test_a_companys_ca_is_trusted_where_the_environment_names_it(
    company: Company, linq: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    monkeypatch.setenv(variable, str(company.folder / name))
    assert len(connected(linq.base_url).lines()) == 1


def test_without_the_ca_the_error_names_the_variable_and_the_next_try_reads_it_anew(
    company: Company, linq: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo
) -> None:
    outbox = connected(linq.base_url)
    text = refused(outbox, memo)
    assert "the certificate of 127.0.0.1 is not trusted" in text
    assert "set SSL_CERT_FILE to a PEM file with your company's CA" in text
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    assert len(outbox.lines()) == 1
    assert not linq.memos


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "there is no such file"),
        (b"", "it is empty"),
        (b"\n# the CA of the company\n", "it holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "it holds no certificate"),
        ("ca.cer", "it is in DER form, not PEM"),
        ("ca.key", "it holds no certificate"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_named_with_its_variable(
    company: Company,
    linq: RawServer,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    memo: VoiceMemo,
    tmp_path: Path,
    variable: str,
    content: bytes | str | None,
    why: str,
) -> None:
    file = company.folder / content if isinstance(content, str) else tmp_path / "our-ca.pem"
    if isinstance(content, bytes):
        file.write_bytes(content)
    monkeypatch.setenv(variable, str(file))
    text = refused(connected(linq.base_url), memo)
    assert text.startswith(f"{variable} names ")
    assert file.name in text
    assert why in text
    assert "or unset it" in text
    assert not linq.requests


@pytest.mark.parametrize(
    ("variable", "name", "why"),
    [
        ("SSL_CERT_FILE", "hashed", "it is a folder"),
        ("SSL_CERT_DIR", "nowhere", "there is no such folder"),
        ("SSL_CERT_DIR", ".", "openssl rehash"),
    ],
)
def test_a_folder_of_certificates_that_cannot_be_used_is_named(
    company: Company,
    linq: RawServer,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    memo: VoiceMemo,
    variable: str,
    name: str,
    why: str,
) -> None:
    monkeypatch.setenv(variable, str(company.folder / name))
    text = refused(connected(linq.base_url), memo)
    assert text.startswith(f"{variable} names ")
    assert why in text


def test_an_unrelated_ca_and_a_certificate_of_another_host_give_different_errors(
    company: Company, linq: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(Company(other).ca))
    assert "SSL_CERT_FILE names do not include its issuer" in refused(connected(linq.base_url), memo)
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    with pytest.raises(SettingsError, match="for localhost is for another host; nothing was sent; a proxy"):
        connected(linq.base_url.replace("127.0.0.1", "localhost")).lines()


def test_a_batch_has_the_certificate_error_in_each_row_and_stops(
    linq: RawServer, connected: Any, memo: VoiceMemo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    outbox = connected(linq.base_url)
    plan = outbox.plan([linq_nb.Draft(memo=memo, chat=CHAT_ID)])
    assert [row.verdict for row in plan.rows] == ["refused"]
    assert "SSL_CERT_FILE" in plan.rows[0].why


# --- proxies ---

LINQ = "https://linq.invalid/api/partner"


def tunnel(to: RawServer) -> Any:
    """Open the way to a server, as a proxy does it."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def act(server: RawServer, link: socket.socket) -> None:
        goal = socket.create_connection(("127.0.0.1", to.port))
        link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=pump, args=(goal, link), daemon=True)
        back.start()
        pump(link, goal)
        raise ConnectionError

    return act


def test_a_proxy_leads_to_linq_and_a_certificate_error_behind_it_is_recognised(
    company: Company, linq: RawServer, proxy: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.will(tunnel(linq))
    monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
    outbox = connected(LINQ)
    with pytest.raises(SettingsError, match=r"certificate of linq\.invalid is not trusted"):
        outbox.lines()
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    assert len(outbox.lines()) == 1


REFUSALS: dict[str, tuple[Any, str]] = {
    "a login": (answer(407), "wants a login (HTTP 407)"),
    "not allowed": (
        answer(403),
        "does not connect to linq.invalid (HTTP 403); nothing was sent; ask the proxy's administrator to allow",
    ),
    "closed": (close, "does not answer as a proxy does"),
    "reset": (reset, "does not answer as a proxy does"),
    "another protocol": (raw(b"SSH-2.0-x\r\n", then="close"), "does not answer as a proxy does"),
}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_proxy_that_refuses_is_named_with_its_variable(
    proxy: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo, kind: str, variable: str
) -> None:
    act, why = REFUSALS[kind]
    proxy.will(act)
    monkeypatch.setenv(variable, proxy.origin)
    text = refused(connected(LINQ), memo)
    assert text.startswith(f"the proxy {proxy.origin} that {variable} names {why}")
    assert {request.method for request in proxy.requests} == {"CONNECT"}
    assert TOKEN not in str(proxy.requests)


def test_a_login_that_the_proxy_refuses_is_not_shown(
    proxy: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo
) -> None:
    proxy.will(answer(407))
    monkeypatch.setenv("https_proxy", proxy.origin.replace("//", f"//me:{LOGIN}@"))
    assert f"{proxy.origin} that https_proxy names refuses the login in it" in refused(connected(LINQ), memo)


def test_a_proxy_where_nobody_listens_is_named_and_the_next_try_reads_the_variable_anew(
    company: Company,
    linq: RawServer,
    proxy: RawServer,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
    memo: VoiceMemo,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    outbox = connected(LINQ)
    assert f"http://127.0.0.1:{port} that HTTPS_PROXY names cannot be reached" in refused(outbox, memo)
    proxy.will(tunnel(linq))
    monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
    assert len(outbox.lines()) == 1


def test_a_proxy_that_cannot_reach_linq_just_now_is_no_wrong_setup(
    proxy: RawServer, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.will(answer(502))
    monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
    with pytest.raises(NotSent, match=r"HTTPS_PROXY names does not connect to linq\.invalid"):
        connected(LINQ).lines()


@pytest.mark.parametrize(
    "url", ["http://", "gopher://127.0.0.1:1", "http://[::1", "://x", "http://x:port", "a b c", "-"]
)
def test_an_invalid_proxy_url_is_named_by_its_variable(
    connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    text = refused(connected(LINQ), memo)
    assert "HTTPS_PROXY" in text
    assert "unset it" in text


@pytest.mark.parametrize("kind", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_says_what_to_install(
    connected: Any, monkeypatch: pytest.MonkeyPatch, memo: VoiceMemo, kind: str
) -> None:
    """The package is not in the environment of the tests."""
    monkeypatch.setenv("ALL_PROXY", f"{kind}://127.0.0.1:1080")
    text = refused(connected(LINQ), memo)
    assert "ALL_PROXY names a SOCKS proxy, and the package for it is not installed" in text
    assert "pip install socksio" in text


def test_the_error_for_an_unknown_host_says_so(connected: Any) -> None:
    with pytest.raises(NotSent, match=r"the name linq\.invalid was not found"):
        connected(LINQ).lines()


# --- the doctor ---


def examined(outbox: Outbox) -> str:
    return doctor.examine(lambda: session_of(outbox)).text


def test_the_doctor_checks_proxy_dns_certificate_and_clock(
    company: Company,
    linq: RawServer,
    proxy: RawServer,
    connected: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outbox = connected(linq.base_url)
    text = examined(outbox)
    assert "not ready: the certificate of 127.0.0.1 is not trusted" in text
    assert "set SSL_CERT_FILE to a PEM file" in text
    monkeypatch.setenv("SSL_CERT_FILE", str(company.folder / "gone.pem"))
    assert "not ready: SSL_CERT_FILE names " in examined(outbox)
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    text = examined(outbox)
    assert "issued by Company CA, trusted by SSL_CERT_FILE" in text
    assert "not needed: 127.0.0.1 is an address" in text
    assert "proxy none" in " ".join(text.split())
    outbox = connected(LINQ)
    assert "not ready: the name linq.invalid was not found" in examined(outbox)
    proxy.will(answer(407))
    monkeypatch.setenv("https_proxy", proxy.origin.replace("//", f"//me:{LOGIN}@"))
    text = examined(outbox)
    assert f"{proxy.origin}, with a login, by https_proxy" in text
    assert "SettingsError: the proxy" in text
    assert LOGIN not in text
