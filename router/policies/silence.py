"""The layer that knows how long a target is silent before it answers, for hedges that go by that.

Pools ask for more, and `measure`, which they have, tells it all; this is for chains.
"""

from __future__ import annotations

from ..clock import Clock
from ..pipeline import Call, Handler, Layer, Reply


def silence(clock: Clock) -> Layer:
    """Time how long the answers of each target take to begin, or those that come whole to be there."""

    def layer(inner: Handler) -> Handler:
        async def timed(call: Call) -> Reply:
            standing = call.target.standing
            if standing is None:
                return await inner(call)
            began = clock.monotonic()
            reply = await inner(call)
            if not call.streaming:
                if reply.end == "completed":
                    standing.latency.began(clock.monotonic() - began, whole=True)
            elif reply.first_token_at is not None:
                standing.latency.began(reply.first_token_at - began)
            return reply

        return timed

    return layer
