"""The public door: what it offers is there, is documented, and is the same object wherever it is found."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import turnout

DOOR = ast.parse(Path(turnout.__file__).read_text("utf-8"))


def names_for_type_checkers() -> dict[str, str]:
    """What the `if TYPE_CHECKING` block imports, and from where."""
    found: dict[str, str] = {}
    for node in ast.walk(DOOR):
        if isinstance(node, ast.ImportFrom) and node.module not in (
            None,
            "__future__",
            "importlib",
            "typing",
        ):
            home = node.module if node.level == 0 else f"turnout.{node.module}"
            found |= {alias.name: str(home) for alias in node.names}
    return found


@pytest.mark.parametrize("name", turnout.__all__)
def test_every_name_exists_and_says_what_it_is(name: str) -> None:
    value = getattr(turnout, name)

    assert getattr(turnout, name) is value
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    typed = names_for_type_checkers()

    assert set(typed) == set(turnout.__all__)
    for name, home in typed.items():
        assert getattr(importlib.import_module(home), name) is getattr(turnout, name), name


def test_names_are_sorted_and_listed_by_dir() -> None:
    assert sorted(turnout.__all__, key=str.lower) == sorted(set(turnout.__all__), key=str.lower)
    assert dir(turnout) == sorted(turnout.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Rooter'"):
        turnout.Rooter  # noqa: B018


def test_every_error_of_the_tree_has_one_root() -> None:
    errors = [getattr(turnout, name) for name in turnout.__all__ if name.endswith("Error")]

    assert len(errors) > 20
    assert all(issubclass(error, turnout.TurnoutError) for error in errors)
