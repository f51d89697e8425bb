"""Whether a JSON value matches a JSON Schema, as far as schemas of answers go.

Types, values, objects, lists, texts, numbers, combinations and references within the schema are checked.
`format`, `unevaluated…`, dynamic references and what else is not listed in `_RULES` is passed over, and so is
a keyword whose value makes no sense: a schema that is wrong is the provider's to refuse. `nullable` is
taken as OpenAPI means it, for some providers write schemas so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

_DEPTH = 100  # schemas within each other before the check gives up; real ones stay far below
_SHOWN = 60  # characters of a name or a list of values that a message repeats

Wrong = str | None
"""What is wrong, in words that name no value of the answer; None where nothing is."""


def mismatch(value: Any, schema: Any) -> str | None:
    """The first thing wrong with a value, beginning with its place; None where it matches."""
    return _wrong(value, schema, _Place(schema, None, "$", 0))


class _Place:
    """Where a value is held against a schema."""

    __slots__ = ("depth", "path", "root", "schema")

    def __init__(self, root: Any, schema: Any, path: str, depth: int) -> None:
        self.root = root
        self.schema = schema
        self.path = path
        self.depth = depth

    def wrong(self, value: Any, schema: Any, path: str | None = None) -> Wrong:
        """What is wrong with a value by a schema inside this one; `path` where it is another value's."""
        return _wrong(value, schema, _Place(self.root, None, path or self.path, self.depth + 1))

    def fits(self, value: Any, schema: Any) -> bool:
        """Whether nothing is wrong with a value by a schema inside this one."""
        return self.wrong(value, schema) is None

    def other(self, keyword: str) -> Any:
        """What another keyword of the same schema says."""
        return self.schema.get(keyword)


def _wrong(value: Any, schema: Any, at: _Place) -> Wrong:
    if schema is False:
        return f"{at.path} is not allowed"
    if not isinstance(schema, Mapping) or at.depth > _DEPTH:
        return None
    if value is None and schema.get("nullable") is True:
        return None
    at.schema = schema
    for keyword, given in schema.items():
        rule = _RULES.get(keyword)
        if rule is not None and (found := rule(at, value, given)) is not None:
            return found
    return None


def _type(at: _Place, value: Any, given: Any) -> Wrong:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) and name in _TYPES for name in names):
        return None
    if any(_TYPES[name](value) for name in names):
        return None
    return f"{at.path} is no {' or '.join(names)}"


