"""What the simulator counts is what a client can know: the tokens that it told, on whichever wire."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import every_wire
import pytest
from asking import ask

from turnout import Router
from turnout.config.errors import TurnoutError
from turnout.testing import Reply, Script, Simulator

pytestmark = pytest.mark.anyio

WIRES: dict[str, tuple[dict[str, Any], str]] = {
    **every_wire.WIRES,
    "openai": ({"dialect": "openai"}, "m"),
    "deepseek": every_wire.WIRES["openai"],
    "xai": ({"preset": "xai"}, "grok-4.5"),
}
"""Wire or host -> the provider's settings, and one of its models."""
TALKATIVE = Reply(text="One and two is three.", reasoning="Easy. Or is it?")
REPLIES = (
    TALKATIVE,
    Reply(status=429),
    TALKATIVE.model_copy(update={"malformed_event": 1}),
    TALKATIVE.model_copy(update={"cut_after_events": 1}),
    TALKATIVE.model_copy(update={"hang_up": True}),
    TALKATIVE.model_copy(update={"end_after_events": 1}),
    TALKATIVE,
)


def router_for(simulator: Simulator, wire: str) -> Router:
    given, model = WIRES[wire]
    settings = {
        "providers": {"p": every_wire.provider_at(simulator, wire, given)},
        "routes": {"r": [f"p/{model}"]},
        "defaults": {"retry": {"attempts": 1}},
    }
    return Router(settings, env={})


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("wire", WIRES)
async def test_what_was_told_to_the_end_is_counted(wire: str, streaming: bool) -> None:
    _, model = WIRES[wire]
    quirks = "xai" if wire == "xai" else "openai"  # this host leaves thoughts out of the answer's tokens
    async with Simulator({model: Script(replies=REPLIES)}, quirks=quirks) as simulator:
        async with router_for(simulator, wire) as router:
            for number in range(len(REPLIES)):
                messages = [{"role": "user", "content": "Word " * (number + 1)}]
                with suppress(TurnoutError):
                    await ask(router, streaming=streaming, model="r", messages=messages)

    tally = simulator.tally
    told = [attempt.usage for attempt in router.ledger if attempt.outcome == "ok" and attempt.usage]
    assert (tally.requests, tally.told) == (len(REPLIES), len(told)) == (len(REPLIES), 2)
    assert tally.prompt_tokens == sum(usage.prompt_tokens for usage in told)
    assert tally.completion_tokens == sum(usage.completion_tokens for usage in told)
    assert tally.total_tokens == sum(usage.total_tokens for usage in told)


async def test_each_model_has_its_own() -> None:
    async with Simulator({"x": [Reply(text="a b c")], "y": [Reply(status=500)]}) as simulator:
        async with router_for(simulator, "openai") as router:
            for model in ("x", "y", "x"):
                with suppress(TurnoutError):
                    await router.complete(model=f"p/{model}", messages=[{"role": "user", "content": "Hi"}])

    told = {name: (tally.requests, tally.completion_tokens) for name, tally in simulator.tallies.items()}
    assert told == {"x": (2, 6), "y": (1, 0)}
    assert simulator.tally.completion_tokens == 6
