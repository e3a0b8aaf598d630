"""A stub of Linq for benchmarks: one asyncio process that takes memos, waits, and answers 202.

Run as ``python tests/bench/stub.py PORT [--delay-ms 20] [--tls CERT KEY]``; it counts connections, memos and
TLS errors at ``GET /stub``. It checks nothing: the demo does that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import uuid
from email.utils import formatdate

CHAT = {"id": "", "handles": [], "is_active": True, "is_group": False, "service": "iMessage"}
MEDIA = {
    "id": "11111111-1111-4111-8111-111111111111",
    "filename": "memo.m4a",
    "mime_type": "audio/x-m4a",
    "size_bytes": 1000,
    "url": "https://cdn.linqapp.com/memo.m4a",
    "duration_ms": 1000,
}


class Stub:
    """Counts what arrives."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.connections = self.memos = self.tls_errors = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it closes."""
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = next((int(h[15:]) for h in head.lower().split(b"\r\n") if h[:15] == b"content-length:"), 0)
                await reader.readexactly(length)
                writer.write(await self.answer(method, path))
        except ssl.SSLError:
            self.tls_errors += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, method: str, path: str) -> bytes:
        if path == "/stub":
            counts = {"connections": self.connections, "memos": self.memos, "tls_errors": self.tls_errors}
            return _reply(200, counts)
        self.memos += 1
        message_id = str(uuid.UUID(int=self.memos, version=4))  # before the wait, during which other requests arrive
        await asyncio.sleep(self.delay_s)
        chat_id = path.rsplit("/", 2)[-2]
        memo = {
            "id": message_id,
            "chat": CHAT | {"id": chat_id},
            "created_at": "2026-03-02T09:00:00Z",
            "from": "+12025550100",
            "to": ["+12025550111"],
            "status": "queued",
            "service": None,
            "voice_memo": MEDIA,
        }
        return _reply(202, {"voice_memo": memo})


def _reply(status: int, body: object) -> bytes:
    data = json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\nX-Trace-ID: 0123456789abcdef0123456789abcdef\r\n\r\n"
    ).encode() + data


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay-ms", type=float, default=20)
    parser.add_argument("--tls", nargs=2)
    args = parser.parse_args()
    tls = None
    if args.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*args.tls)
    stub = Stub(args.delay_ms / 1000)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", args.port, ssl=tls, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
