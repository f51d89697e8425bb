"""JSON Schemas in the part of the language that Gemini takes.

Source: the fields `parametersJsonSchema` and `responseJsonSchema` of google-genai 3.4.0 types.py, 2026-11-21.
"""

from __future__ import annotations

from typing import Any

from .draft import Draft, Json

_KEPT = frozenset(
    {
        "$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items",
        "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties",
        "additionalProperties", "required", "propertyOrdering",
    }
)  # fmt: skip
_SILENT = frozenset({"$schema", "$comment", "definitions", "const", "allOf", "strict"})
"""Keywords that say nothing about the value, or that are written in another way."""
_NAMED = frozenset({"properties", "$defs"})
"""Keywords whose keys are names of the caller's own."""
_WORD_FOR_WORD = frozenset({"enum", "required", "propertyOrdering", "type"})


def cleaned(schema: Json, path: str, draft: Draft) -> Json:
    """The schema with the keywords that the wire keeps; what is left out is reported once."""
    dropped: set[str] = set()
    clean: Json = _clean(schema, dropped)
    if dropped:
        words = ", ".join(sorted(dropped))
        draft.report(path, "dropped", f"keywords of JSON Schema that this wire does not know: {words}")
    return clean


def _clean(schema: Any, dropped: set[str]) -> Any:
    if isinstance(schema, list):
        return [_clean(item, dropped) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = _respelled(schema, dropped)
    kept: Json = {}
    for key, value in schema.items():
        if key not in _KEPT:
            if key not in _SILENT:
                dropped.add(key)
        elif key in _NAMED and isinstance(value, dict):
            kept[key] = {name: _clean(inner, dropped) for name, inner in value.items()}
        elif key == "$ref" and isinstance(value, str):
            kept[key] = value.replace("#/definitions/", "#/$defs/")
        else:
            kept[key] = value if key in _WORD_FOR_WORD else _clean(value, dropped)
    beside = [key for key in kept if not key.startswith("$")]
    if "$ref" in kept and beside:  # a reference stands alone, or inside of something
        wrapped = {key: kept.pop(key) for key in beside}
        return {**{key: kept.pop(key) for key in ("$defs",) if key in kept}, **wrapped, "anyOf": [kept]}
    return kept


def _respelled(schema: Json, dropped: set[str]) -> Json:
    """The same said with the keywords that are known, where that can be done."""
    definitions = schema.get("definitions")
    if isinstance(definitions, dict):
        schema = {**schema, "$defs": {**definitions, **(schema.get("$defs") or {})}}
    if isinstance(schema.get("const"), str | int) and not isinstance(schema["const"], bool):
        schema = {"enum": [schema["const"]], **schema}
    elif "const" in schema:
        dropped.add("const")
    parts = schema.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        schema = _joined(schema, part, dropped) if isinstance(part, dict) else schema
    return schema


def _joined(schema: Json, part: Json, dropped: set[str]) -> Json:
    """Two schemas that both hold, as one; what cannot be said of both is dropped."""
    joined = dict(schema)
    for key, value in part.items():
        have = joined.get(key)
        if key not in joined:
            joined[key] = value
        elif key == "properties" and isinstance(have, dict) and isinstance(value, dict):
            joined[key] = {**value, **have}
        elif key == "required" and isinstance(have, list) and isinstance(value, list):
            joined[key] = [*have, *(name for name in value if name not in have)]
        elif have != value:
            dropped.add("allOf")
    return joined
