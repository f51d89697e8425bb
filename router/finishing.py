"""What the router adds to an answer: who gave it, how the call was routed, and what it cost."""

from __future__ import annotations

from typing import Any

from turnout.providers.chat import ChatResponse

from .accounting import Attempt
from .clock import Clock
from .pipeline import Call
from .planning import PlannedTarget


def finish(
    response: ChatResponse, call: Call, planned: PlannedTarget, clock: Clock, attempt: Attempt | None
) -> ChatResponse:
    """The response with what is known of it now; what the provider left out of its envelope is filled in."""
    said = response.__dict__
    target = planned.target
    known: dict[str, Any] = {"provider": target.provider, "trace": call.trace()}
    if not said["model"]:
        known["model"] = target.model
    if not said["id"]:
        known["id"] = f"chatcmpl-{call.id}"
    if not said["created"]:
        known["created"] = int(clock.now().timestamp())
    metadata = call.request.metadata
    if metadata is not None and said["metadata"] is None:
        known["metadata"] = dict(metadata)
    if attempt is not None:
        known["cost"] = attempt.cost
    return _with(response, known)


def _with(response: ChatResponse, known: dict[str, Any]) -> ChatResponse:
    """The response with further fields set, as assigning one after another would, at the cost of one."""
    response.__dict__.update(known)
    response.__pydantic_fields_set__.update(known)
    return response
