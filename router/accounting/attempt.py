"""What came of one target tried once, and of all the attempts of a call together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from turnout.config.sections import Kind
from turnout.providers.chat import Cost, Usage
from turnout.providers.dialect import Adaptation
from turnout.providers.errors import ProviderError, UnsupportedError

from .buckets import total_usage
from .making import made
from .pricing import UNKNOWN, add_exactly

Outcome = Literal["ok", "failed", "cancelled", "rejected", "skipped"]
"""`ok`: answered. `failed`: sent, and no good answer came. `cancelled`: sent, then given up by the caller, by
a deadline or in favour of another. `skipped`: the target cannot express the request, or its window cannot
hold the prompt; nothing was sent.
`rejected`: turned away by a policy before it was tried; nothing was sent."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
SENT: frozenset[Outcome] = frozenset(("ok", "failed", "cancelled"))
"""Outcomes after which something went to the provider, so that it may have cost something."""


class AttemptError(BaseModel):
    """Why an attempt did not succeed; holds no key and no header."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Kind
    """The class of the error, as YAML and policies call it."""
    message: str
    status: int | None = None
    """HTTP status, if there was one."""
    code: str | None = None
    """The provider's own word for it."""
    request_id: str | None = None
    """What the provider's support will ask for."""

    @classmethod
    def of(cls, error: ProviderError | UnsupportedError) -> Self:
        """The facts of an exception, without the exception."""
        if isinstance(error, UnsupportedError):
            return cls(kind=error.kind, message=str(error))
        return cls(
            kind=error.kind,
            message=error.message,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
        )


class Attempt(BaseModel):
    """One target tried once: the line of the ledger."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    target: str
    """`provider/model`."""
    provider: str
    """The configured name."""
    model: str
    """The provider's own name of the model that was asked for."""
    outcome: Outcome
    error: AttemptError | None = None
    """None where the outcome is `ok`."""
    started_at: datetime
    """In UTC."""
    seconds: float = 0.0
    """From the start to the end of the answer, of a stream too."""
    first_token_seconds: float | None = None
    """From the start to the first text, reasoning or tool call; None where none came."""
    usage: Usage | None = None
    """Tokens as the provider counted them; None where it did not say."""
    cost: Cost = UNKNOWN
    adaptations: tuple[Adaptation, ...] = ()
    """What was changed so that the request or the answer fits."""
    route: str | None = None
    """The route that the call named; None where it named the target itself."""
    tags: Mapping[str, str] = Field(default_factory=dict)
    """The caller's own labels, for grouping."""
    call_id: str = ""
    """The same for all attempts of one call."""
    number: int = 1
    """Place within the call, from 1, over all its targets; the ledger counts a call at its number 1."""

    @classmethod
    def made(cls, facts: dict[str, Any]) -> Self:
        """An attempt of facts that need no checking, all of them given: the router's own."""
        return made(cls, facts)

    @property
    def sent(self) -> bool:
        """Whether something went to the provider, so that it may have cost something."""
        return self.outcome in SENT

    @property
    def cost_unknown(self) -> bool:
        """Whether it may have cost something that nobody told."""
        return self.sent and self.cost.amount is None


class Trace(BaseModel):
    """How one call was routed. Its totals are sums over all attempts, the failed and cancelled ones too."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    route: str | None = None
    """The route that the call named; None where it named the target itself."""
    call_id: str = ""
    attempts: tuple[Attempt, ...] = ()
    """In the order in which they began."""

    @classmethod
    def made(cls, facts: dict[str, Any]) -> Self:
        """A trace of facts that need no checking, all of them given: the router's own."""
        return made(cls, facts)

    @property
    def usage(self) -> Usage | None:
        """Tokens of all attempts that told theirs; None where none did."""
        known = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        return total_usage(known) if known else None

    @property
    def cost(self) -> Cost:
        """The sum of the known costs with their weakest basis; the amount is None where none is known.

        `unknown_cost_attempts` says how many attempts the sum leaves out.
        """
        known = [attempt.cost for attempt in self.attempts if attempt.cost.amount is not None]
        if not known:
            return UNKNOWN
        bases = {cost.basis for cost in known}
        paid = [cost for cost in known if cost.amount] or known  # what cost nothing need not be explained
        prices = {cost.price for cost in paid if cost.price is not None}
        return Cost(
            amount=add_exactly(cost.amount for cost in known if cost.amount is not None),
            basis="estimated" if "estimated" in bases else "priced" if "priced" in bases else "reported",
            price="; ".join(sorted(prices)) or None,
        )

    @property
    def unknown_cost_attempts(self) -> int:
        """Attempts that were sent and whose cost nobody told; `cost` leaves them out."""
        return sum(attempt.cost_unknown for attempt in self.attempts)

    @property
    def seconds(self) -> float:
        """From the start of the first attempt to the end of the last to end; pauses between them included."""
        if not self.attempts:
            return 0.0
        begin = min(attempt.started_at for attempt in self.attempts)
        return max(
            (attempt.started_at - begin).total_seconds() + attempt.seconds for attempt in self.attempts
        )
