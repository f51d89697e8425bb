"""The models themselves, for settings made in Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from turnout.config import settings as module
from turnout.config.connections import check_base_url
from turnout.config.policies import Breaker, Hedge, Retry, RetryBudget, SlowStream, Switch
from turnout.config.scalars import Substituted
from turnout.config.sections import Section
from turnout.config.settings import PriceRow, ProviderSettings, Route, Settings, TargetNode

SECTIONS = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Section)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_sections_are_frozen_and_refuse_unknown_keys_and_hide_values(section: type[BaseModel]) -> None:
    assert section.model_config["frozen"]
    assert section.model_config["extra"] == "forbid"
    assert section.model_config["hide_input_in_errors"]


def test_no_validation_error_shows_a_secret() -> None:
    for wrong in (
        {"api_key": 123456},
        {"api_key": "sk 123456"},
        {"headers": {"A": "123456\n"}},
        {"base_url": "123456"},
    ):
        with pytest.raises(ValidationError) as caught:
            ProviderSettings.model_validate(wrong)
        assert "123456" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    provider = ProviderSettings.model_validate(
        {"api_key": "sk-123456", "headers": {"Authorization": "Basic 123456"}, "query": {"key": "123456"}}
    )
    assert "123456" not in repr(provider)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v1", "https://llm.example", "https://{resource}.openai.azure.com/openai", "http://[::1]:8/v1"]
)  # fmt: skip
def test_a_base_url_is_an_http_address(url: str) -> None:
    assert check_base_url(url) == url


@pytest.mark.parametrize(
    "url", ["", "llm.example", "ftp://x", "https://", "https:///v1", "https://x:port/", "https://x:99999/", "https://u:p@x",
            "https://u@x", "https://x/v1?a=b", "https://x/#", "https://x/v 1", "https://x/?", "http://[x/"],
)  # fmt: skip
def test_anything_else_is_not(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|url"):
        check_base_url(url)


@given(st.text())
def test_any_text_is_a_url_or_a_value_error(url: str) -> None:
    try:
        scheme = check_base_url(url).lower().partition(":")[0]
    except ValueError:
        return
    assert scheme in ("http", "https")


def test_an_empty_key_is_no_key_and_space_around_one_is_dropped() -> None:
    assert ProviderSettings.model_validate({"api_key": ""}).api_key is None
    assert ProviderSettings.model_validate({"api_key": None}).api_key is None
    assert ProviderSettings.model_validate({"api_key": " sk-1\n"}).api_key == SecretStr("sk-1")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"": "x"}, "is not a header's name"),
        ({"A:": "x"}, "is not a header's name"),
        ({"host": "x"}, "belongs to the HTTP client"),
        ({"A": "x\r\nB: y"}, "one line of ASCII"),
        ({"A": "\x00"}, "one line of ASCII"),
        ({"A": "grün"}, "one line of ASCII"),
        ({"A": "x", "a": "y"}, "are the same header"),
    ],
)
def test_headers_that_http_cannot_carry_are_refused(headers: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ProviderSettings.model_validate({"headers": headers})


@given(st.text())
def test_a_header_never_holds_a_second_line(value: str) -> None:
    try:
        kept = ProviderSettings.model_validate({"headers": {"A": value}}).headers["A"].get_secret_value()
    except ValidationError:
        return
    assert kept == value
    assert "\n" not in kept
    assert "\r" not in kept


def test_a_target_overrides_any_field_but_the_routers_own() -> None:
    node = TargetNode.model_validate(
        {"target": "a/b/c", "request": {"top_k": Substituted("4", "${K}"), "seed": None}}
    )
    assert (node.provider, node.model, node.request) == ("a", "b/c", {"top_k": 4, "seed": None})
    for field in ("model", "messages", "stream"):
        with pytest.raises(ValidationError, match="the router's own to set"):
            TargetNode(target="a/b", request={field: 1})


def test_quirks_read_numbers_from_the_environment() -> None:
    quirks = {"local": Substituted("true", "${LOCAL}"), "options": {"n": Substituted("1", "${N}")}}
    assert ProviderSettings.model_validate({"quirks": quirks}).quirks == {"local": True, "options": {"n": 1}}


@pytest.mark.parametrize("attempts", [True, "3", 0, 21, 1.5, None, Substituted("many", "${N}")])
def test_a_number_of_attempts_is_a_number(attempts: Any) -> None:
    with pytest.raises(ValidationError):
        Retry.model_validate({"attempts": attempts})


def test_a_route_is_a_list_or_a_mapping() -> None:
    assert Route.model_validate(["a/b"]) == Route.model_validate({"chain": ["a/b"]})
    with pytest.raises(ValidationError):
        Route.model_validate("a/b")


@pytest.mark.parametrize("section", [Breaker, RetryBudget, Hedge, SlowStream])
def test_a_part_is_switched_by_one_word(section: type[Switch]) -> None:
    assert section.model_validate(True) == section.model_validate({}) == section()
    assert not section.model_validate(False).enabled
    assert section.model_validate(Substituted("true", source="${ON}")).enabled
    wrong: list[object] = ["true", Substituted("yes", source="${ON}"), 1, []]
    for word in wrong:
        with pytest.raises(ValidationError, match="write true, false, or a mapping"):
            section.model_validate(word)


def test_prices_have_a_shorthand() -> None:
    full = PriceRow.model_validate({"input": "$1", "output": 2})
    assert PriceRow.model_validate([1, "2"]) == full
    assert PriceRow.model_validate(0) == PriceRow.model_validate({"input": 0, "output": 0})
    assert PriceRow.model_validate(full) is full
    with pytest.raises(ValidationError):
        PriceRow.model_validate([1, 2, 3])


def test_a_dump_makes_the_same_settings_again() -> None:
    value = {
        "providers": {"a": None},
        "routes": {"r": ["a/b", {"chain": ["a/c", "s"]}], "s": ["a/b"]},
        "prices": {"a/*": 1},
    }
    made = Settings.model_validate(value)
    assert Settings.model_validate(made.model_dump()) == made
