"""The names of a URL: which URLs stand for the same audio, and which may.

Parameters that sign a URL change each time it is signed, and parameters that choose the audio must not be left out. So
a signature is left out of the name only as the whole set of parameters of a known signer. Two URLs that differ only in
other parameters that may sign have two names and one base: they may be the same memo, and nobody can say.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from linq_nb.model.sources import is_uuid
from linq_nb.text import PORTS, plain_url

NAME, OLD_NAME = "uri:", "url:"
"""How the names of URLs begin: those of this version, and those of older versions (``old_name``)."""

_ENCODED = re.compile("%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_PATH = "/:@!$&'()*+,;="
_IN_QUERY = _IN_PATH + "?"


class UrlNames(NamedTuple):
    """``name`` is the URL without signatures, ``base`` the URL without all that may sign it.

    ``old_name`` is its name in journals of older versions; ``old_place`` is how that name begins, where its rest has
    parameters that may sign. ``may_sign`` are the names of the parameters that are in ``name`` only.
    """

    name: str
    base: str
    old_name: str
    old_place: str | None
    may_sign: tuple[str, ...]


@functools.lru_cache(maxsize=1000)  # each send asks for them several times
def url_names(url: str) -> UrlNames:
    """Return the names of a URL; what is left of its query is kept as a hash."""
    parts = urlsplit(url)
    place = f"{parts.scheme.lower()}://{_host(parts)}{_without_dots(_in_one_spelling(parts.path, _IN_PATH))}"
    query = [_in_one_spelling(part, _IN_QUERY) for part in parts.query.split("&") if part]
    query = _unsigned(sorted(query, key=_name_of))  # a stable sort: values of one name keep their order
    plain = [part for part in query if not _may_sign(part)]
    may_sign = tuple(dict.fromkeys(_name_of(part) for part in query if part not in plain))
    old_name = OLD_NAME + _old_name(url)
    return UrlNames(
        name=NAME + _with_hash(place, query),
        base=_with_hash(place, plain),
        old_name=old_name,
        old_place=None if all(map(_OLD_SIGNATURE, may_sign)) else old_name.partition("#")[0],
        may_sign=tuple(name for name in may_sign if not _RANDOM.search(name)),
    )


def _with_hash(place: str, query: Sequence[str]) -> str:
    return f"{place}#{hashlib.sha256('&'.join(query).encode()).hexdigest()[:32]}" if query else place


def _name_of(part: str) -> str:
    """Return the name of a parameter."""
    return unquote(part.partition("=")[0])


# --- one spelling (RFC 3986, section 6) -----------------------------------------------------------------------


def _host(parts: SplitResult) -> str:
    """Return host and port: lower case, punycode, without a trailing dot and the scheme's own port."""
    host = unquote(parts.hostname or "").lower().removesuffix(".")
    if ":" in host:
        try:
            host = f"[{ipaddress.ip_address(host)}]"
        except ValueError:
            host = f"[{host}]"
    elif not host.isascii():
        import idna  # takes a while to load, and few hosts need it

        try:
            host = idna.encode(host, uts46=True).decode("ascii").removesuffix(".")
        except idna.IDNAError:
            host = quote(host)
    return f"{host}:{parts.port}" if parts.port not in (None, PORTS.get(parts.scheme.lower())) else host


