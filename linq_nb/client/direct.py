"""One HTTP/1.1 connection that is used again and again: a request is one write, an answer mostly one read.

It knows what an answer of Linq may be and no more: a length, chunks, or all until the connection closes. What it does
not know is a fault, never a guess, and after anything but a whole answer the connection is not used again.
Faults are httpx's own: ConnectError and ConnectTimeout before anything left, others after.
"""

from __future__ import annotations

import contextlib
import math
import re
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import httpx

MAX_HEAD_BYTES = 65_536
READ_BYTES = 16_384
KEEP_ALIVE_S = 3.0
"""An idle connection is not used again after this: servers close theirs from 5 s on, and a memo that meets the
closing is one whose outcome nobody knows."""

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5]\d\d)(?: .*)?")
_DIGITS = re.compile(r"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")

Look = Callable[[float], object]
Head = tuple[int, Mapping[str, str], bool]
"""The status, the headers by lower-case name, and whether the connection stays open."""


def opened(url: httpx.URL, tls: ssl.SSLContext | None, timeout: float) -> Connection:
    """Open a connection to the host of a URL, within so many seconds an address."""
    host = url.raw_host.decode("ascii")
    try:
        link = socket.create_connection((host, url.port or (80 if tls is None else 443)), timeout)
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Connection(link if tls is None else tls.wrap_socket(link, server_hostname=host))
        except BaseException:
            link.close()
            raise
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a host that no certificate can name
        raise httpx.ConnectError(str(error)) from error


