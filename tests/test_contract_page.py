"""Walks the models and docs/contract.md together, so that neither can say what the other does not."""

from __future__ import annotations

import ast
import inspect
import re
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic.fields import FieldInfo

from turnout.providers import chat
from turnout.providers.chat import ChatCompletion, ContentPart, Record

PAGE = Path(__file__).parents[1] / "docs" / "contract.md"
MODELS: dict[str, type[Record]] = {
    name: model
    for name in chat.__all__
    if isinstance(model := getattr(chat, name), type) and issubclass(model, Record) and model is not Record
}
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}


def rows_of(model: type[Record]) -> list[str]:
    """The table rows that describe a model: wire name, type with its bounds, meaning."""
    meanings = docstrings(model)
    return [
        f"| `{field.alias or name}` | {type_of(field)} | {meanings[name]} |"
        for name, field in sorted(model.model_fields.items(), key=lambda item: not item[1].is_required())
    ]


def type_of(field: FieldInfo) -> str:
    """A field's type, bounds and whether it is required, in words."""
    bounds = [text for item in field.metadata if (text := bound_in_words(item))]
    notes = [*bounds, *(["required"] if field.is_required() else [])]
    return ", ".join([in_words(field.annotation), *notes])


def in_words(annotation: Any) -> str:
    """A Python type as the page puts it."""
    if annotation == ContentPart:
        return "[content part](#content-parts)"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [text for item in args[1:] if (text := bound_in_words(item))]
        return ", ".join([in_words(args[0]), *bounds])
    if origin is Literal:
        return " · ".join(f"`{word}`" for word in args)
    if origin in (Union, types.UnionType):
        shapes = dict.fromkeys(in_words(arg) for arg in args if arg is not type(None))
        return " or ".join(
            shape for shape in shapes if shape.removeprefix("whole ") not in set(shapes) - {shape}
        )
    if origin is list:
        return f"list of {within(args[0])}"
    if origin is dict:
        return "object" if args[1] is Any else f"object: {within(args[0])} → {within(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return WORDS.get(annotation, "decimal as text")


def within(annotation: Any) -> str:
    """A Python type inside another, its bounds in brackets."""
    shape, _, bounds = in_words(annotation).partition(", ")
    return f"{shape} ({bounds})" if bounds else shape


def bound_in_words(item: Any) -> str | None:
    """One constraint of pydantic's, or None for what is no bound."""
    if isinstance(item, FieldInfo):
        return ", ".join(text for inner in item.metadata if (text := bound_in_words(inner))) or None
    if isinstance(item, Ge):
        return f"≥ {item.ge}"
    if isinstance(item, Le):
        return f"≤ {item.le}"
    if isinstance(item, MinLen):
        return "not empty"
    if isinstance(item, MaxLen):
        return f"at most {item.max_length}"
    pattern = getattr(item, "pattern", None)
    return f"`{pattern}`".replace("|", "\\|") if pattern else None


def docstrings(model: type[Record]) -> dict[str, str]:
    """The text under each field in the source of a model and of the models it extends."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, Record) or cls is Record:
            continue
        (body,) = [node for node in ast.parse(inspect.getsource(cls)).body if isinstance(node, ast.ClassDef)]
        for field, text in zip(body.body, body.body[1:], strict=False):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(meaning))),
                ):
                    found[name] = " ".join(meaning.split()).replace("|", "\\|")
    return found


def sections() -> dict[str, list[str]]:
    """The page's rows by the model whose heading they stand under."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"### (\w+)", line):
            name = heading[1]
            found[name] = []
        elif line.startswith("#"):
            name = ""
        elif name and line.startswith("| `"):
            found[name].append(line)
    return found


def test_every_public_model_has_its_section_and_no_other_has() -> None:
    assert sorted(sections()) == sorted(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_table_lists_every_field_as_the_model_has_it(name: str) -> None:
    assert sections()[name] == rows_of(MODELS[name])


def test_every_name_a_field_refers_to_is_public() -> None:
    linked = set(re.findall(r"\]\(#(\w+)\)", PAGE.read_text(encoding="utf-8")))
    assert linked <= {name.lower() for name in MODELS} | {"content-parts"}


def test_the_json_schema_tells_the_same_names() -> None:
    # Gateways and editors read this schema; it must not hide or rename a field of the page.
    schema = ChatCompletion.model_json_schema(by_alias=True)
    assert sorted(schema["properties"]) == sorted(
        field.alias or name for name, field in ChatCompletion.model_fields.items()
    )


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["request"].wire()["max_completion_tokens"] == 100
