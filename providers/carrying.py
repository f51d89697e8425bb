"""What every road to the network has in common: how its troubles are told, and how a body is taken in.

The words here are the operating system's and ours. What a server or a client library says is never quoted,
since it may repeat a header's value.
"""

from __future__ import annotations

import ssl
import zlib
from typing import Any

from turnout.config.errors import ConfigError

from .errors import AttemptTimeoutError, ConnectionFailedError, MalformedResponseError

NEVER_SENT = "connect_failed"
"""`code` of an error that came before anything could be sent."""
NEVER_CONNECTED = "connect_timeout"
"""`code` of a timeout that came before anything could be sent."""
TOO_LARGE = "too_large"
"""`code` of an error about an answer beyond the size limit."""

NOT_REACHED = "no connection to the server"
READ_BROKE = "the connection broke while the answer was read"
WRITE_BROKE = "the connection broke while the request was sent"
HUNG_UP = "the server hung up before its answer was complete"
PROXY_REFUSED = "the proxy refused the connection"
_ZLIB = ("gzip", "x-gzip", "deflate")
_REFUSAL = 400  # the lowest status of a refusal


def not_in_time(limit: float | None) -> AttemptTimeoutError:
    """No connection within so many seconds."""
    within = "" if limit is None else f" within {limit:g} s"
    return AttemptTimeoutError(f"{NOT_REACHED}{within}.", code=NEVER_CONNECTED)


def failed(
    what: str, cause: BaseException | None = None, *, code: str | None = None
) -> ConnectionFailedError:
    """The connection failed in this way, for this reason."""
    return ConnectionFailedError(f"{what}{reason(cause)}.", code=code)


def bad_url() -> ConfigError:
    """The URL is none that can be asked."""
    return ConfigError("the provider's base_url is not an http or https URL; correct it in the settings.")


def bad_header() -> ConfigError:
    """A header cannot be written; which one is not said, since its value may be a secret."""
    return ConfigError(
        "a header of the request cannot be sent; look for line breaks and characters beyond ASCII in the "
        "provider's api_key and headers."
    )


def reason(error: BaseException | None) -> str:
    """What the operating system or TLS said at the root of it; their words hold nothing of ours."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f" ({error.verify_message})"
        if isinstance(error, OSError) and error.strerror:
            return f" ({error.strerror})"
        error = error.__cause__ or error.__context__
    return ""


class Intake:
    """Takes the body of one answer in: undoes its content-encoding and counts its bytes.

    `coding` is the answer's content-encoding, `max_bytes` bounds the decoded body.
    MalformedResponseError at once for a coding that was not asked for. A refusal, whose status says most of
    what there is to say, is let begin whatever its coding or its length; only reading it fails.
    """

    __slots__ = ("_coding", "_max_bytes", "_status", "_taken", "_unpack")

    def __init__(self, status: int, coding: str, max_bytes: int | None) -> None:
        self._status = status
        self._max_bytes = max_bytes
        self._taken = 0
        self._unpack: Any = None
        self._coding = coding = coding.strip().lower()
        if coding in _ZLIB:
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip and zlib, whichever it is
        elif coding in ("", "identity"):
            self._coding = ""
        elif status < _REFUSAL:
            raise self._unreadable()

    def check_length(self, length: int) -> None:
        """Refuse a body that is announced to have so many bytes, if that is too large."""
        if self._status < _REFUSAL:
            self.check_size(length)

    def check_size(self, size: int) -> None:
        """Refuse a body of so many bytes, if that is too large."""
        if self._max_bytes is not None and size > self._max_bytes:
            raise MalformedResponseError(
                f"the answer is larger than {self._max_bytes} bytes; raise the provider's max_response_bytes "
                "if that is expected.",
                status=self._status,
                code=TOO_LARGE,
            )

    def take(self, raw: bytes) -> bytes:
        """What a piece holds; MalformedResponseError if it is broken, or too much with the others."""
        piece = self._unpacked(raw) if self._coding else raw
        self._taken += len(piece)
        self.check_size(self._taken)
        return piece

    def _unpacked(self, raw: bytes) -> bytes:
        """What a packed piece holds; never more of it than the limit allows, however well it was packed."""
        if self._unpack is None:
            raise self._unreadable()
        room = 0 if self._max_bytes is None else self._max_bytes - self._taken + 1
        try:
            piece: bytes = self._unpack.decompress(raw, room)
        except zlib.error:
            raise MalformedResponseError(
                "the answer's content-encoding is broken.", status=self._status
            ) from None
        return piece

    def _unreadable(self) -> MalformedResponseError:
        return MalformedResponseError(
            f"the answer has the content-encoding {self._coding[:40]!r}, which was not asked for.",
            status=self._status,
        )