class Connection:
    """A connection to one host; not for several threads at once, but may be closed by any."""

    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)  # else each read and write would look first whether it has to wait, and twice by TLS
        self._link, self._read, self._stays = link, b"", True
        self._is_idle, self._idle_since = True, time.monotonic()
        self._look = _looker(link, to_write=False)
        self._unpacked = link.pending if isinstance(link, ssl.SSLSocket) else int

    def close(self) -> None:
        """Close it; nothing is said to the server."""
        self._is_idle = False
        with contextlib.suppress(OSError):
            self._link.close()

    def is_usable(self) -> bool:
        """Whether a request may go out here: all was read, and the server has neither closed nor spoken since."""
        if not self._is_idle or time.monotonic() - self._idle_since > KEEP_ALIVE_S:
            return False
        try:
            return not self._look(0)
        except (OSError, ValueError):  # closed by another thread
            return False

    def ask(self, request: memoryview, wrote: Callable[[], None], deadline: float) -> tuple[int, Mapping[str, str]]:
        """Write a request and read the head of its answer, until ``deadline`` by the monotonic clock.

        ``wrote`` is called when the request's last byte was handed over: before that nobody can have acted on it.
        """
        self._is_idle = False
        try:
            self._write(request, deadline)
            wrote()
            status, headers, self._stays = self._head(deadline)
        except BaseException:
            self.close()
            raise
        return status, headers

    def settle(self) -> None:
        """Close it unless the answer was read to its end."""
        if not self._is_idle:
            self.close()

    def body(self, status: int, headers: Mapping[str, str], deadline: float) -> Iterable[bytes]:
        """Give the bytes of the answer whose head was read, as they come."""
        if status in (204, 304):
            return self._to_end(self._exactly(0, deadline))
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise httpx.RemoteProtocolError("the answer comes in a way that was not asked for")
            return self._to_end(self._chunks(deadline))
        if "content-length" not in headers:
            self._stays = False
            return self._to_end(self._all(deadline))
        length = _length(headers["content-length"])
        if length != len(self._read):
            return self._to_end(self._exactly(length, deadline))
        whole, self._read = self._read, b""  # as it mostly is: there at once
        self._ended()
        return (whole,)

    def _to_end(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        yield from parts
        self._ended()

    def _ended(self) -> None:
        self._is_idle, self._idle_since = self._stays and not self._read, time.monotonic()

    # --- what is written ---

    def _write(self, request: memoryview, deadline: float) -> None:
        try:
            _left(deadline)
            while request:
                try:
                    request = request[self._link.send(request) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._await(deadline, to_write=True)
                except ssl.SSLWantReadError:
                    self._await(deadline)
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error
        except (OSError, ValueError) as error:
            raise httpx.WriteError(str(error)) from error

    # --- what is read ---

    def _more(self, deadline: float) -> bytes:
        """Return what comes next, empty when the server has closed."""
        try:
            while True:
                if not self._unpacked():
                    self._await(deadline)
                try:
                    return self._link.recv(READ_BYTES)
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue  # what came is not whole yet, or for TLS alone
                except ssl.SSLWantWriteError:
                    self._await(deadline, to_write=True)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except (OSError, ValueError) as error:
            raise httpx.ReadError(str(error)) from error

    def _await(self, deadline: float, *, to_write: bool = False) -> None:
        """Wait until there is something to read or room to write; raises TimeoutError at the deadline."""
        look = _looker(self._link, to_write=True) if to_write else self._look
        while not look(_left(deadline)):
            pass

    def _need(self, deadline: float) -> None:
        """Add to what was read and is not taken yet."""
        more = self._more(deadline)
        if not more:
            raise httpx.RemoteProtocolError("the connection was closed before the answer ended")
        self._read += more

    def _until(self, end: bytes, most: int, deadline: float) -> bytes:
        """Take what comes before ``end``, and ``end``."""
        while (at := self._read.find(end)) < 0:
            if len(self._read) > most:
                raise httpx.RemoteProtocolError("the answer has a line without end")
            self._need(deadline)
        taken, self._read = self._read[:at], self._read[at + len(end) :]
        return taken

    def _head(self, deadline: float) -> Head:
        self._read = self._more(deadline)
        if not self._read:
            raise httpx.RemoteProtocolError("the connection was closed without an answer")
        while True:
            head = _parsed(self._until(b"\r\n\r\n", MAX_HEAD_BYTES, deadline))
            if head[0] >= 200:
                return head
            if head[0] == 101:
                raise httpx.RemoteProtocolError("the answer is in another protocol")

    def _exactly(self, size: int, deadline: float) -> Iterator[bytes]:
        while True:
            part, self._read = self._read[:size], self._read[size:]
            size -= len(part)
            if part:
                yield part
            if not size:
                return
            self._need(deadline)

    def _chunks(self, deadline: float) -> Iterator[bytes]:
        while size := _size(self._until(b"\r\n", MAX_HEAD_BYTES, deadline)):
            yield from self._exactly(size, deadline)
            if self._until(b"\r\n", 2, deadline):
                raise httpx.RemoteProtocolError("the answer has a chunk of another length than it says")
        while self._until(b"\r\n", MAX_HEAD_BYTES, deadline):
            pass  # what trails is of no use to us

    def _all(self, deadline: float) -> Iterator[bytes]:
        part, self._read = self._read, b""
        while part:
            yield part
            part = self._more(deadline)


def _left(deadline: float) -> float:
    """Return the seconds until a deadline; raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer did not end in time")
    return left


def _looker(link: socket.socket, *, to_write: bool) -> Look:
    """Return what waits so many seconds, and says whether there is something to read, the end too, or room to write.

    It looks below TLS.
    """
    if not hasattr(select, "poll"):
        asked = ([], [link]) if to_write else ([link], [])
        return lambda seconds: any(select.select(*asked, [], seconds))
    poll = select.poll()
    poll.register(link, select.POLLOUT if to_write else select.POLLIN)
    return lambda seconds: poll.poll(math.ceil(seconds * 1e3))


def _parsed(head: bytes) -> Head:
    """Read the head of an answer; header values of one name are joined."""
    first, *lines = head.decode("latin-1").split("\r\n")
    told = _STATUS.fullmatch(first)
    if told is None:
        raise httpx.RemoteProtocolError("the answer is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            raise httpx.RemoteProtocolError("the answer has a header that is none")
        name, value = found[1].lower(), found[2].strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    stays = told[1] == "1" and "close" not in headers.get("connection", "").lower()
    return int(told[2]), headers, stays


def _length(told: str) -> int:
    """Read a Content-Length; the same one told several times is one."""
    length, *others = told.split(",")
    if not _DIGITS.fullmatch(length) or any(one.strip() != length for one in others):
        raise httpx.RemoteProtocolError("the answer does not say how long it is")
    return int(length)


def _size(line: bytes) -> int:
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise httpx.RemoteProtocolError("the answer has a chunk that does not say how long it is")
    return int(found[1], 16)
