"""What we send to Cohere is what its own SDK could have sent: no unknown key, none missing, no wrong type."""

from __future__ import annotations

import inspect
import json
from functools import cache
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from cohere.core.unchecked_base_model import UnionMetadata
from cohere.v2.raw_client import RawV2Client
from mixed_requests import PIXEL, mixed_requests, target_of
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect

COHERE = dialect("cohere")
MODELS = (
    "command-a-plus-05-2026",
    "command-a-reasoning-08-2025",
    "command-a-03-2025",
    "command-a-vision-07-2025",
    "command-r7b-12-2024",
    "command-r-08-2024",
    "north-mini-code-1-0",
    "a-model-of-tomorrow",
)
STRICT = ConfigDict(extra="forbid", strict=True)


def strict(wanted: Any) -> Any:
    """An SDK's type without what makes it lenient: open models, `Any` among words, defaults of tags."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        tags = [one.discriminant for one in arguments[1:] if isinstance(one, UnionMetadata)]
        inner = strict(arguments[0])
        return Annotated[inner, Field(discriminator=tags[0])] if tags else inner
    if origin in (Union, UnionType):
        closed = [one for one in arguments if one is not Any]
        return Union[tuple(strict(one) for one in closed)]  # noqa: UP007 - built at run time
    if arguments and origin is not Literal:
        return origin[tuple(strict(one) for one in arguments)]
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return closed_model(wanted)
    return wanted


@cache
def closed_model(model: type[BaseModel]) -> type[BaseModel]:
    """A model that refuses what the SDK's has no field for; its tag (`role`, `type`) must be given."""
    hints = get_type_hints(model, include_extras=True)
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        required = field.is_required() or get_origin(hints[name]) is Literal
        fields[name] = (strict(hints[name]), ... if required else None)
    return create_model(model.__name__, __config__=STRICT, **fields)


def body_model() -> type[BaseModel]:
    """The body of a request, from the parameters of the SDK's own method."""
    hints = get_type_hints(RawV2Client.chat, include_extras=True)
    fields: dict[str, Any] = {"stream": (bool, ...)}  # which the SDK sets by the method that is called
    for name, parameter in inspect.signature(RawV2Client.chat).parameters.items():
        if name not in {"self", "request_options"}:
            optional = NoneType in get_args(hints[name])
            fields[name] = (strict(hints[name]), None if optional else ...)
            assert optional or parameter.default is inspect.Parameter.empty
    return create_model("Body", __config__=STRICT, **fields)


BODY = body_model()
OWN: list[dict[str, Any]] = [
    {},
    {"documents": ["Oslo is cold.", {"id": "d1", "data": {"text": "Bergen is wet."}}]},
    {"citation_options": {"mode": "FAST"}},
    {"safety_mode": "STRICT", "priority": 3},
    {"top_k": 900},
    {"thinking": {"type": "enabled", "token_budget": 77}},
    {"strict_tools": True},
]
"""Fields of Cohere's own, as extras of a request."""


def own_history(model: str) -> list[dict[str, Any]]:
    """A conversation whose earlier answers came from this very model."""

    def kept(kind: str, index: int, block: dict[str, str]) -> dict[str, Any]:
        return {
            "type": f"cohere.{kind}",
            "provider": "p",
            "model": model,
            "index": index,
            "block": block,
        }

    return [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Hm. ",
            "reasoning": "thinking",
            "reasoning_details": [
                kept("thinking", 0, {"type": "thinking", "thinking": "Let me see"}),
                kept("tool_plan", 2, {"tool_plan": "I will look."}),
            ],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "get-it", "arguments": "{}"}}
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "document", "document": {"data": {"a": 1}}}],
        },
    ]


def payload_of(request: ChatCompletion, model: str) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(COHERE.encode(request, target_of("cohere", model)).body)
    return sent


def check(payload: dict[str, Any]) -> None:
    try:
        BODY.model_validate_json(json.dumps(payload))
    except ValidationError as error:
        pytest.fail(f"{json.dumps(payload)}\n{error}")


@pytest.mark.parametrize("model", MODELS)
def test_mixed_requests_are_what_the_sdk_could_send(model: str) -> None:
    random = Random(model)
    for request in mixed_requests(130, seed=MODELS.index(model)):
        mixed = ChatCompletion.parse({**request.wire(), **random.choice(OWN)})
        check(payload_of(mixed, model))


@pytest.mark.parametrize("model", MODELS)
def test_its_own_answers_go_back_in_its_own_types(model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "high"}}
    for own in OWN:
        last = {"role": "user", "content": [{"type": "text", "text": "And?"}, image]}
        request = ChatCompletion.parse({"model": "m", "messages": [*own_history(model), last], **own})
        payload = payload_of(request, model)
        check(payload)
        answer = payload["messages"][1]
        assert answer["content"][0] == {"type": "thinking", "thinking": "Let me see"}
        assert answer["tool_plan"] == "I will look."


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_p": 0.5},
        {"tool_choice": "auto"},
        {"thinking": {"token_budget": 5}},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        {"messages": [{"role": "tool", "content": "no id"}]},
        {"messages": [{"role": "user", "content": "x", "name": "ann"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"max_tokens": 1.5},
    ],
)
def test_the_check_is_strict(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"model": "m", "stream": False, "messages": [{"role": "user", "content": "x"}]}
    BODY.model_validate(right)
    with pytest.raises(ValidationError):
        BODY.model_validate(right | wrong)