def _in_one_spelling(text: str, allowed: str) -> str:
    """Write percent-encoding in one way: not for what needs none, else in capitals."""

    def one_spelling(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%25"
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return quote(_ENCODED.sub(one_spelling, text), safe=allowed + "%", errors="surrogatepass")


def _without_dots(path: str) -> str:
    """Resolve ``.`` and ``..`` in a path; an empty path is ``/``."""
    segments: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            segments[-1:] = []
        elif segment != ".":
            segments.append(segment)
    if path.endswith(("/.", "/..")):
        segments.append("")
    return "/" + "/".join(segments)


# --- signatures -----------------------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AZURE = "st spr sip si ses sdd saoid suoid scid skoid sktid skt ske sks skv skdutid sduoid"
_SIGNERS = [
    (_words(members), _words(optional))
    for members, optional in (
        (  # S3, v4
            "x-amz-algorithm x-amz-credential x-amz-date x-amz-expires x-amz-signedheaders x-amz-signature",
            "x-amz-security-token x-amz-content-sha256 x-amz-s3session-token x-amz-region-set x-id",
        ),
        ("awsaccesskeyid expires signature", "x-amz-security-token"),  # S3, v2
        (  # Google Cloud Storage, v4
            "x-goog-algorithm x-goog-credential x-goog-date x-goog-expires x-goog-signedheaders x-goog-signature",
            "x-goog-content-sha256",
        ),
        ("googleaccessid expires signature", ""),  # Google Cloud Storage, v2
        ("expires signature key-pair-id", "hash-algorithm"),  # CloudFront
        ("policy signature key-pair-id", "hash-algorithm"),
        ("sv sr sp se sig", _AZURE),  # Azure: of a service, by its own key or a user's
        ("sv sr si sig", f"{_AZURE} sp se"),  # the same by a stored policy
        ("sv ss srt sp se sig", _AZURE),  # of an account
        ("ossaccesskeyid expires signature", "security-token"),  # Alibaba OSS, v1
        (  # v2
            "x-oss-signature-version x-oss-access-key-id x-oss-expires x-oss-signature",
            "x-oss-additional-headers x-oss-security-token",
        ),
        (  # v4
            "x-oss-signature-version x-oss-credential x-oss-date x-oss-expires x-oss-signature",
            "x-oss-additional-headers x-oss-security-token",
        ),
        (  # Tencent COS
            "q-sign-algorithm q-ak q-sign-time q-key-time q-header-list q-url-param-list q-signature",
            "x-cos-security-token",
        ),
    )
]
"""The parameters of the documented signatures in URLs, in lower case: those always there, and those that may be there.
Parameters that change the answer, such as ``response-content-disposition``, ``versionId`` and ``x-oss-process``, are no
part of them."""

_VALUES = {"sp": re.compile("[racwdxyltmeopifu]+"), "sr": re.compile("[bcdfsq]|bs|bv")}
"""What the shortest of these names may hold in a signature (Azure's permissions and kinds of resource)."""

_OF_SIGNERS = frozenset().union(*(members | optional for members, optional in _SIGNERS))


def _unsigned(query: Sequence[str]) -> list[str]:
    """Leave out the signature of a known signer, if it is there as a whole and each parameter once."""
    names = [_name_of(part).lower() for part in query]
    values = dict(zip(names, (part.partition("=")[2] for part in query), strict=True))
    for members, optional in _SIGNERS:
        own = (members | optional) & set(names)
        is_whole = members <= own and all(names.count(name) == 1 for name in members)
        if is_whole and all(_VALUES[name].fullmatch(values[name]) for name in own & set(_VALUES)):
            return [part for part, name in zip(query, names, strict=True) if name not in own]
    return list(query)


_SIGNING = re.compile(
    r"token|secret|signature|credential|hmac|jwt|passw|expir|authori[sz]|hdn[et]|session|sessid"
    r"|(?:access|api|auth)_?key|^q-|^x-[a-z]+-(?:algorithm|date|signedheaders)$"
)
"""Parts of names of parameters that may sign, in lower case."""

_SIGNING_WORDS = _words(
    "sig sign signed auth key exp policy verify verification hash md5 sha1 sha256 digest checksum mac acl nonce "
    "ticket ts timestamp ttl otp pwd sid cred valid until"
)
_NAMING_WORDS = _words(
    "id ids uuid guid name file filename path url src source object track episode media audio clip recording memo "
    "version versionid generation snapshot response v"
)
"""Words of names whose value names a file or a version, however random it looks."""

_WORD = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+")
_RANDOM = re.compile(r"(?=[A-Za-z0-9+/]*[0-9])(?=[A-Za-z0-9+/]*[A-Za-z])[A-Za-z0-9+/]{16,}")
_CLOCK = re.compile(r"1\d{9}(?:\d{3})?|[56][0-9a-fA-F]{7}").fullmatch
"""A time in seconds or milliseconds since 1970, or in seconds as hex."""


def _may_sign(part: str) -> bool:
    """Whether a parameter may be (a part of) a signature: by its name, or by a value that looks random."""
    name, _, value = (unquote(text) for text in part.partition("="))
    if name.lower() in _OF_SIGNERS or _SIGNING.search(name.lower()):
        return True
    words = {word.lower() for word in _WORD.findall(name)}
    if words & _SIGNING_WORDS:
        return True
    if words & _NAMING_WORDS:
        return False
    is_random = _RANDOM.search(value or name) is not None and not is_uuid(value)
    is_time = len(name) == 1 or "time" in name.lower()
    return is_random or (is_time and _CLOCK(value) is not None)


# --- names of older versions -----------------------------------------------------------------------------------

_OLD_SIGNATURE = re.compile(
    r"(?i)(x-amz-.*|x-goog-.*|x-oss-.*|q-.*|awsaccesskeyid|googleaccessid|ossaccesskeyid|key-pair-id|policy"
    r"|signature|sig|s[vpretsk]|sr|st|spr|ske|skoid|sktid|skt|sks|skv|expires|exp|hmac|hdnts|token|auth)"
).fullmatch


def _old_name(url: str) -> str:
    """Return the name in journals older than schema 3; it stays as it is, so that their sends are recognised."""
    query = [(k, v) for k, v in parse_qsl(urlsplit(url).query, keep_blank_values=True) if not _OLD_SIGNATURE(k)]
    if not query:
        return plain_url(url)
    return f"{plain_url(url)}#{hashlib.sha256(repr(query).encode()).hexdigest()[:16]}"


def is_old_name(content: str) -> bool:
    """Whether a send's content is a URL by the old rule, which leaves parameters out that may choose the audio."""
    return content.startswith(OLD_NAME)


def names_of_parameters(names: Iterable[str]) -> str:
    """Return names of parameters as a text to show; the last of many are left out."""
    shown = list(names)
    return ", ".join(shown[:4]) + (" ..." if len(shown) > 4 else "")
