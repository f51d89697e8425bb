"""The provider's stand-in: a server in a process of its own, on a core of its own, with every answer ready.

    POST /ok/v1/chat/completions      200, a whole answer
    POST /e429/v1/…  POST /e500/v1/…  an error
    POST /burst/v1/…                  a stream, every event a chunk of the body, all in one write
    POST /paced/v1/…                  a stream, every event a chunk and a write, one in a millisecond
    GET  /count                       how many requests came by now, as a number

It keeps connections open, reads no JSON and looks at nothing but the path and the length of a request.
`python -m benchmarks.upstream [CORE [CERTIFICATE KEY]]` prints its ports and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

from . import payloads

PACE = 0.001
"""Seconds between two events of a paced stream."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"x-request-id: req_4f0c2d6e8b1a\r\nopenai-processing-ms: 12\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _whole(line: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {line}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "x-request-id: req_4f0c2d6e8b1a\r\nopenai-processing-ms: 12\r\n"
        "x-ratelimit-remaining-requests: 9999\r\n\r\n"
    )
    return head.encode() + body


def _pieces() -> list[bytes]:
    """The writes of a paced stream."""
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in payloads.events()]
    return [_STREAM_HEAD, *chunks, b"0\r\n\r\n"]


class Answering(asyncio.Protocol):
    """One connection."""

    pieces: ClassVar[list[bytes]] = _pieces()
    ready: ClassVar[dict[bytes, bytes]] = {
        b"ok": _whole("200 OK", payloads.completion()),
        b"e429": _whole("429 Too Many Requests", payloads.refusal(429)),
        b"e500": _whole("500 Internal Server Error", payloads.refusal(500)),
        b"burst": b"".join(pieces),
    }
    taken: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: Any = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is here as a whole."""
        rest = self.rest + data if self.rest else data
        while rest:
            end = rest.find(b"\r\n\r\n") + 4
            if end < 4:
                break
            found = _LENGTH.search(rest, 0, end)
            end += int(found[1]) if found else 0
            if len(rest) < end:
                break
            self.answer(rest[rest.find(b"/") + 1 :].split(b"/", 1)[0])
            rest = rest[end:] if len(rest) > end else b""
        self.rest = rest

    def answer(self, wanted: bytes) -> None:
        """Write the answer that belongs to the first part of a path."""
        kind = type(self)
        whole = kind.ready.get(wanted)
        if whole is not None:
            Answering.taken += 1
            self.transport.write(whole)
        elif wanted == b"paced":
            Answering.taken += 1
            self.pace(iter(kind.pieces), asyncio.get_running_loop())
        elif wanted.startswith(b"count"):
            self.transport.write(_whole("200 OK", b"%d" % Answering.taken))
        else:
            self.transport.write(_whole("404 Not Found", b"{}"))

    def pace(self, pieces: Iterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """Write one piece, and the next one in a moment."""
        piece = next(pieces, None)
        if piece is not None and not self.transport.is_closing():
            self.transport.write(piece)
            loop.call_later(PACE, self.pace, pieces, loop)


async def _serve(certificate: tuple[str, str] | None) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    Thread(target=_wait_for_end, args=(loop, ended), daemon=True).start()
    ports = [await _listen(None)]
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        ports.append(await _listen(context))
    print(*ports, flush=True)
    await ended


async def _listen(context: ssl.SSLContext | None) -> int:
    server = await asyncio.get_running_loop().create_server(
        Answering, "127.0.0.1", 0, ssl=context, backlog=4096
    )
    port: int = server.sockets[0].getsockname()[1]
    return port


def _wait_for_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    """The server ends with its standard input, and so with the run that started it, however that ends."""
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(ended.set_result, None)


def many_files() -> None:
    """Allow this process as many open sockets as it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536) if most > 0 else 65536, most))


def pin(core: int | None) -> None:
    """Keep this process on one core, where the system knows how."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def running(core: int | None, certificate: tuple[Path, Path] | None = None) -> Iterator[dict[str, str]]:
    """The server for the time of a block; gives the addresses of its plain and its TLS port."""
    command = [sys.executable, "-m", "benchmarks.upstream", "" if core is None else str(core)]
    command += map(str, certificate or ())
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            if server.stdin is None or server.stdout is None:  # it was started with both
                raise RuntimeError("the upstream has no pipes")
            ports = server.stdout.readline().split()
            if not ports:
                raise RuntimeError("the upstream did not start; see its message above")
            roots = {"http": f"http://127.0.0.1:{int(ports[0])}"}
            if certificate:
                roots["https"] = f"https://127.0.0.1:{int(ports[1])}"
            yield roots
        finally:
            server.kill()


def main(core: str = "", *certificate: str) -> None:
    """Serve until standard input ends."""
    many_files()
    pin(int(core) if core else None)
    asyncio.run(_serve((certificate[0], certificate[1]) if certificate else None))


if __name__ == "__main__":
    main(*sys.argv[1:])
