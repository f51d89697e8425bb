"""YAML with places."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config.documents import Document, Place
from turnout.config.yaml_nodes import read_yaml


def read(text: str, **env: str) -> Document:
    """The text as if it stood in f.yaml."""
    return read_yaml(text, file="f.yaml", env=env)


def test_keys_and_values_know_their_places() -> None:
    document = read("routes:\n  on: [a/b, {target: c/d}]\n")
    assert document.value == {"routes": {"on": ["a/b", {"target": "c/d"}]}}
    assert document.place(("routes", "on"), key=True) == Place("f.yaml", 2, 3)
    assert document.place(("routes", "on")) == Place("f.yaml", 2, 7)
    assert document.place(("routes", "on", 1, "target")) == Place("f.yaml", 2, 22)
    assert document.place(("routes", "on", 1, "request", "user")) == Place("f.yaml", 2, 13)
    assert Document().place(("nowhere",)) is None


def test_words_are_read_by_yaml_1_2_and_keys_are_always_text() -> None:
    text = "on: no\n200: 0o17\ntrue: ~\nq: '5'\ns: !!str 5\ni: !!int '5'\nl: !!seq [1]\nd: 2026-11-21\n"
    assert read(text).value == {
        "on": "no", "200": 15, "true": None, "q": "5", "s": "5", "i": 5, "l": [1], "d": "2026-11-21",
    }  # fmt: skip


def test_merges_fill_in_what_is_not_said_nearest_first() -> None:
    document = read(
        "base: &base {a: 1, b: 1, c: 1}\nmore: &more {<<: *base, b: 2}\n"
        "one: {<<: *more, c: 3}\ntwo: {<<: [*more, {d: 4, a: 9}], '<<': kept}\n"
    )
    assert isinstance(document.value, dict)
    assert document.value["one"] == {"a": 1, "b": 2, "c": 3}
    assert document.value["two"] == {"a": 1, "b": 2, "c": 1, "d": 4, "<<": "kept"}
    assert document.place(("one", "b"), key=True) == Place("f.yaml", 2, 25)
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a {<<: *a}", "1:4: << takes an alias of another mapping"),
        ("a: &a {<<: [*a]}", "<< takes an alias of another mapping"),
        ("? [a]\n: 1", "1:3: a key is a word, not a list or a mapping"),
        ("x: &x {? [a] : 1}\ny: {<<: *x}", "1:10: a key is a word"),
        ("a: !!set {x}", "1:4: the tag !!set means nothing here"),
        ("[" * 3000, "1:1: the file is nested too deeply to be settings"),
        ("[" * 120 + "]" * 120, "1:101: this is nested too deeply to be settings"),
        ("a: b\nc: \x00", "2:4: a control character has no place in YAML"),
        ("a: 1\n\nb", "3:2: this is not YAML: while scanning a simple key, could not find expected ':'"),
        ("a: &x 1\nb: &x 2", "2:4: this is not YAML: found duplicate anchor 'x'"),
        ("a: >\n  one ${A}\n  two ${B}", "2:7: the environment variable A is not set"),
        ("a: >\n  one ${A}\n  two ${B}", "3:7: the environment variable B is not set"),
        ("a: 'it''s ${A}'", "1:11: the environment variable A"),
        ('a: "\\x24{A} ${B}"', "1:4: the environment variable A"),
        ("a: {}\r\nb: ${A}\r\n", "2:4: the environment variable A"),
        ("ä: [ü, ${A}]", "not YAML"),
        ("ä: [ü, '${A}']", "1:9: the environment variable A"),
    ],
)
def test_problems_stand_where_they_are(text: str, problem: str) -> None:
    assert problem in "\n".join(map(str, read(text).problems))


def test_merges_cannot_be_used_to_fill_the_memory() -> None:
    lines = ["m0: &m0 {k: v}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    problems = read("\n".join(lines)).problems
    assert "aliases expand this file to more than" in problems[0].message


def test_variables_become_text_that_can_still_be_a_number() -> None:
    document = read('a: ${N}\nb: "${N}"\nc: !!str "${N}"\nd: !!str ${N}\ne: "$${N}"\n', N="5")
    assert isinstance(document.value, dict)
    assert document.value == {"a": "5", "b": "5", "c": "5", "d": "5", "e": "${N}"}
    assert [value.resolved() for value in document.value.values()] == [5, 5, "5", "5", "${N}"]


def test_an_empty_file_says_nothing() -> None:
    assert read("# nothing\n").value is None
    assert read("").problems == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abü-_ ", min_size=1), inner),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(_JSON)
def test_json_is_yaml(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False).replace("${", "$${")
    document = read(text)
    assert document.problems == []
    assert document.value == value


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("ab: -[]{}&*!|>'\"%@`#,?\n\t$~<0")))
def test_no_text_breaks_the_reader(text: str) -> None:
    document = read(text)
    for problem in document.problems:
        assert problem.line is not None
        assert problem.column is not None
        assert problem.line >= 1
        assert problem.column >= 1
