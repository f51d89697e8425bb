"""A conversation that begins with one provider goes on with any other, in the middle of a loop of tool calls.

For every ordered pair of wires the first provider thinks and calls two tools. When the results are sent, it
is down (or it is the second provider too), and the other one has to take the history over: its payload must
satisfy its own SDK's types, hold both calls with their results, and nothing that only the first understands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asking import ask
from every_wire import WIRES, provider_at
from oracles import check_payload

from turnout import Message, Router
from turnout.providers.chat import ChatResponse, ResponseMessage
from turnout.testing import Reply, ScriptedCall, Simulator

pytestmark = pytest.mark.anyio

KEEPS = frozenset({"responses", "anthropic", "gemini", "bedrock"})
"""Wires that sign or encrypt what was thought, and want it back."""

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]
QUESTION = {"role": "user", "content": "Is it warmer in Oslo or in Rome?"}
THOUGHT = "Both cities have to be looked up."
CALLS = [
    ScriptedCall(name="weather", arguments={"city": "Oslo"}),
    ScriptedCall(name="weather", arguments={"city": "Rome"}),
]
PAIRS = [(first, second) for first in WIRES for second in WIRES]


def settings(first: str, second: str, simulator: Simulator) -> dict[str, Any]:
    providers = {wire: provider_at(simulator, wire, WIRES[wire][0]) for wire in {first, second}}
    chain = [f"{wire}/{WIRES[wire][1]}" for wire in dict.fromkeys((first, second))]
    return {
        "providers": providers,
        "routes": {"assistant": {"chain": chain, "retry": {"attempts": 1}}},
    }


def scripts(first: str, second: str) -> dict[str, list[Reply]]:
    """The first provider thinks and calls, and is then down; the second answers."""
    begins = Reply(text="I will look it up.", reasoning=THOUGHT, tool_calls=CALLS)
    answers = Reply(text="Rome is warmer.", reasoning="Twenty is more than four.")
    if first == second:
        return {WIRES[first][1]: [begins, answers]}
    return {WIRES[first][1]: [begins, Reply(status=503)], WIRES[second][1]: [answers]}


def results(message: ResponseMessage) -> list[Message]:
    degrees = {"Oslo": "4 °C", "Rome": "20 °C"}
    return [
        Message.tool(call.id, degrees[json.loads(call.function.arguments)["city"]])
        for call in message.tool_calls or ()
        if call.function
    ]


def secrets(message: ResponseMessage) -> set[str]:
    """What only the provider itself understands: every long word without spaces in the details."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for key, item in value.items():
                if key not in {"type", "provider", "model", "name"}:
                    yield from texts(item)
        elif isinstance(value, list):
            for item in value:
                yield from texts(item)

    found = {text for text in texts(message.reasoning_details or []) if len(text) > 12 and " " not in text}
    return found - {call.id for call in message.tool_calls or ()}


async def loop(router: Router, *, streamed: bool) -> tuple[ChatResponse, ChatResponse]:
    """One turn that calls tools, and one with their results."""
    asked: dict[str, Any] = {"model": "assistant", "tools": TOOLS, "enable_thinking": True}

    called = await ask(router, streaming=streamed, messages=[QUESTION], **asked)
    history = [QUESTION, called.message.as_message(), *results(called.message)]
    return called, await ask(router, streaming=streamed, messages=history, **asked)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{one}-{other}" for one, other in PAIRS])
async def test_a_loop_begun_by_one_is_ended_by_the_other(first: str, second: str, streamed: bool) -> None:
    async with Simulator(scripts(first, second)) as simulator:
        async with Router(settings(first, second, simulator), env={"AWS_REGION": "us-east-1"}) as router:
            called, answered = await loop(router, streamed=streamed)

    assert called.provider == first
    assert called.finish_reason == "tool_calls"
    assert [call.function and call.function.name for call in called.tool_calls] == ["weather", "weather"]
    assert THOUGHT in (called.reasoning or "")
    assert answered.provider == second
    assert answered.text == "Rome is warmer."

    received = simulator.requests[-1]
    check_payload(second, received.body)
    sent = json.dumps(received.body, ensure_ascii=False)
    assert "4 °C" in sent
    assert "20 °C" in sent
    assert "turnout" not in sent
    for secret in secrets(called.message):
        if first == second:
            continue
        assert secret not in sent, f"{first} leaks {secret!r} to {second}"
    if first in KEEPS:
        assert secrets(called.message)
    if first == second and first in KEEPS:
        assert any(secret in sent for secret in secrets(called.message)), "the signed thinking went back"
