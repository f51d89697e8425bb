"""The JSON Schema of a settings file, for editors: shorthands included, `${NAME}` where a number may be."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from . import policies, settings
from .sections import Section
from .settings import Settings

_VARIABLE = {"type": "string", "pattern": r"\$\{", "description": "An environment variable."}
_TYPED = frozenset({"boolean", "integer", "number"})


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that every loadable file satisfies once it is read as YAML 1.2."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    for name, model in ({"Settings": schema} | definitions).items():
        _describe(model, name)
    definitions["Node"] = _node(definitions)
    _name_nodes(schema)
    _allow_flags(schema, frozenset(f"#/$defs/{name}" for name in definitions if _is_switch(name)))
    _allow_variables(schema)
    properties = schema["properties"]
    _also(properties["providers"], "additionalProperties", {"type": "null"})
    _also(properties["routes"], "additionalProperties", _list_of_nodes())
    amount = definitions["PriceRow"]["properties"]["input"]
    plain = {key: item for key, item in amount.items() if key not in ("title", "description")}
    pair = {"type": "array", "prefixItems": [plain, plain], "minItems": 2, "maxItems": 2}
    _also(properties["prices"], "additionalProperties", plain, pair)
    keys = definitions["ProviderSettings"]["properties"]["api_keys"]
    _also(keys, "items", definitions["KeyNode"]["properties"]["key"])
    names = {"type": "string", "minLength": 1}
    for name in list(properties):
        properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    properties["include"] = {
        "description": "Other files, relative to this one, whose providers, routes and prices are added.",
        "anyOf": [names, {"type": "array", "items": names}],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "turnout settings",
        "type": ["object", "null"],
    }


def _describe(schema: dict[str, Any], name: str) -> None:
    """Put the docstrings of a model's fields into its schema, where an editor shows them."""
    model = getattr(settings, name, None) or getattr(policies, name, None)
    if not (inspect.isclass(model) and issubclass(model, Section)):
        return
    for part in reversed(model.__mro__):
        if issubclass(part, Section):
            for key, text in _docstrings(part):
                schema["properties"][key]["description"] = text


def _is_switch(name: str) -> bool:
    model = getattr(policies, name, None)
    return inspect.isclass(model) and issubclass(model, policies.Switch)


def _docstrings(model: type[Section]) -> Iterator[tuple[str, str]]:
    """What stands below the fields of a class, those that it inherits aside."""
    body = ast.parse(inspect.getsource(model)).body[0]
    for field, below in zip(body.body, body.body[1:], strict=False) if isinstance(body, ast.ClassDef) else ():
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(text))):
                yield key, text


def _allow_flags(schema: Any, switches: frozenset[str]) -> None:
    """Let true and false stand where one of the sections may that are switched on or off."""
    if isinstance(schema, list):
        for item in schema:
            _allow_flags(item, switches)
    elif isinstance(schema, dict):
        for item in schema.values():
            _allow_flags(item, switches)
        choices = schema.get("anyOf", [])
        if any(choice.get("$ref") in switches for choice in choices):
            choices.append({"type": "boolean"})


def _node(definitions: dict[str, Any]) -> dict[str, Any]:
    nodes = [
        {"$ref": f"#/$defs/{name}"}
        for name in ("TargetNode", "RouteNode", "ChainNode", "PoolNode")
        if name in definitions
    ]
    shorthand = {"type": "string", "minLength": 1, "description": "provider/model, or the name of a route."}
    return {"description": "One step of a chain.", "anyOf": [shorthand, *nodes]}


def _list_of_nodes() -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": "#/$defs/Node"}, "minItems": 1}


def _also(holder: dict[str, Any], key: str, *schemas: dict[str, Any]) -> None:
    holder[key] = {"anyOf": [holder[key], *schemas]}


def _name_nodes(schema: Any) -> None:
    """Point every list of nodes at the one definition that knows the shorthands."""
    if isinstance(schema, list):
        for item in schema:
            _name_nodes(item)
    elif isinstance(schema, dict):
        if "oneOf" in schema.get("items", {}):
            schema["items"] = {"$ref": "#/$defs/Node"}
        for item in schema.values():
            _name_nodes(item)


def _allow_variables(schema: Any) -> None:
    """Let a variable stand where the schema wants a number, one of some words, or text of a certain form."""
    if isinstance(schema, list):
        for item in schema:
            _allow_variables(item)
        return
    if not isinstance(schema, dict):
        return
    for item in schema.values():
        _allow_variables(item)
    if schema.get("type") in _TYPED or "enum" in schema or "const" in schema or "pattern" in schema:
        kept = {key: schema.pop(key) for key in ("title", "description", "default") if key in schema}
        rule = dict(schema)
        schema.clear()
        schema.update(kept, anyOf=[rule, dict(_VARIABLE)])
