"""What a user may say of single attempts and of bad days: limits of time, retries, breakers, allowances."""

from typing import Literal

from pydantic import Field, model_validator

from .durations import Count, Duration, Factor, Flag, Money
from .scalars import Substituted
from .sections import RETRY_ON, Kind, Section

BREAK_ON: tuple[Kind, ...] = (
    "overloaded", "server", "connection", "timeout", "malformed", "interrupted", "empty",
)  # fmt: skip
"""Kinds of error that say something of the target, and not of the request."""


class Timeouts(Section):
    """Limits of one attempt, in seconds; None means no limit of its own."""

    connect: Duration = 5.0
    """Until the connection stands."""
    first_token: Duration = 60.0
    """From sending until the first text, reasoning or tool call; comments and role chunks do not count."""
    idle: Duration = 30.0
    """Between two pieces of a stream."""
    attempt: Duration | None = None
    """The whole attempt, stream included."""


class Retry(Section):
    """How often one target is tried, for which kinds, and how long to wait between."""

    attempts: Count = Field(default=2, ge=1, le=20)
    """Tries of one target, the first included."""
    on: tuple[Kind, ...] = RETRY_ON
    """Kinds of error that another try of the same target may cure."""
    base: Duration = 0.25
    """First backoff ceiling, in seconds; full jitter draws below it."""
    rate_limit_base: Duration = 1.0
    """The same after a rate limit, in seconds."""
    factor: Factor = Field(default=2.0, ge=1, allow_inf_nan=False)
    """What the ceiling is multiplied with after each try."""
    cap: Duration = 8.0
    """The ceiling never exceeds this, in seconds."""
    max_server_wait: Duration = 20.0
    """A longer wait asked for by the server moves on to the next target."""


class Switch(Section):
    """A part that is used only where it is named: `true` stands for all its defaults, `false` for without."""

    enabled: Flag = True
    """Whether it is used; false where an outer part of the settings has it and this one goes without."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        given = value.resolved() if isinstance(value, Substituted) else value
        if isinstance(given, bool):
            return {"enabled": given}
        if isinstance(given, (str, int, float, list, tuple)):
            raise ValueError("write true, false, or a mapping of what is to differ from the defaults")  # noqa: TRY004 - pydantic wants ValueError
        return value


class Breaker(Switch):
    """When a target is left alone for a while, since it keeps failing. One for each target."""

    failures: Count = Field(default=5, ge=1)
    """So many failures in a row open it."""
    ratio: Factor = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    """This share of failures among the latest attempts opens it as well…"""
    calls: Count = Field(default=10, ge=1)
    """…once there are so many of them…"""
    window: Duration = Field(default=30.0, gt=0)
    """…within so many seconds."""
    pause: Duration = Field(default=10.0, gt=0)
    """Seconds that it stays open; then one attempt may try the target."""
    longest_pause: Duration = Field(default=120.0, gt=0)
    """The pause doubles with each try that fails, up to this."""
    ramp: Duration = 30.0
    """Seconds after a recovery in which the target's traffic grows back to all of it."""
    on: tuple[Kind, ...] = BREAK_ON
    """Kinds of error that count."""


class RetryBudget(Switch):
    """How much retries and hedges of all calls together may add to a provider's traffic."""

    ratio: Factor = Field(default=0.2, ge=0, le=1, allow_inf_nan=False)
    """Extra attempts for each first one."""
    per_second: Factor = Field(default=3.0, ge=0, allow_inf_nan=False)
    """Extra attempts a second besides, so that little traffic can be retried too."""


class Limits(Section):
    """What a provider, or each of its models, may be asked in a minute and at a time."""

    requests_per_minute: Count | None = Field(default=None, ge=1)
    """Attempts that may be sent."""
    tokens_per_minute: Count | None = Field(default=None, ge=1)
    """Prompt and answer together; an estimate is set aside before and settled after each call."""
    concurrency: Count | None = Field(default=None, ge=1)
    """Attempts at a time; others wait their turn, first come, first served."""
    per: Literal["provider", "model"] = "provider"
    """Whether all models share the limits, or each has its own."""
    adaptive: Flag = True
    """Whether the remaining allowance that answers tell in their headers is believed."""
    max_wait: Duration | None = None
    """A longer wait for an allowance moves on to the next target; None: as long as the deadline allows."""


class Hedge(Switch):
    """When the next target is started although the first has not failed: the first to say something wins."""

    after: Duration | Literal["p95"] = "p95"
    """Seconds without a word, or the time within which 95 of 100 recent answers of that target began (five
    times their median at the most)."""
    max_cost: Money | None = None
    """US dollars that a hedge may cost at most, by its estimate; none is started for more."""


class SlowStream(Switch):
    """A stream that says less than this counts as interrupted."""

    tokens_per_second: Factor = Field(default=1.0, gt=0, allow_inf_nan=False)
    """About so many tokens a second, estimated from the text…"""
    window: Duration = Field(default=10.0, gt=0)
    """…over the last so many seconds."""
