"""Amazon's signature of a request, version 4."""

from __future__ import annotations

from datetime import datetime

from .dialect import Target, WireRequest


def signed(wire: WireRequest, target: Target, now: datetime) -> WireRequest:
    """The request with its signature among the headers; `now` is the time of sending."""
    return wire
