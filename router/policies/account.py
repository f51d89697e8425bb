"""The layer right around the wire: one line in the ledger for each attempt, however it ends.

It stands innermost, so that tries which a policy above throws away are counted and paid for too. Writing a
line never waits, so no cancellation can come between an attempt and its line.

What an attempt cost that has no usage: nothing where it never reached the provider or was refused with a 4xx
status (a content filter aside, which may bill the prompt); an estimate, marked as such, where a stream broke
off after it had begun, or where the attempt was called off while the provider was at work (then of the prompt
alone); otherwise unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

from turnout.providers.chat import Cost, Usage
from turnout.providers.dialect import Adaptation
from turnout.providers.errors import ProviderError, UnsupportedError
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT

from ..accounting import Attempt, AttemptError, Ledger, Outcome, cost_of, free
from ..clock import Clock
from ..estimating import learn_from, prompt_tokens, usage_of
from ..events import Events
from ..fitting import was_skipped
from ..health.calibration import LONG
from ..pipeline import Call, End, Handler, Layer, Reply
from ..rejecting import TargetRejectedError
from ..tokens import NO_TOKEN

_UNSENT = free("nothing was sent")
_REFUSED = free("refused with a 4xx status")
_OUTCOMES: Mapping[End, Outcome] = MappingProxyType(
    {"completed": "ok", "failed": "failed", "cancelled": "cancelled"}
)
_MAY_BILL = ("content_policy", "timeout")  # refusals that come after the prompt was read


class Books:
    """Where attempts are written down: the ledger, the call's journal, and events."""

    __slots__ = ("clock", "events", "ledger")

    def __init__(self, ledger: Ledger, clock: Clock, events: Events) -> None:
        self.ledger = ledger
        self.clock = clock
        self.events = events

    def rejected(self, call: Call, error: TargetRejectedError) -> None:
        """Write down an attempt that a policy turned away, before the policy raises the error."""
        error.provider, error.model = call.target.target.provider, call.target.target.model
        _Line(call, self).failed(error)


def account(books: Books) -> Layer:
    """Write every attempt into the books."""

    def layer(inner: Handler) -> Handler:
        async def accounted(call: Call) -> Reply:
            call.line = line = _Line(call, books)
            try:
                return await inner(call)
            except (ProviderError, UnsupportedError) as error:
                line.failed(error)
                raise
            except BaseException:
                line.given_up()
                raise
            finally:
                call.line = None  # the reply has it; a call and its line that hold each other live too long

        return accounted

    return layer


