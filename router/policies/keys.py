"""The layer that chooses one of the provider's keys for each attempt.

A key that is refused or at its rate limit is set aside and the next one used at once, each time with a line
in the ledger, for as long as there is a key in use, time, and an attempt that no target still to come would
need. What the layers further out see of it is the end: an answer, or the failure of the last key. Where no
key can be used in the failure place, nothing is sent and the target counts as turned away.
"""

from __future__ import annotations

from turnout.providers.errors import ProviderError

from ..health.keys import OF_THE_KEY, Key, KeyRing
from ..pipeline import Call, Handler, Layer, Reply
from ..rejecting import TargetRejectedError
from .account import Books


def keys(books: Books) -> Layer:
    """Use one of several keys for each attempt, by turns."""
    clock = books.clock

    def layer(inner: Handler) -> Handler:
        async def keyed(call: Call) -> Reply:
            planned = call.target
            ring = None if planned.standing is None else planned.standing.keys
            if ring is None:
                return await inner(call)
            targets = planned.with_each_key()
            failure: ProviderError | None = None
            used = 0
            while True:
                began = now = clock.monotonic()
                use = ring.take(began, but=used, forced=call.forced and not used)
                if use is None:
                    break
                call.target = targets[use.index]
                try:
                    reply = await inner(call)
                except ProviderError as error:
                    if error.kind not in OF_THE_KEY:
                        use.released()
                        raise
                    now = clock.monotonic()
                    use.refused(now, began, error.kind, error.retry_after)
                    used |= 1 << use.index
                    _tell(books, call, use.key, error, now)
                    if failure is None or error.kind == "rate_limit":
                        failure = error
                    if call.attempts_left <= call.later or now >= call.ends_at:
                        break
                except BaseException:
                    use.released()
                    raise
                else:
                    use.accepted(began)
                    return reply
                finally:
                    call.target = planned
            raise _turned_away(books, call, ring, now) if failure is None else _left_of(failure, ring, now)

        return keyed

    return layer


def _left_of(error: ProviderError, ring: KeyRing, now: float) -> ProviderError:
    """The failure of the last key, as that of the target: it may be tried again once any key may be."""
    if error.kind == "rate_limit":
        error.retry_after = ring.waits(now)
    return error


def _turned_away(books: Books, call: Call, ring: KeyRing, now: float) -> TargetRejectedError:
    key = ring.soonest(now)
    causes = ", ".join(f"key {one.place}: {one.why(now)}" for one in ring.keys)
    error = TargetRejectedError(
        f"none of the provider's keys can be used just now ({causes}); nothing was sent.",
        kind=key.why(now),
        retry_after=key.waits(now),
    )
    books.rejected(call, error)
    return error


def _tell(books: Books, call: Call, key: Key, error: ProviderError, now: float) -> None:
    books.events.emit(
        "key.refused",
        lambda: {
            "call_id": call.id,
            "target": call.target.name,
            "key": key.place,
            "kind": error.kind,
            "wait": key.waits(now),
        },
    )
