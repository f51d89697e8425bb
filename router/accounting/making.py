"""Models made of facts that were checked where they come from, without checking them again."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

_new = object.__new__
# The slots of every model. Setting them through the class passes over pydantic's own `__setattr__`.
_set_values = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


def made(model: type[Model], facts: dict[str, Any], *, extra: dict[str, Any] | None = None) -> Model:
    """An instance of a frozen model that equals the one that validation would give of the same facts.

    `facts` holds every field of the model, of the type that the field has, and becomes the instance's own;
    `extra` is an empty object for a model that keeps unknown fields, and None for any other.
    """
    one = _new(model)
    _set_values(one, facts)
    _set_given(one, _all_fields(model))
    _set_extra(one, extra)
    _set_private(one, None)
    return one


@cache
def _all_fields(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields; shared, for a frozen model never adds to them and a copy has its own."""
    return set(model.model_fields)
