"""Models made of facts that were checked where they come from, without checking them again."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

from turnout.providers.chat import making

Model = TypeVar("Model", bound=BaseModel)


def made(model: type[Model], facts: dict[str, Any], *, extra: dict[str, Any] | None = None) -> Model:
    """An instance of a frozen model that equals the one that validation would give of the same facts.

    `facts` holds every field of the model, of the type that the field has, and becomes the instance's own;
    `extra` is an empty object for a model that keeps unknown fields, and None for any other.
    """
    return making.made(model, facts, _all_fields(model), extra)


@cache
def _all_fields(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields; shared, for a frozen model never adds to them and a copy has its own."""
    return set(model.model_fields)
