"""What the router tells structlog: one table of events, each with the only fields it may carry.

Nothing else is ever logged: no message, no prompt, no answer, no header, no key. An application that has
configured structlog gets the events there; otherwise they go to the standard library's logger `turnout`,
where `logging.getLogger("turnout").setLevel(...)` lets them through.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One kind of thing that happens; `fields` is everything it may carry."""

    name: str
    level: int
    fields: tuple[str, ...]
    meaning: str


FIELDS: dict[str, str] = {
    "call_id": "the same for all events of one call",
    "route": "the name that the caller used",
    "target": "`provider/model` of the attempt",
    "number": "place of the attempt within the call, from 1",
    "outcome": "ok, failed, cancelled, rejected or skipped",
    "kind": "the class of the error",
    "status": "HTTP status, where there was one",
    "request_id": "the provider's own id of the request",
    "seconds": "how long it took",
    "first_token_seconds": "from the start of the attempt to the first text, reasoning or tool call",
    "wait": "seconds until the next try, or until the target is open again; of a hedge, those before it",
    "next_target": "`provider/model` that is tried next",
    "how": "restart or continue",
    "field": "the request field that the target cannot take",
    "key": "which of the provider's `api_keys`, counted from 1",
    "strategy": "the name of the pool's strategy",
    "snapshot": "what it knew of the pool's members",
    "seed": "what its chance came from",
    "order": "the members in the order in which they are tried, by their places in the snapshot",
    "attempts": "how many attempts the call made",
    "prompt_tokens": "tokens of the prompt, all attempts together",
    "completion_tokens": "tokens of the answer, all attempts together",
    "cost": "US dollars of all attempts together, where known",
}
"""Every field that an event may carry, and what it means."""

LOGGER = "turnout"
"""The logger's name."""

_TABLE = (
    Event("call.started", logging.DEBUG, ("call_id", "route"), "A call was planned and begins."),
    Event(
        "pool.ordered",
        logging.DEBUG,
        ("call_id", "route", "strategy", "snapshot", "seed", "order"),
        "A pool's strategy was asked; it gives the same order again for this snapshot and seed.",
    ),
    Event(
        "attempt.finished",
        logging.DEBUG,
        ("call_id", "target", "number", "outcome", "seconds", "first_token_seconds"),
        "A target answered to the end, or the caller left before that.",
    ),
    Event(
        "attempt.failed",
        logging.INFO,
        ("call_id", "target", "number", "kind", "status", "request_id", "seconds"),
        "A target was tried and gave no good answer.",
    ),
    Event(
        "target.skipped",
        logging.INFO,
        ("call_id", "target", "field"),
        "A target cannot express the request; nothing was sent to it.",
    ),
    Event(
        "target.rejected",
        logging.INFO,
        ("call_id", "target", "kind", "wait"),
        "A policy let no attempt pass: an open breaker, a rate limit, a refused key.",
    ),
    Event(
        "key.refused",
        logging.INFO,
        ("call_id", "target", "key", "kind", "wait"),
        "One of several keys was refused or is at its limit, and is left alone for a while.",
    ),
    Event(
        "breaker.opened",
        logging.INFO,
        ("call_id", "target", "kind", "wait"),
        "A target failed too often and is left alone for a while.",
    ),
    Event(
        "breaker.closed",
        logging.INFO,
        ("call_id", "target"),
        "A target that was left alone has answered again.",
    ),
    Event(
        "retry.waiting",
        logging.INFO,
        ("call_id", "target", "kind", "wait"),
        "The same target is tried again after a wait.",
    ),
    Event(
        "fallback.taken",
        logging.INFO,
        ("call_id", "target", "kind", "next_target"),
        "A target failed and the next one is tried.",
    ),
    Event(
        "stream.resumed",
        logging.INFO,
        ("call_id", "target", "kind", "how", "next_target"),
        "A stream broke after its first word, and the next target is asked to go on.",
    ),
    Event(
        "hedge.started",
        logging.INFO,
        ("call_id", "target", "wait", "next_target"),
        "A target has said nothing for so long, and the next one is asked as well.",
    ),
    Event(
        "call.finished",
        logging.DEBUG,
        ("call_id", "route", "target", "attempts", "seconds", "prompt_tokens", "completion_tokens", "cost"),
        "A call ended with an answer, or was left by its caller.",
    ),
    Event(
        "call.failed",
        logging.INFO,
        ("call_id", "route", "kind", "attempts", "seconds", "cost"),
        "A call ended without an answer, or its stream broke.",
    ),
)
EVENTS: dict[str, Event] = {event.name: event for event in _TABLE}
"""The table, by name."""

Facts = Callable[[], dict[str, Any]]
"""Gives an event's fields; called only when somebody listens."""


class Events:
    """Emits the table's events; `logger` is any structlog logger, found when first needed if None."""

    def __init__(self, logger: Any = None) -> None:
        self._logger = logger
        self._standard = logging.getLogger(LOGGER)

    def wanted(self, level: int) -> bool:
        """Whether anybody listens to events of a level, so that what they say is not gathered for nobody."""
        return self._listening(level) is not None

    def emit(self, name: str, facts: Facts) -> None:
        """Tell one event; `facts` is not even called where the level is filtered out."""
        event = EVENTS[name]
        logger = self._listening(event.level)
        if logger is None:
            return
        given = facts()
        fields = {field: given[field] for field in event.fields if given.get(field) is not None}
        logger.log(event.level, name, **fields)

    def _listening(self, level: int) -> Any:
        """The logger that takes events of a level; None if nobody does."""
        logger = self._logger or self._found(level)
        if logger is None:
            return None
        enabled = getattr(logger, "is_enabled_for", None)  # structlog 25.1 and later
        return logger if enabled is None or enabled(level) else None

    def _found(self, level: int) -> Any:
        """The application's structlog, or one that ends in the standard library; None if nobody listens."""
        structlog = sys.modules.get("structlog")
        if structlog is not None and structlog.is_configured():
            self._logger = structlog.get_logger(LOGGER).bind()
        elif self._standard.isEnabledFor(level):
            # imported only now: structlog looks for rich, which takes longer than turnout itself
            self._logger = _standard_logger(self._standard)
        return self._logger


def _standard_logger(logger: logging.Logger) -> Any:
    # structlog's own default prints everything to stdout, which no library should do to its user
    from structlog import stdlib, wrap_logger

    return wrap_logger(
        logger,
        processors=[stdlib.filter_by_level, _readable],
        wrapper_class=stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    ).bind()


def _readable(_logger: Any, _method: str, event: Any) -> Any:
    """The arguments of a logging call: the fields in the message, and whole under `extra` for handlers."""
    name = event.pop("event")
    words = " ".join(f"{key}={value}" for key, value in event.items())
    return ("%s %s", name, words), {"extra": {LOGGER: event}}