def _enum(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(given, list) or any(_same(value, one) for one in given):
        return None
    return f"{at.path} is none of {_short(json.dumps(given))}"


def _const(at: _Place, value: Any, given: Any) -> Wrong:
    return None if _same(value, given) else f"{at.path} is not {_short(json.dumps(given))}"


def _ref(at: _Place, value: Any, given: Any) -> Wrong:
    found = _at(at.root, given) if isinstance(given, str) else None
    return None if found is None else at.wrong(value, found)


def _all_of(at: _Place, value: Any, given: Any) -> Wrong:
    for one in given if isinstance(given, list) else ():
        if (found := at.wrong(value, one)) is not None:
            return found
    return None


def _any_of(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(given, list) or any(at.fits(value, one) for one in given):
        return None
    if len(given) == 1:
        return at.wrong(value, given[0])
    return f"{at.path} matches none of the {len(given)} alternatives"


def _one_of(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(given, list):
        return None
    matching = sum(at.fits(value, one) for one in given)
    return None if matching == 1 else f"{at.path} matches {matching} of the alternatives instead of one"


def _not(at: _Place, value: Any, given: Any) -> Wrong:
    return f"{at.path} matches what it must not" if at.fits(value, given) else None


def _if(at: _Place, value: Any, given: Any) -> Wrong:
    return at.wrong(value, at.other("then" if at.fits(value, given) else "else"))


def _properties(at: _Place, value: Any, given: Any) -> Wrong:
    if isinstance(value, dict) and isinstance(given, Mapping):
        for name, one in given.items():
            if name in value and (found := at.wrong(value[name], one, _of(at, name))) is not None:
                return found
    return None


def _required(at: _Place, value: Any, given: Any) -> Wrong:
    if isinstance(value, dict) and isinstance(given, list):
        for name in given:
            if isinstance(name, str) and name not in value:
                return f"{_of(at, name)} is missing"
    return None


def _additional(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(value, dict):
        return None
    known, patterns = at.other("properties"), at.other("patternProperties")
    for name, item in value.items():
        if isinstance(known, Mapping) and name in known:
            continue
        if isinstance(patterns, Mapping) and any(_found(pattern, name) for pattern in patterns):
            continue
        if (found := at.wrong(item, given, _of(at, name))) is not None:
            return found
    return None


def _patterned(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(value, dict) or not isinstance(given, Mapping):
        return None
    for pattern, one in given.items():
        for name, item in value.items():
            if _found(pattern, name) and (found := at.wrong(item, one, _of(at, name))) is not None:
                return found
    return None


def _names(at: _Place, value: Any, given: Any) -> Wrong:
    for name in value if isinstance(value, dict) else ():
        if (found := at.wrong(name, given, f"the name of {_of(at, name)}")) is not None:
            return found
    return None


def _first_items(at: _Place, value: Any, given: Any) -> Wrong:
    if isinstance(value, list) and isinstance(given, list):
        for place, (item, one) in enumerate(zip(value, given, strict=False)):
            if (found := at.wrong(item, one, f"{at.path}[{place}]")) is not None:
                return found
    return None


def _items(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(value, list):
        return None
    if isinstance(given, list):  # how older drafts write prefixItems
        return _first_items(at, value, given)
    first = at.other("prefixItems")
    for place in range(len(first) if isinstance(first, list) else 0, len(value)):
        if (found := at.wrong(value[place], given, f"{at.path}[{place}]")) is not None:
            return found
    return None


def _contains(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(value, list):
        return None
    least, most = at.other("minContains"), at.other("maxContains")
    matching = sum(at.fits(item, given) for item in value)
    least = least if _is_number(least) else 1
    if matching < least or (_is_number(most) and matching > most):
        return f"{at.path} holds {matching} items of the sort that it has to contain"
    return None


def _unique(at: _Place, value: Any, given: Any) -> Wrong:
    if given is not True or not isinstance(value, list):
        return None
    seen: set[Hashable] = set()
    for place, item in enumerate(value):
        if (key := _key(item)) in seen:
            return f"{at.path}[{place}] occurs twice"
        seen.add(key)
    return None


def _pattern(at: _Place, value: Any, given: Any) -> Wrong:
    if not isinstance(value, str) or not isinstance(given, str) or _found(given, value, otherwise=True):
        return None
    return f"{at.path} does not match the pattern {_short(given)}"


def _multiple(at: _Place, value: Any, given: Any) -> Wrong:
    if not _is_number(value) or not _is_number(given) or given <= 0:
        return None
    try:
        times = value / given if isinstance(given, float) or isinstance(value, float) else value % given
        whole = times == int(times) if isinstance(times, float) else times == 0
    except OverflowError:
        return None
    return None if whole else f"{at.path} is no multiple of {given}"


def _bound(
    measure: Callable[[Any], Any], fits: Callable[[Any, Any], bool], said: str,
    at: _Place, value: Any, given: Any,
) -> Wrong:  # fmt: skip
    size = measure(value)
    if size is None or not _is_number(given) or fits(size, given):
        return None
    return f"{at.path} {said} {given}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> Any:
    return value if _is_number(value) else None


def _size_of(sort: type[str | list[Any] | dict[str, Any]]) -> Callable[[Any], int | None]:
    return lambda value: len(value) if isinstance(value, sort) else None


def _up_to(size: Any, limit: Any) -> bool:
    return bool(size <= limit)


def _from(size: Any, limit: Any) -> bool:
    return bool(size >= limit)


def _below(size: Any, limit: Any) -> bool:
    return bool(size < limit)


def _above(size: Any, limit: Any) -> bool:
    return bool(size > limit)


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but neither is true."""
    return _key(one) == _key(other)


def _key(value: Any) -> Hashable:
    """What is equal for equal values, and can be kept in a set."""
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, list):
        return "list", tuple(map(_key, value))
    if isinstance(value, dict):
        return "object", frozenset((name, _key(item)) for name, item in value.items())
    key: Hashable = value
    return key


def _found(pattern: Any, text: str, *, otherwise: bool = False) -> bool:
    """Whether a pattern occurs in a text; `otherwise` where Python cannot read it."""
    try:
        return re.search(pattern, text) is not None
    except (re.error, TypeError):
        return otherwise


def _at(root: Any, reference: str) -> Any:
    """The part of a schema that `#/…` points to; None for any other reference, and where nothing is."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in reference[1:].split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found if reference in ("#", "#/") or reference.startswith("#/") else None


def _of(at: _Place, name: str) -> str:
    return f"{at.path}.{_short(name)}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_TYPES: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "object": lambda value: isinstance(value, dict),
        "array": lambda value: isinstance(value, list),
        "string": lambda value: isinstance(value, str),
        "number": _is_number,
        "integer": lambda value: _is_number(value) and value == value // 1,
        "boolean": lambda value: isinstance(value, bool),
        "null": lambda value: value is None,
    }
)
_RULES: Mapping[str, Callable[[_Place, Any, Any], Wrong]] = MappingProxyType(
    {
        "type": _type,
        "enum": _enum,
        "const": _const,
        "$ref": _ref,
        "allOf": _all_of,
        "anyOf": _any_of,
        "oneOf": _one_of,
        "not": _not,
        "if": _if,
        "required": _required,
        "properties": _properties,
        "additionalProperties": _additional,
        "patternProperties": _patterned,
        "propertyNames": _names,
        "prefixItems": _first_items,
        "items": _items,
        "contains": _contains,
        "uniqueItems": _unique,
        "pattern": _pattern,
        "multipleOf": _multiple,
        "minimum": partial(_bound, _number, _from, "is less than"),
        "maximum": partial(_bound, _number, _up_to, "is more than"),
        "exclusiveMinimum": partial(_bound, _number, _above, "is not more than"),
        "exclusiveMaximum": partial(_bound, _number, _below, "is not less than"),
        "minLength": partial(_bound, _size_of(str), _from, "is shorter than"),
        "maxLength": partial(_bound, _size_of(str), _up_to, "is longer than"),
        "minItems": partial(_bound, _size_of(list), _from, "has fewer items than"),
        "maxItems": partial(_bound, _size_of(list), _up_to, "has more items than"),
        "minProperties": partial(_bound, _size_of(dict), _from, "has fewer members than"),
        "maxProperties": partial(_bound, _size_of(dict), _up_to, "has more members than"),
    }
)
