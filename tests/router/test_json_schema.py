"""The check of answers against their schemas, held against the reference implementation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from turnout.json_schema import mismatch

NAMES = st.sampled_from(["a", "b", "list", ""])
TEXTS = st.sampled_from(["", "a", "b", "ab", "2024-01-01", "é"])
NUMBERS = st.sampled_from([0, 1, -1, 2, 3, 7, 1.0, 0.5, 2.5, 1e3, 10**20])
PATTERNS = st.sampled_from(["^a", "b$", "^[0-9-]+$", "."])
SIZES = st.integers(0, 3)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects of keywords whose own schemas are of `inner`."""
    several = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(NAMES, inner, max_size=2)
    words = ["object", "array", "string", "number", "integer", "boolean", "null"]
    types = st.sampled_from(words)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types | st.lists(types, min_size=1, max_size=3, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "allOf": several, "anyOf": several, "oneOf": several, "not": inner,
            "if": inner, "then": inner, "else": inner,
            "properties": named,
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
            "propertyNames": inner,
            "prefixItems": several, "items": inner,
            "contains": inner, "minContains": SIZES, "maxContains": SIZES,
            "uniqueItems": st.booleans(),
            "pattern": PATTERNS, "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minimum": NUMBERS, "maximum": NUMBERS, "exclusiveMinimum": NUMBERS, "exclusiveMaximum": NUMBERS,
            "minLength": SIZES, "maxLength": SIZES, "minItems": SIZES, "maxItems": SIZES,
            "minProperties": SIZES, "maxProperties": SIZES,
            "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b~1c", "#/$defs/d%20e"]),
        },
    )  # fmt: skip


SCHEMAS = st.recursive(st.booleans() | schemas(st.just(True)), schemas, max_leaves=4)
DEFINITIONS = {
    "a": {"type": ["string", "object"], "properties": {"a": {"$ref": "#/$defs/a"}}},
    "b/c": {"type": "integer"},
    "d e": {"items": {"$ref": "#"}, "maxItems": 2},
}


@given(schema=SCHEMAS, value=VALUES)
@example(schema={"const": 1}, value=True)
@example(schema={"enum": [[1.0, {"a": 0}]]}, value=[1, {"a": 0.0}])
@example(schema={"enum": [[0]]}, value=[False])
@example(schema={"uniqueItems": True}, value=[{"a": 1}, {"a": True}, {"a": 1.0}])
@example(schema={"uniqueItems": True}, value=["true", True, ["true"], [], {}, False, 0, None, ""])
def test_it_agrees_with_the_reference_implementation(schema: Any, value: Any) -> None:
    if isinstance(schema, dict):
        schema = {**schema, "$defs": DEFINITIONS}
    expected = Draft202012Validator(schema).is_valid(value)
    assert (mismatch(value, schema) is None) is expected


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150, "multipleOf": 1},
        "mood": {"enum": ["fine", "so-so"]},
        "kind": {"const": "person"},
        "friends": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2, "uniqueItems": True},
        "home": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "place": {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        "tags": {"contains": {"const": "x"}},
        "extra": {"not": {"type": "string"}},
        "pair": {"prefixItems": [{"type": "string"}], "items": False},
        "named": {"propertyNames": {"maxLength": 2}, "maxProperties": 1},
        "alone": {"anyOf": [{"type": "string"}]},
    },
    "patternProperties": {"^x-": {"type": "boolean"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "$ is no object"),
        ({}, "$.name is missing"),
        ({"name": ""}, "$.name is shorter than 1"),
        ({"name": "ann"}, "$.name does not match the pattern ^[A-Z]"),
        ({"name": "Ann", "age": "7"}, "$.age is no integer"),
        ({"name": "Ann", "age": -1}, "$.age is less than 0"),
        ({"name": "Ann", "age": 150}, "$.age is not less than 150"),
        ({"name": "Ann", "mood": "grim"}, '$.mood is none of ["fine", "so-so"]'),
        ({"name": "Ann", "kind": "dog"}, '$.kind is not "person"'),
        ({"name": "Ann", "friends": [{"name": 7}]}, "$.friends[0].name is no string"),
        ({"name": "Ann", "friends": [{"name": "B"}] * 2}, "$.friends[1] occurs twice"),
        ({"name": "Ann", "home": 7}, "$.home matches none of the 2 alternatives"),
        ({"name": "Ann", "place": 7}, "$.place matches 2 of the alternatives instead of one"),
        ({"name": "Ann", "tags": []}, "$.tags holds 0 items of the sort that it has to contain"),
        ({"name": "Ann", "extra": ""}, "$.extra matches what it must not"),
        ({"name": "Ann", "pair": ["a", 1]}, "$.pair[1] is not allowed"),
        ({"name": "Ann", "named": {"abc": 1}}, "the name of $.named.abc is longer than 2"),
        ({"name": "Ann", "named": {"a": 1, "b": 2}}, "$.named has more members than 1"),
        ({"name": "Ann", "alone": 7}, "$.alone is no string"),
        ({"name": "Ann", "x-a": 1}, "$.x-a is no boolean"),
        ({"name": "Ann", "w" * 100: 1}, f"$.{'w' * 60}… is not allowed"),
        ({"name": "Ann", "x-a": True, "age": 7.0, "home": None, "friends": [{"name": "Bo"}]}, None),
    ],
)
def test_what_is_wrong_is_told_by_its_place(value: Any, said: str | None) -> None:
    assert mismatch(value, PERSON) == said
    assert Draft202012Validator(PERSON).is_valid(value) is (said is None)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {"type": 7}, {"type": [7]}, {"type": "text"}, {"enum": 7}, {"allOf": 7}, {"anyOf": 7}, {"oneOf": 7},
        {"properties": 7}, {"required": 7}, {"required": [7]}, {"patternProperties": 7}, {"minimum": "a"},
        {"multipleOf": 0}, {"pattern": "("}, {"pattern": 7}, {"minLength": None}, {"uniqueItems": "yes"},
        {"patternProperties": {"(": False}}, {"$ref": 7}, {"$ref": "https://a.example/schema"},
        {"$ref": "#/nowhere"}, {"$ref": "#/type/0"}, {"$ref": "#anchor"}, {"$ref": "#"}, {"format": "date"},
        {"prefixItems": 7}, {"contains": True, "minContains": "a"}, {"unheard-of": False},
        {"$defs": {"l": [{}]}, "$ref": "#/$defs/l/0"}, {"$defs": {"l": []}, "$ref": "#/$defs/l/0"},
    ],
)  # fmt: skip
def test_a_schema_that_makes_no_sense_lets_everything_pass(schema: Any) -> None:
    for value in ({"a": "b"}, ["a"], "a", 7, None):
        assert mismatch(value, schema) is None


def test_a_number_beyond_all_measure_passes() -> None:
    assert mismatch(10**400, {"multipleOf": 0.5}) is None


def test_what_is_wrong_inside_of_a_combination_is_told() -> None:
    assert mismatch(1, {"allOf": [{"type": "integer"}, {"exclusiveMinimum": 1}]}) == "$ is not more than 1"
    choice = {"if": {"type": "string"}, "then": {"maxLength": 1}, "else": {"maximum": 0}}
    assert mismatch("ab", choice) == "$ is longer than 1"
    assert mismatch(1, choice) == "$ is more than 0"


def test_older_and_other_spellings_are_understood() -> None:
    assert mismatch(["a", 1], {"items": [{"type": "string"}, {"type": "string"}]}) == "$[1] is no string"
    assert mismatch(None, {"type": "string", "nullable": True}) is None
    assert mismatch(None, {"type": "string"}) == "$ is no string"
