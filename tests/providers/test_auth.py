"""Keys become headers in one place, and show nowhere else."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from pydantic import SecretStr

from turnout.providers import auth
from turnout.providers.auth import auth_headers, request_headers, user_agent
from turnout.providers.catalogue import Preset
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai import OpenAIDialect


def target(key: str | None = "sk-secret-7", *, headers: dict[str, str] | None = None, **row: Any) -> Target:
    preset = Preset(name="t", title="T", source="S", base_url="https://t.example", **row)
    return Target(
        provider="house",
        model="m",
        preset=preset,
        base_url=preset.base_url,
        api_key=None if key is None else SecretStr(key),
        headers={name: SecretStr(value) for name, value in (headers or {}).items()},
    )


def test_a_key_goes_as_bearer() -> None:
    assert auth_headers(target()) == {"authorization": "Bearer sk-secret-7"}


def test_azure_takes_the_key_in_a_header_of_its_own() -> None:
    assert auth_headers(target(auth="api-key")) == {"api-key": "sk-secret-7"}


@pytest.mark.parametrize("keyless", [target(None), target(""), target(auth="none")])
def test_without_a_key_there_is_no_header(keyless: Target) -> None:
    assert auth_headers(keyless) == {}


def test_headers_of_a_request() -> None:
    assert request_headers(target()) == {
        "accept": "application/json",
        "authorization": "Bearer sk-secret-7",
        "content-type": "application/json",
        "user-agent": user_agent(),
    }
    assert request_headers(target(), stream=True)["accept"] == "text/event-stream"
    assert "content-type" not in request_headers(target(), body=False)


def test_the_users_own_headers_win_whatever_their_case() -> None:
    own = target(headers={"Authorization": "Token own", "X-Team": "search"})
    assert request_headers(own)["authorization"] == "Token own"
    assert request_headers(own)["x-team"] == "search"


def test_models_are_asked_for_with_the_same_key() -> None:
    wire = OpenAIDialect().models_request(target())
    assert (wire.method, wire.url, wire.body) == ("GET", "https://t.example/models", b"")
    assert wire.headers["authorization"] == "Bearer sk-secret-7"


def test_no_repr_shows_the_key() -> None:
    shown = target(headers={"X-Key": "other-secret"})
    assert "secret-7" not in repr(shown)
    assert "other-secret" not in repr(shown)
    assert "secret-7" not in repr(OpenAIDialect().models_request(shown))


def test_a_bare_checkout_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(auth, "version", missing)
    assert auth.user_agent.__wrapped__() == "turnout"
    assert user_agent().startswith("turnout/")
