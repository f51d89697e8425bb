"""How it is told that an answer is no HTTP."""

from __future__ import annotations

from ..errors import MalformedResponseError
from .head import NotHTTPError


def not_http(what: NotHTTPError | str, status: int | None = None) -> MalformedResponseError:
    """The answer is refused for this; the words are ours, none are the server's."""
    return MalformedResponseError(f"the answer is not proper HTTP/1.1: {what}.", status=status)
