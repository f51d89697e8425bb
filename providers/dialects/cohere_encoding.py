"""A request in the words of Cohere's Chat API v2.

Source: the parameters of `v2.chat` in cohere 7.3.1 and their bounds in Cohere's reference, 2026-11-21.
"""

from __future__ import annotations

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .cohere_messages import messages_of
from .cohere_tools import names_of, say_tools
from .draft import Draft, Json
from .tooling import take_format, take_tools
from .turns import take_turns
from .writing import (
    begin,
    pass_on,
    posted,
    put_words,
    settle,
    settle_stream,
    take_max_tokens,
    take_number,
    take_stop,
)

WIRE = "cohere"
"""The dialect's name, which marks the blocks it keeps."""
MOST_STOPS = 5
"""Stop sequences that Cohere takes."""
_SEEDS = 2**63
"""Seeds below this and from 0 on are taken."""


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    turns = take_turns(draft, WIRE)
    tooling, form = take_tools(draft), take_format(draft)
    if draft.payload.get("documents") == []:
        draft.drop("documents", "the wire takes no empty list")
    documents = draft.payload.get("documents") is not None
    said = say_tools(draft, request, tooling, form, documents=documents)
    body: Json = {
        "model": target.model,
        "messages": messages_of(draft, turns, names_of(request), ask=said.format is not None),
    }
    if said.tools:
        body["tools"] = said.tools
        if said.strict:
            body["strict_tools"] = True
        if said.choice:
            body["tool_choice"] = said.choice
    if said.format is not None:
        body["response_format"] = said.format
    _put_limits(draft, body)
    _put_sampling(draft, body)
    settle_stream(request, draft)
    body["stream"] = draft.stream
    put_words(draft, body)
    pass_on(draft, body)
    settle(draft)
    return posted(draft, body)


def _put_limits(draft: Draft, body: Json) -> None:
    """How long the answer may be, and where it stops."""
    limit = take_max_tokens(draft)
    if limit is not None:
        body["max_tokens"] = limit
    stops = take_stop(draft, MOST_STOPS, blank=True)
    if stops:
        body["stop_sequences"] = stops


def _put_sampling(draft: Draft, body: Json) -> None:
    """How the tokens are drawn."""
    numbers = {
        # "temperature must be between 0 and 1.0 inclusive", says the page on errors
        "temperature": take_number(draft, "temperature", 0, 1),
        "p": take_number(draft, "top_p", 0.01, 0.99),
        **_penalties(draft),
    }
    body.update({name: value for name, value in numbers.items() if value is not None})
    if (most := take_number(draft, "top_k", 0, 500)) is not None:
        body["k"] = int(most)
    seed = draft.take("seed")
    if isinstance(seed, int):
        if not 0 <= seed < _SEEDS:
            draft.report(
                "seed", "emulated", "the wire takes no negative or huge seeds; another stands for it"
            )
        body["seed"] = seed % _SEEDS
    if draft.take("logprobs"):
        body["logprobs"] = True


def _penalties(draft: Draft) -> dict[str, float | None]:
    """At most one penalty: newer models refuse a request with both."""
    frequency = take_number(draft, "frequency_penalty", 0, 1) or None
    presence = take_number(draft, "presence_penalty", 0, 1) or None
    if frequency is not None and presence is not None:
        draft.report("presence_penalty", "dropped", "the wire takes one penalty; frequency_penalty is sent")
        presence = None
    return {"frequency_penalty": frequency, "presence_penalty": presence}
