"""JSON Schemas as Anthropic compiles them, for strict tools and for answers of a given form.

Source: Claude docs on structured outputs and the schema helper of anthropic 2.12, read 2026-11-21. Schemas of
tools that are not strict are not compiled, and may be any JSON Schema.
"""

from __future__ import annotations

from typing import Any

from .draft import Json

_REFUSED = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "pattern", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems",
        "minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired",
        "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "if", "then", "else", "not",
    }
)  # fmt: skip
"""Keywords that make the API refuse a compiled schema; `pattern` it takes only in part."""
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_MAPS = frozenset({"properties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "allOf"})
_OF_TYPE = {
    "properties": "object", "required": "object", "additionalProperties": "object", "items": "array",
    "minItems": "array", "format": "string",
}  # fmt: skip
"""Keyword -> the one type that it says something of."""


def open_ended(schema: Json) -> bool:
    """Whether a schema leaves the keys of its object open, which no compiled schema can say."""
    said = {"properties", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"}
    return schema.get("type", "object") == "object" and not said & schema.keys()


def compiled(schema: Json) -> tuple[Json, list[str]]:
    """A schema as the API compiles it, and the keywords that had to go or to change, each once."""
    changed: dict[str, None] = {}
    written = _schema(schema, changed)
    return (written if isinstance(written, dict) else {"type": "object"}), list(changed)


def _schema(schema: Any, changed: dict[str, None]) -> Any:
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    lost: list[str] = []
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, dict):
            kept[key] = {name: _schema(inner, changed) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            kept[key] = [_schema(inner, changed) for inner in value]
        elif key == "oneOf" and isinstance(value, list):
            changed[key] = None
            kept["anyOf"] = [*kept.get("anyOf", ()), *(_schema(inner, changed) for inner in value)]
        elif key == "items":
            kept[key] = _schema(value, changed)
        elif _taken(key, value):
            kept[key] = value
        else:
            changed[key] = None
            lost.append(f"{key}: {value}" if isinstance(value, str | int | float) else "")
    _note(kept, lost)
    _close(kept, changed)
    return _one_type(kept)


def _taken(key: str, value: Any) -> bool:
    if key == "minItems":
        return value in (0, 1)
    if key == "format":
        return value in _FORMATS
    return key not in _REFUSED


def _note(schema: Json, lost: list[str]) -> None:
    """Tell the model in the description what the schema can no longer hold it to."""
    said = ", ".join(filter(None, lost))
    if said:
        before = schema.get("description")
        schema["description"] = f"{before}\n\n({said})" if before else f"({said})"


def _close(schema: Json, changed: dict[str, None]) -> None:
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        if schema.get("additionalProperties", False) is not False:
            changed["additionalProperties"] = None
        schema["additionalProperties"] = False


def _one_type(schema: Json) -> Json:
    """A list of types written as anyOf, which is what the compiler reads."""
    kinds = schema.get("type")
    if not isinstance(kinds, list):
        return schema
    rest = {key: value for key, value in schema.items() if key != "type"}
    if "enum" in rest or "const" in rest:
        return rest
    about = {key: rest.pop(key) for key in list(rest) if key not in _OF_TYPE}
    variants = [
        {"type": kind, **{key: value for key, value in rest.items() if _OF_TYPE[key] == kind}}
        for kind in kinds
    ]
    if "anyOf" in about:  # both must hold
        return {**about, "allOf": [*about.get("allOf", ()), {"anyOf": variants}]}
    return {**about, "anyOf": variants}
