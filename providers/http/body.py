"""The three ways in which the end of a body is told: a length, chunks, or the end of the connection.

A reader is fed what comes off the connection and gives back what of it is body. What is wrong with a body is
told only after the bytes before it were given back, in `trouble`. (RFC 9112 sections 6 and 7.)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

MOST_LINE = 4096
"""The longest line of a chunk's size with its extensions."""
MOST_TRAILERS = 64 * 1024
"""The most bytes of trailers that are skipped."""
_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})(?:;[\t -~\x80-\xff]*+|[ \t]*+)")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~\x80-\xff]*+")
_USUAL_SIZE = 16  # bytes of a size line whose meaning is remembered

_AT_SIZE = 0
_AFTER_CHUNK = -1
_IN_TRAILERS = -2


class Body(Protocol):
    """Reads one body."""

    ended: bool
    """Whether all of it was read."""
    surplus: bool
    """Whether more came than belongs to it."""
    trouble: str
    """What is wrong with what came next; empty while nothing is."""

    def feed(self, data: bytes) -> bytes:
        """What of the bytes belongs to the body, perhaps nothing."""
        ...

    def close(self) -> bool:
        """The connection has ended: whether the body may end here."""
        ...


class Sized:
    """A body whose length was told."""

    __slots__ = ("_left", "ended", "surplus", "trouble")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length
        self.surplus = False
        self.trouble = ""

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        left = self._left
        self._left = left - len(data)
        if self._left > 0:
            return data
        self.ended = True
        self.surplus = self._left < 0
        return data[:left] if self.surplus else data

    def close(self) -> bool:
        """See `Body.close`."""
        return False


class UntilClose:
    """A body that goes on until the server hangs up."""

    __slots__ = ("ended", "surplus", "trouble")

    def __init__(self) -> None:
        self.ended = False
        self.surplus = False
        self.trouble = ""

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        return data

    def close(self) -> bool:
        """See `Body.close`."""
        self.ended = True
        return True


class Chunked:
    """A body in chunks, with trailers that are checked and skipped."""

    __slots__ = ("_kept", "_left", "_trailers", "ended", "surplus", "trouble")

    def __init__(self) -> None:
        self._left = _AT_SIZE  # bytes of the chunk that are still to come, or what comes instead
        self._kept = b""  # the beginning of a line
        self._trailers = 0
        self.ended = False
        self.surplus = False
        self.trouble = ""

    def feed(self, data: bytes) -> bytes:
        """See `Body.feed`."""
        if self._kept:
            data, self._kept = self._kept + data, b""
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.ended and not self.trouble:
            left = self._left
            if left == _AT_SIZE:
                at = self._whole_chunks(data, at, pieces)
                if at < end:
                    at = self._size(data, at)
            elif left > 0:
                pieces.append(data[at : at + left])
                self._left = left - (end - at) if left > end - at else _AFTER_CHUNK
                at += left
            elif left == _AFTER_CHUNK:
                at = self._line_end(data, at)
            else:
                at = self._trailer(data, at)
        self.surplus = self.ended and at < end
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> bool:
        """See `Body.close`."""
        return False

    def _whole_chunks(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Read the chunks that are there whole, as nearly all are; where reading goes on."""
        while (stop := data.find(b"\r\n", at, at + _USUAL_SIZE)) > 0 and (size := _usual_size(data[at:stop])):
            after = stop + 2 + size
            if data[after : after + 2] != b"\r\n":
                break
            pieces.append(data[stop + 2 : after])
            at = after + 2
        return at

    def _size(self, data: bytes, at: int) -> int:
        """Read the line before a chunk; where reading goes on."""
        stop = data.find(b"\r\n", at, at + MOST_LINE)
        if stop < 0:
            return self._keep(data, at)
        line = data[at:stop]
        size = _size(line)
        if size is None:
            self.trouble = "a chunk's size is none"
        else:
            self._left = size or _IN_TRAILERS
        return stop + 2

    def _line_end(self, data: bytes, at: int) -> int:
        """Read the end of a chunk; where reading goes on."""
        found = data[at : at + 2]
        if found == b"\r\n":
            self._left = _AT_SIZE
        elif found == b"\r":
            return self._keep(data, at)
        else:
            self.trouble = "a chunk is longer than its size"
        return at + 2

    def _trailer(self, data: bytes, at: int) -> int:
        """Read one line of the trailers; where reading goes on."""
        stop = data.find(b"\r\n", at, at + MOST_LINE * 4)
        if stop < 0:
            return self._keep(data, at)
        if stop == at:
            self.ended = True
        elif _TRAILER.fullmatch(data, at, stop) is None:
            self.trouble = "its trailers have a line that is none"
        self._trailers += stop + 2 - at
        if self._trailers > MOST_TRAILERS:
            self.trouble = "its trailers are too long"
        return stop + 2

    def _keep(self, data: bytes, at: int) -> int:
        """Keep the beginning of a line until the rest of it comes."""
        self._kept = data[at:]
        if len(self._kept) >= (MOST_LINE if self._left == _AT_SIZE else MOST_LINE * 4):
            self.trouble = "it has a line that is too long"
        return len(data)


def _size(line: bytes) -> int | None:
    """The size that a chunk's line tells; None if it tells none."""
    match = _SIZE.fullmatch(line)
    return None if match is None else int(match[1], 16)


_usual_size = lru_cache(maxsize=4096)(_size)
