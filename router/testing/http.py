"""The server's side of one HTTP/1.1 connection, with a say over every write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

import anyio
import h11

from .answers import Answer
from .listening import Line
from .script import Reply

Ending = Literal["complete", "cut", "stall"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The writes of one answer's body, and how it ends."""

    writes: tuple[bytes, ...]
    ending: Ending
    length: int | None
    """What `content-length` says; None: the body comes in chunks."""


def delivery(answer: Answer, reply: Reply) -> Delivery:
    """Cut and drip an answer as its reply says."""
    events, ending = _within_limits(answer, reply)
    writes = [answer.preamble, *events] if answer.preamble else list(events)
    if reply.cut_at_byte is not None:
        writes, ending = _first_bytes(writes, reply.cut_at_byte), "cut"
    if reply.drip is not None:
        body, size = b"".join(writes), reply.drip
        writes = [body[at : at + size] for at in range(0, len(body), size)]
    length = None
    if not answer.stream:
        length = sum(map(len, writes if ending == "complete" else answer.parts))
    return Delivery(tuple(part for part in writes if part), ending, length)


def _within_limits(answer: Answer, reply: Reply) -> tuple[Sequence[bytes], Ending]:
    endings: tuple[tuple[int | None, Ending], ...] = (
        (reply.stall_after_events, "stall"),
        (reply.cut_after_events, "cut"),
        (reply.end_after_events, "complete"),
    )
    limits = [(limit, ending) for limit, ending in endings if limit is not None]
    if not limits:
        return answer.parts, "complete"
    limit, ending = min(limits, key=lambda entry: entry[0])
    return (answer.parts[:limit] if answer.stream else ()), ending


def _first_bytes(writes: Sequence[bytes], count: int) -> list[bytes]:
    kept: list[bytes] = []
    for part in writes:
        kept.append(part[:count])
        count -= len(kept[-1])
    return kept


class Connection:
    """Reads requests and writes answers; raises anyio's BrokenResourceError once the client is gone."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=256 * 1024)

    async def next_request(self) -> HttpRequest | None:
        """The next request; None when the client has left or speaks no HTTP."""
        try:
            head = await self._event()
            if not isinstance(head, h11.Request):
                return None
            body = bytearray()
            while isinstance(event := await self._event(), h11.Data):
                body += event.data
        except (h11.RemoteProtocolError, anyio.EndOfStream, anyio.BrokenResourceError):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        return HttpRequest(head.method.decode("ascii"), head.target.decode("latin-1"), headers, bytes(body))

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is the only other sentinel
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                await self._write(self._http.send(go_on))
            try:
                data = await self._line.receive()
            except anyio.EndOfStream:
                data = b""
            self._http.receive_data(data)

    async def head(self, status: int, headers: Mapping[str, str], length: int | None) -> None:
        """Write the status line and the headers."""
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if length is not None:
            lines.append((b"content-length", str(length).encode()))
        try:
            reason = HTTPStatus(status).phrase
        except ValueError:
            reason = "Unassigned"
        await self._write(
            self._http.send(h11.Response(status_code=status, headers=lines, reason=reason.encode()))
        )

    async def data(self, data: bytes) -> None:
        """Write a piece of the body."""
        await self._write(self._http.send(h11.Data(data=data)))

    async def last(self, data: bytes) -> None:
        """Write the last piece of the body, which may be empty, and its end in one."""
        piece = self._http.send(h11.Data(data=data)) or b"" if data else b""
        await self._write(piece + (self._http.send(h11.EndOfMessage()) or b""))

    def reuse(self) -> bool:
        """Make ready for the next request; False where the connection must close."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False

    async def client_gone(self) -> None:
        """Return once the client has closed its side; what it sends meanwhile is kept for later."""
        try:
            while True:
                self._http.receive_data(await self._line.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return

    def close(self) -> None:
        """Close the socket."""
        self._line.close()

    async def _write(self, data: bytes | None) -> None:
        if data:
            await self._line.send(data)
