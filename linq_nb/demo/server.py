"""The demo on a loopback socket: threads, HTTP/1.1 with keep-alive, and answers late or never."""

import json
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import ProxyHandler, build_opener
from urllib.request import Request as UrlRequest
from uuid import uuid4

from .app import status_and_headers
from .facade import Demo
from .webhooks import Delivery, is_local
from .wire import Refusal, Reply, Request, refusal_reply

POLL_S = 0.1
POST_TIMEOUT_S = 10
POST_TRIES_S = (0.0, 0.5, 1.0, 2.0)


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the demo, and writes the answer: late, cut or not at all if the reply says so."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def log_message(self, *args: Any) -> None:
        """Keep quiet: the demo has its own log."""

    def _serve(self) -> None:
        self._write(self.server.demo.handle(self._request()))

    def _write(self, reply: Reply) -> None:
        status, headers = status_and_headers(reply)
        lines = [f"{self.protocol_version} {status}", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        data = head if self.command == "HEAD" else head + reply.body
        if reply.delay_s:
            self.server.stopping.wait(reply.delay_s)
        if reply.cut is None:
            self.wfile.write(data)
            return
        self.close_connection = True
        if reply.cut == "half":
            self.wfile.write(data[: len(data) - len(reply.body) // 2 - 1])
        elif reply.cut == "stall":
            self._stall()
        elif reply.cut in ("reset", "refused"):
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger(0))
            self.request.close()

    def __getattr__(self, name: str) -> Any:
        """Serve every method: the demo answers those that it does not know, too."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is not HTTP as Linq answers an error, and close."""
        self.close_connection = True
        reply = refusal_reply(Refusal(code, 1003, message or "This is not a request."), uuid4().hex)
        reply.headers |= {"X-Trace-ID": json.loads(reply.body)["trace_id"], "Connection": "close"}
        self._write(reply)

    def _request(self) -> Request:
        path, _, query = self.path.partition("?")
        if "transfer-encoding" in self.headers:
            self.close_connection = True
        return Request.read(self.command, unquote(path), query, dict(self.headers.items()), self.rfile.read)

    def _stall(self) -> None:
        """Say nothing until the client gives up or the server stops."""
        self.request.settimeout(POLL_S)
        while not self.server.stopping.is_set():
            try:
                if not self.request.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return


def linger(seconds: int, platform: str = sys.platform) -> bytes:
    """Give the option by which a close waits so long, and with 0 resets: two shorts on Windows, elsewhere two ints."""
    return struct.pack("hh" if platform == "win32" else "ii", 1, seconds)


class Server(ThreadingHTTPServer):
    """One demo on one loopback port; `close` ends it."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # there two servers would share a port
    request_queue_size = 256

    def __init__(self, demo: Demo, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; raises ValueError for a host that is not loopback: the control path knows no password."""
        if host != "localhost" and not ip_address(host).is_loopback:
            raise ValueError(f"{host} is not a loopback address: the demo serves this machine only")
        self.demo, self.stopping = demo, threading.Event()
        super().__init__((host, port), Handler)
        self.url = f"http://{host}:{self.server_address[1]}"
        demo.bind(self.url)
        self._workers = [
            threading.Thread(target=self.serve_forever, args=(POLL_S,), daemon=True),
            threading.Thread(target=self._post_due, daemon=True),
        ]

    def start(self) -> "Server":
        """Serve in threads of its own."""
        for thread in self._workers:
            thread.start()
        return self

    __enter__ = start

    def __exit__(self, *args: object) -> None:
        self.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the demo."""

    def close(self) -> None:
        """Stop serving and free the port."""
        self.stopping.set()
        if self._workers[0].is_alive():
            self.shutdown()
        self.server_close()
        for thread in self._workers:
            if thread.is_alive():
                thread.join(timeout=2)

    def _post_due(self) -> None:
        while not self.stopping.wait(POLL_S):
            for delivery in self.demo.to_post():
                if is_local(delivery.url):
                    threading.Thread(target=_post, args=(delivery, self.stopping), daemon=True).start()


def _post(delivery: Delivery, stopping: threading.Event) -> None:
    """Post one webhook, again on 5xx, 429, timeouts and refused connections (linq docs, webhook retries)."""
    opener = build_opener(ProxyHandler({}))
    for wait_s in POST_TRIES_S:
        if stopping.wait(wait_s):
            return
        request = UrlRequest(delivery.url, delivery.body, delivery.headers, method="POST")
        try:
            with opener.open(request, timeout=POST_TIMEOUT_S):
                return
        except HTTPError as error:
            error.close()
            if error.code != 429 and error.code < 500:
                return
        except OSError:
            pass


def serve(host: str = "127.0.0.1", port: int = 8765, *, seed: int = 1) -> None:
    """Serve a demo until interrupted, after printing the two settings to copy."""
    server = Server(Demo(seed=seed, real_time=True), host, port)
    try:
        server.start()
        sys.stdout.write(f"LINQ_API_V3_BASE_URL={server.demo.base_url}\n")
        sys.stdout.write(f"LINQ_API_V3_API_KEY={server.demo.api_key}\n")
        sys.stdout.flush()
        server.stopping.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
