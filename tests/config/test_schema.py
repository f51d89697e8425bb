"""The schema that editors use agrees with the loader about good files and bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from turnout.config.examples import example_path, names
from turnout.config.loading import json_schema
from turnout.config.yaml_nodes import read_yaml

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
FIXTURES = Path(__file__).parent.parent / "fixtures"
GOOD = [*sorted((FIXTURES / "good_yaml").glob("*.yaml")), *map(example_path, names())]
BEYOND_A_SCHEMA = {
    # names that must exist, circles and repetitions, and what only filling in the variables shows
    "cycle_of_itself", "cycle_of_two", "dialect_without_base_url", "include_clashes", "include_missing",
    "preset_unknown", "provider_without_preset", "provider_unknown", "route_unknown", "unreachable_route",
    "unreachable_target", "route_name_with_slash", "provider_name_with_slash",
    "api_key_with_a_space", "deadline_from_the_environment", "environment_in_a_key", "environment_missing",
    "environment_malformed", "header_broken", "header_twice", "base_url_holds_a_password",
    "price_tiers_not_rising", "token_and_key",
    "request_takes_the_model", "target_malformed", "duplicate_key", "tag", "merge_of_a_word",
}  # fmt: skip


def unfilled(file: Path) -> object:
    """The file as an editor sees it: variables not filled in."""

    class Unfilled(dict[str, str]):
        def __contains__(self, name: object) -> bool:
            return True

        def get(self, name: str, default: object = None) -> str:
            return f"${{{name}}}"

    return read_yaml(file.read_text("utf-8"), file=file.name, env=Unfilled()).value


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["Retry"]["properties"]["factor"]["description"].startswith("What the ceiling")


def test_every_field_has_a_description() -> None:
    for name, definition in SCHEMA["$defs"].items():
        for field, schema in definition.get("properties", {}).items():
            assert "description" in schema or name == "PriceTier", f"{name}.{field}"


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.name)
def test_good_files_satisfy_it(file: Path) -> None:
    VALIDATOR.validate(unfilled(file))


@pytest.mark.parametrize("file", sorted((FIXTURES / "bad_yaml").glob("*.yaml")), ids=lambda file: file.stem)
def test_bad_files_do_not_unless_no_schema_could_tell(file: Path) -> None:
    document = read_yaml(file.read_text("utf-8"), file=file.name, env={})
    if document.value is None and document.problems:
        return  # not YAML at all
    assert VALIDATOR.is_valid(unfilled(file)) == (file.stem in BEYOND_A_SCHEMA)
