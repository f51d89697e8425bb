"""Records made without validation, for code that has checked every value itself.

Validation costs several times what it takes to make an instance, and an answer's ordinary shapes are told
apart by a few looks at the values. An instance made here equals the one that validation makes of the same
values, fields in the same order, unset ones at their defaults; only the looks are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

from .record import SCALARS, Record

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=Record)

_new = object.__new__
# The slots of every model. Setting them through the class passes over pydantic's own `__setattr__`.
_set_values = BaseModel.__dict__["__dict__"].__set__
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


@cache
def blank(record: type[Record]) -> dict[str, Any]:
    """The record's fields at their defaults, in order. Copy it, and replace defaults that can change."""
    return {name: field.default for name, field in record.model_fields.items()}


def made(model: type[M], values: dict[str, Any], given: set[str], extra: dict[str, Any] | None) -> M:
    """The instance that holds just these objects.

    `values` has every field, in the order of `blank`; `given` names the fields that were set, unknown ones
    included; `extra` holds the unknown ones, and is None for a model that keeps none.
    """
    instance = _new(model)
    _set_values(instance, values)
    _set_given(instance, given)
    _set_extra(instance, extra)
    _set_private(instance, None)
    return instance


def record_of(record: type[R], fields: Mapping[str, Any]) -> R:
    """The record with these fields, known or not, whose values are already what validation would give."""
    known = blank(record)
    values = {**known, **fields}
    extra = (
        {} if len(values) == len(known) else {name: values.pop(name) for name in fields if name not in known}
    )
    return made(record, values, set(fields), extra)


def stamp(record: R, name: str) -> Callable[[Any], R]:
    """What makes records that differ from this one in the field `name` alone, out of that field's value.

    Its other fields must hold words and numbers, since all copies share them; unknown fields may be any JSON.
    """
    kind, values, given = type(record), dict(record.__dict__), set(record.__pydantic_fields_set__)
    extra = dict(record.__pydantic_extra__ or {})
    copy = extra.copy if all(type(value) in SCALARS for value in extra.values()) else lambda: _copied(extra)

    def make(value: Any) -> R:
        fields = values.copy()
        fields[name] = value
        instance = _new(kind)
        _set_values(instance, fields)
        _set_given(instance, given.copy())
        _set_extra(instance, copy())
        _set_private(instance, None)
        return instance

    return make


def _copied(value: Any) -> Any:
    """JSON of its own, lists and objects copied."""
    if type(value) is dict:
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if type(value) is list else value
