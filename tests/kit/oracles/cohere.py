"""Cohere's own types of a request, made strict."""

from __future__ import annotations

import inspect
import json
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from cohere.core.unchecked_base_model import UnionMetadata
from cohere.v2.raw_client import RawV2Client
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

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


def check(body: dict[str, Any]) -> None:
    """The body is what the SDK's method could have sent."""
    try:
        BODY.model_validate_json(json.dumps(body))
    except ValidationError as error:
        pytest.fail(f"{json.dumps(body)}\n{error}")