class _Line:
    """One attempt, written down exactly once: by `settle` once it has begun, else by one of the others."""

    __slots__ = ("_books", "_call", "_clock", "_number", "_started", "_started_at", "_written", "sent")

    def __init__(self, call: Call, books: Books) -> None:
        journal = call.journal
        journal.begun = self._number = journal.begun + 1
        self._call = call
        self._books = books
        self._clock = clock = books.clock
        self._started = clock.monotonic()
        self._started_at = clock.now()
        self._written = False
        self.sent = False
        """Whether the attempt has reached the network."""

    def settle(self, reply: Reply) -> None:
        """Write down an answer that had begun."""
        outcome = _OUTCOMES[reply.end or "cancelled"]
        usage = reply.usage
        if usage is not None and usage.prompt_tokens >= LONG and outcome == "ok":
            learn_from(self._call.request, usage, self._call.target.calibration)
        first = reply.first_token_at
        complete = outcome == "ok" or (reply.error is not None and reply.error.response is not None)
        reply.attempt = self._write(
            outcome,
            reply.error,
            self._cost(reply, complete=complete),
            reply.usage,
            None if first is None else first - self._started,
            reply.adaptations,
        )

    def failed(self, error: ProviderError | UnsupportedError) -> None:
        """Write down an attempt whose answer never began."""
        self._call.journal.errors.append(error)
        if isinstance(error, TargetRejectedError):
            self._write("rejected", error, _UNSENT)
            return
        if isinstance(error, UnsupportedError) or was_skipped(error):
            self._write("skipped", error, _UNSENT)
            return
        error.attempt = self._number
        if self._written:
            return  # an answer that came whole and was judged to be none: `settle` wrote it down
        self._write("failed", error, self._cost_of_failure(error), error.usage)

    def given_up(self) -> None:
        """Write down an attempt that was left before its answer began, or that broke as nobody foresaw."""
        if not self._written:
            self._write("cancelled", None, self._cost_of_prompt() if self.sent else _UNSENT)

    @property
    def _local(self) -> bool:
        return self._call.target.target.preset.local

    def _cost(self, reply: Reply, *, complete: bool) -> Cost:
        usage = reply.usage
        if usage is None and not complete:
            guess = usage_of(self._call.request, reply.response)
            return cost_of(guess, self._call.target.tariff, local=self._local, estimated=True)
        return self._priced(usage)

    def _cost_of_prompt(self) -> Cost:
        guess = Usage(prompt_tokens=prompt_tokens(self._call.request), completion_tokens=0)
        return cost_of(guess, self._call.target.tariff, local=self._local, estimated=True)

    def _cost_of_failure(self, error: ProviderError) -> Cost:
        if error.usage is None and error.code in (NEVER_SENT, NEVER_CONNECTED, NO_TOKEN):
            return _UNSENT
        refused = error.status is not None and 400 <= error.status < 500
        if error.usage is None and refused and error.kind not in _MAY_BILL:
            return _REFUSED
        return self._priced(error.usage)

    def _priced(self, usage: Usage | None) -> Cost:
        return cost_of(usage, self._call.target.tariff, reported=_reported(usage), local=self._local)

    def _write(
        self,
        outcome: Outcome,
        error: ProviderError | UnsupportedError | None,
        cost: Cost,
        usage: Usage | None = None,
        first_token_seconds: float | None = None,
        adaptations: tuple[Adaptation, ...] = (),
    ) -> Attempt:
        call = self._call
        target = call.target
        self._written = True
        attempt = Attempt.made(
            {
                "target": target.name,
                "provider": target.target.provider,
                "model": target.target.model,
                "outcome": outcome,
                "error": None if error is None else AttemptError.of(error),
                "started_at": self._started_at,
                "seconds": self._clock.monotonic() - self._started,
                "first_token_seconds": first_token_seconds,
                "usage": usage,
                "cost": cost,
                "adaptations": adaptations,
                "route": call.route,
                "tags": call.tags,
                "call_id": call.id,
                "number": self._number,
            }
        )
        call.journal.attempts.append(attempt)
        self._books.ledger.record(attempt)
        if error is not None or call.told:
            _tell(self._books.events, attempt, error)
        return attempt


def _reported(usage: Usage | None) -> Decimal | None:
    """The provider's own figure, which the dialect leaves among the usage's unknown fields."""
    kept = None if usage is None else usage.__pydantic_extra__
    said = kept.get("reported_cost") if kept else None
    if said is None:
        return None
    try:
        return Decimal(str(said))
    except InvalidOperation:
        return None


def _tell(events: Events, attempt: Attempt, error: ProviderError | UnsupportedError | None) -> None:
    if isinstance(error, UnsupportedError):
        events.emit("target.skipped", lambda: {**attempt.__dict__, "field": error.field})
    elif isinstance(error, TargetRejectedError):
        events.emit(
            "target.rejected",
            lambda: {**attempt.__dict__, "kind": error.kind, "wait": error.retry_after},
        )
    elif attempt.outcome == "skipped":
        events.emit("target.skipped", lambda: {**attempt.__dict__, "field": "messages"})
    elif error is not None:
        events.emit(
            "attempt.failed",
            lambda: {
                **attempt.__dict__,
                "kind": error.kind,
                "status": error.status,
                "request_id": error.request_id,
            },
        )
    else:
        events.emit("attempt.finished", lambda: dict(attempt.__dict__))
