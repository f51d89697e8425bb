"""Streams that say too little: how the floor is kept that a route's `slow_stream` sets.

What counts is about how many tokens came while somebody waited for them: the time in which the caller does
other things is not the provider's. A window has to be full before it is judged, and begins with the first
word. Routes without a floor have none of this around their streams.
"""

from __future__ import annotations

from collections import deque

from turnout.config.policies import SlowStream
from turnout.providers.chat import ChatChunk, ChatCompletion
from turnout.providers.dialect import WireRequest
from turnout.providers.errors import StreamInterruptedError
from turnout.providers.timekeeping import TimeUpError

from .estimating import BYTES_PER_TOKEN
from .pipeline import Call
from .replies import Connection, StreamReply
from .timeouts import Limits

SLOW = "slow_stream"
"""`code` of the error of a stream that said too little."""

_PLAIN = frozenset({"role", "content"})
_CLOCKS = 0.001  # seconds by which the event loop's time may differ from the clock's


class Pace:
    """How much a stream has said of late; time is what was spent waiting, in seconds."""

    __slots__ = ("_came", "_needed", "_recent", "_settings", "_waited")

    def __init__(self, settings: SlowStream) -> None:
        self._settings = settings
        self._needed = settings.tokens_per_second * settings.window * BYTES_PER_TOKEN
        self._waited = 0.0
        self._came: deque[tuple[float, int]] = deque()  # when, and how many bytes
        self._recent = 0  # the sum of these

    def said(self, size: int) -> None:
        """So many bytes have come."""
        if not size:
            return
        came = self._came
        came.append((self._waited, size))
        self._recent += size
        while self._recent - came[0][1] >= self._needed:  # the later ones are enough without it
            self._recent -= came.popleft()[1]

    def waited(self, seconds: float) -> None:
        """So much time was spent waiting."""
        self._waited += seconds

    @property
    def left(self) -> float:
        """How long may be waited for something more; 0 or less where it is too late already."""
        begun = self._came[0][0] if self._recent >= self._needed else 0.0
        return begun + self._settings.window - self._waited

    def error(self) -> StreamInterruptedError:
        """What to raise once a stream has said too little."""
        rate, window = self._settings.tokens_per_second, self._settings.window
        return StreamInterruptedError(
            f"fewer than {rate:g} tokens a second came over {window:g} s.", code=SLOW
        )


class PacedReply(StreamReply):
    """An answer in pieces that must not come too slowly; for plans that have a floor."""

    __slots__ = ("_pace",)

    def __init__(
        self, call: Call, request: ChatCompletion, wire: WireRequest, connection: Connection, limits: Limits
    ) -> None:
        super().__init__(call, request, wire, connection, limits)
        self._pace = Pace(call.plan.slow_stream or SlowStream())

    def _take(self, chunk: ChatChunk) -> None:
        super()._take(chunk)
        self._pace.said(size_of(chunk))

    async def _read(self) -> None:
        """Wait for the next bytes, as long as may be waited, and no longer than the floor allows."""
        pace, limits = self._pace, self._limits
        left = pace.left
        begun = limits.clock.monotonic()
        try:
            with limits.until_next(committed=self._committed, at_most=left):
                data = await self._body.read()
        except TimeUpError:
            slow = limits.clock.monotonic() - begun >= left - _CLOCKS
            raise pace.error() if slow else limits.nothing_came(committed=self._committed) from None
        pace.waited(limits.clock.monotonic() - begun)
        self._feed(data)


def size_of(chunk: ChatChunk) -> int:
    """About how many bytes of an answer are in a chunk: text, thoughts, calls, sound, sealed thinking."""
    size = 0
    for choice in chunk.choices:
        delta = choice.delta
        size += _size(delta.content)
        if delta.__pydantic_fields_set__ <= _PLAIN:
            continue
        size += _size(delta.reasoning) + _size(delta.refusal)
        for call in delta.tool_calls or ():
            if call.function is not None:
                size += _size(call.function.name) + _size(call.function.arguments)
            if call.custom is not None:
                size += _size(call.custom.name) + _size(call.custom.input)
        if delta.audio is not None:
            size += _size(delta.audio.data) + _size(delta.audio.transcript)
        if delta.reasoning_details and not delta.reasoning:
            size += len(str(delta.reasoning_details))
    return size


def _size(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
