"""What travels through the layers: `Call` on the way in, `Reply` on the way out, and the stack they pass.

A handler takes a call and is awaited. It gives its reply once the answer has begun: for a stream the first
piece that says something is in hand, for a whole answer all of it is. This is the commit point, and the only
place where layers may start over. Whoever holds a reply leaves it by `aclose`, which closes the socket and
settles the ledger; a handler that raises has left everything already.

A layer takes a handler and gives another. Until there is a reply it waits inside the coroutine that asks for
it; afterwards no layer stands between the reply and its reader, so a piece of a stream passes through none
of them. No cancel scope outlives a handler's coroutine or a single wait of a reply: a caller's own code never
runs under a limit that it did not ask for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from turnout.config.sections import OnUnsupported
from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse, Usage
from turnout.providers.dialect import Adaptation
from turnout.providers.errors import ProviderError, UnsupportedError

from .accounting import Attempt, Trace
from .planning import Plan, PlannedTarget
from .recalling import Recall

if TYPE_CHECKING:
    from .fetching import Shelf

T = TypeVar("T")
End = Literal["completed", "failed", "cancelled"]
DEADLINE = "deadline"
"""`code` of a timeout that is the call's deadline."""
SHARE = "deadline_share"
"""`code` of a timeout that is the attempt's share of the deadline; the same target again would be no help."""


class Line(Protocol):
    """The line of the ledger that an attempt will fill."""

    sent: bool
    """Whether the attempt has reached the network."""

    def settle(self, reply: Reply) -> None:
        """Write down how a reply ended; called once, before anybody else hears of the end."""
        ...


class Journal:
    """What a call has done so far; all copies of the call share one."""

    __slots__ = ("attempts", "began_at", "begun", "errors", "sent", "shelf", "taken")

    def __init__(self, began_at: float = 0.0) -> None:
        self.began_at = began_at
        """When the call began, on the clock's monotonic time."""
        self.begun = 0
        """Attempts begun, those that could not be encoded included."""
        self.sent = 0
        """Attempts that reached the network; these count against `max_attempts`."""
        self.attempts: list[Attempt] = []
        """Attempts that have ended, in that order."""
        self.errors: list[ProviderError | UnsupportedError] = []
        """Their errors."""
        self.shelf: Shelf | None = None
        """Images and files fetched for the call; None as long as nothing had to be."""
        self.taken: list[PlannedTarget] | None = None
        """Targets that one of several runs of the call has taken for itself, in that order; None where there
        is only one run."""


@dataclass(slots=True)
class Call:
    """One call of the caller's, aimed at one target of its plan.

    Once made, only its `line` changes, for the length of an attempt its `target`, to the same with one of
    several keys, and for that of its first run its `recall`. Runs that go on beside each other have a copy
    each.
    """

    request: ChatCompletion
    """As the caller gave it, checked."""
    streaming: bool
    """Whether the caller wants the pieces as they come."""
    plan: Plan
    target: PlannedTarget
    id: str
    deadline: float
    """Seconds for the whole call."""
    ends_at: float
    """The deadline on the clock's monotonic time."""
    on_unsupported: OnUnsupported | None = None
    """The caller's own word, if any; otherwise the target's."""
    tags: Mapping[str, str] = field(default_factory=dict)
    later: int = 0
    """Targets of the plan that are still to come after this one."""
    ahead: tuple[PlannedTarget, ...] = ()
    """Those behind the first target of the call, in the order in which this call tries them."""
    journal: Journal = field(default_factory=Journal)
    told: bool = True
    """Whether anybody listens to events of what goes well."""
    line: Line | None = None
    """Where the attempt that is about to begin is written down; None where nobody keeps account."""
    forced: bool = False
    """Whether this is the call's last hope, which breakers and gates let through."""
    beside: bool = False
    """Whether this is a hedge: the second run of a call whose first one goes on, and nobody's last hope."""
    recall: Recall | None = None
    """By which the first run of a hedged call is called off."""

    @property
    def attempts_left(self) -> int:
        """How many more attempts the plan allows."""
        return self.plan.max_attempts - self.journal.sent

    @property
    def route(self) -> str | None:
        """The route that was named; None where the call named its target itself."""
        return None if self.plan.direct else self.plan.route

    def aimed(self, target: PlannedTarget, later: int, *, forced: bool = False, beside: bool = False) -> Call:
        """The same call, aimed at another target with so many still to come."""
        return Call(
            self.request,
            self.streaming,
            self.plan,
            target,
            self.id,
            self.deadline,
            self.ends_at,
            self.on_unsupported,
            self.tags,
            later,
            self.ahead,
            self.journal,
            self.told,
            self.line,
            forced or self.forced,
            beside or self.beside,
            None if beside else self.recall,
        )

    def trace(self) -> Trace:
        """How the call was routed until now."""
        attempts = self.journal.attempts
        if len(attempts) > 1:
            attempts = sorted(attempts, key=lambda attempt: attempt.number)
        return Trace.made({"route": self.route, "call_id": self.id, "attempts": tuple(attempts)})


class Reply(Protocol):
    """An answer that has begun."""

    target: PlannedTarget
    adaptations: tuple[Adaptation, ...]
    first_token_at: float | None
    """When the first text, reasoning or tool call came, on the clock's monotonic time."""
    usage: Usage | None
    """What the provider counted, as far as it has told."""
    end: End | None
    """How it ended; None while it goes on."""
    error: ProviderError | None
    """Why it failed, after it had begun."""
    attempt: Attempt | None
    """The line of the ledger, once it has ended."""
    headers: Mapping[str, str]
    """The HTTP headers of the answer, names in lower case."""

    @property
    def began_at(self) -> float:
        """When its attempt began, on the clock's monotonic time."""
        ...

    @property
    def response(self) -> ChatResponse:
        """What has come until now; the whole answer once `end` is completed."""
        ...

    def at_hand(self) -> ChatChunk | None:
        """The next chunk if it need not be waited for; None where `receive` has to be asked."""
        ...

    async def receive(self) -> ChatChunk | None:
        """The next chunk; None at the proper end. Raises a ProviderError for anything but that."""
        ...

    def when_ended(self, listener: Callable[[Reply], None]) -> None:
        """Have `listener` called once an answer ends that has not ended yet; the ledger hears of it first."""
        ...

    async def aclose(self) -> None:
        """Leave the answer, whatever state it is in: the ledger's line is written, then the socket closed."""
        ...


class RunLimited(Protocol):
    """Waits for a step, within the limits of an attempt."""

    async def __call__(self, step: Callable[[], Awaitable[T]]) -> T:
        """What the step gives; AttemptTimeoutError once a limit is reached."""
        ...


Handler = Callable[[Call], Awaitable[Reply]]
"""Gives the answer to a call, once it has begun."""
Layer = Callable[[Handler], Handler]
"""Puts something around a handler."""


def at_end(reply: Reply, listener: Callable[[Reply], None]) -> None:
    """Have `listener` called once an answer has ended: now, if it has ended already."""
    if reply.end is None:
        reply.when_ended(listener)
    else:
        listener(reply)


def tell_all(listeners: list[Callable[[Reply], None]], reply: Reply) -> None:
    """Tell listeners of an end, in their order; one that breaks keeps it from none of the others."""
    with ExitStack() as told:
        for listener in reversed(listeners):
            told.callback(listener, reply)


def stack(wire: Handler, layers: Iterable[Layer]) -> Handler:
    """`wire` with `layers` around it, the first of them innermost."""
    handler = wire
    for layer in layers:
        handler = layer(handler)
    return handler
