"""Which certificates are trusted: those of certifi, or those that the environment names for a company's network.

``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` mean what they mean to OpenSSL; without them ``REQUESTS_CA_BUNDLE`` counts, which
companies set for Python. A setting that cannot be used, and a certificate that is not trusted, is a ``SetupFault``.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
from pathlib import Path
from typing import NamedTuple

import httpx

from linq_nb.text import one_line

_IS_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+").fullmatch
_NOT_NOW = {9: "it is not valid yet", 10: "it has expired"}
_OTHER_HOST = {62, 63, 64}
"""What OpenSSL calls X509_V_ERR_HOSTNAME_MISMATCH, _EMAIL_MISMATCH and _IP_ADDRESS_MISMATCH."""


class SetupFault(httpx.ConnectError):
    """A setting of this machine prevents the connection; ``todo`` says what to change."""

    def __init__(self, problem: str, todo: str) -> None:
        super().__init__(problem)
        self.todo = todo


class Source(NamedTuple):
    """A variable of the environment that names certificates, and its value."""

    variable: str
    path: str


def sources() -> tuple[Source, ...]:
    """Return the certificates that the environment names; none where certifi's are used."""
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
    named = tuple(Source(name, os.environ[name]) for name in names if os.environ.get(name))
    return tuple(source for source in named if source.variable != "REQUESTS_CA_BUNDLE") or named


def tls() -> ssl.SSLContext:
    """Return the TLS context of this process. Raises SetupFault when the certificates named cannot be read."""
    return _context(sources())


@functools.lru_cache(maxsize=8)
def _context(named: tuple[Source, ...]) -> ssl.SSLContext:
    """Make a context once: reading certificates takes longer than a request."""
    if named:
        # not ssl.create_default_context, whose strict mode on Python 3.13 refuses the CAs of many companies
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        for source in named:
            _load(context, source)
    else:
        context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, source: Source) -> None:
    path = Path(source.path)
    if source.variable == "SSL_CERT_DIR" or (source.variable == "REQUESTS_CA_BUNDLE" and path.is_dir()):
        _load_folders(context, source)
        return
    try:
        if path.is_dir():
            raise _unusable(source, "it is a folder")
        context.load_verify_locations(cafile=source.path)
    except FileNotFoundError:
        raise _unusable(source, "there is no such file") from None
    except ssl.SSLError:
        raise _unusable(source, _why_unreadable(path)) from None
    except OSError as error:
        raise _unusable(source, f"it cannot be read ({error.strerror or type(error).__name__})") from None


def _load_folders(context: ssl.SSLContext, source: Source) -> None:
    """Load the certificates of one or several folders, which OpenSSL finds by hashed names such as 5ed36f99.0."""
    folders = [folder for folder in source.path.split(os.pathsep) if os.path.isdir(folder)]
    if not folders:
        raise _unusable(source, "there is no such folder")
    if not any(_IS_HASHED_NAME(name) for folder in folders for name in os.listdir(folder)):
        raise _unusable(
            source,
            "it has no certificate under a hashed name such as 5ed36f99.0",
            f"run `openssl rehash` on that folder, or unset {source.variable}",
        )
    for folder in folders:
        context.load_verify_locations(capath=folder)


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(1)
    if not start:
        return "it is empty"
    if start == b"0":  # a sequence of ASN.1, as Windows exports a certificate
        return "it is in DER form, not PEM; `openssl x509 -inform der -in FILE -out ca.pem` converts it"
    return "it holds no certificate in PEM form that can be read"


def _unusable(source: Source, why: str, todo: str = "") -> SetupFault:
    todo = todo or f"set {source.variable} to a PEM file with your company's certificates, or unset it"
    return SetupFault(f"{source.variable} names {one_line(source.path, 200)!r}, which cannot be used: {why}", todo)


def certificate_fault(error: BaseException, host: str) -> SetupFault | None:
    """Return the fault behind an error, when it is that the certificate of ``host`` was refused; else None."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    if cause.verify_code in _NOT_NOW:
        return SetupFault(
            f"the certificate of {host} is refused: {_NOT_NOW[cause.verify_code]} by this machine's clock",
            "correct this machine's clock if it is wrong; else a proxy or firewall answers in place of that host",
        )
    if cause.verify_code in _OTHER_HOST:
        return SetupFault(
            f"the certificate that came for {host} is for another host",
            "a proxy, a firewall or the network's sign-in page answers in its place: sign in, or set HTTPS_PROXY",
        )
    named = " and ".join(source.variable for source in sources())
    return SetupFault(
        f"the certificate of {host} is not trusted ({cause.verify_message})",
        f"the certificates that {named} names do not include its issuer: add your company's CA there, or unset {named}"
        if named
        else "set SSL_CERT_FILE to a PEM file with your company's CA; a firewall or proxy may have put its own "
        "certificate in place",
    )
