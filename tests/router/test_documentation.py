"""What docs/media.md and docs/credentials.md show does work."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnout import Router
from turnout.config.loading import parse_settings
from turnout.config.settings import ProviderSettings, Settings
from turnout.providers.catalogue import catalogue
from turnout.testing import Simulator

DOCS = Path(__file__).parents[2] / "docs"
ENVIRONMENT = {"GEMINI_API_KEY": "simulated"}


def block(page: str, language: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return found[0]


def settings(page: str) -> Settings:
    return parse_settings(block(page, "yaml"), env=ENVIRONMENT, presets=catalogue().keys())


def example(page: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": page}
    exec(compile(block(page, "python"), page, "exec"), names)
    return names


def test_what_would_be_fetched_is_told() -> None:
    told = example("media.md")["what_would_be_fetched"](settings("media.md"))
    assert told == [("messages[0].content[1].image_url.url", "will be fetched and inlined")]
    assert "and".join(f" `{said}` " for said in told[0]).strip() in " ".join(
        (DOCS / "media.md").read_text("utf-8").split()
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_example_with_a_token_runs(backend: str) -> None:
    anyio.run(example("credentials.md")["test_a_token_is_kept"], backend=backend)


def test_a_token_may_come_from_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house_tokens.py").write_text("def token():\n    return 'from-the-house', 600\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "house_tokens", raising=False)  # another test's module of that name
    with Simulator(api_key="from-the-house").serving() as simulator:
        given = settings("credentials.md")
        house = given.providers["house"].model_copy(update={"base_url": simulator.url})
        given = given.model_copy(update={"providers": {"house": house}})
        with Router(given, env={}).sync() as router:
            reply = router.complete(model="assistant", messages=[{"role": "user", "content": "Hello"}])
    assert reply.text == "Hello"


def test_limits_are_those_of_the_settings() -> None:
    page = (DOCS / "media.md").read_text("utf-8")
    default = ProviderSettings().max_media_bytes
    assert f"({default // 2**20} MiB)" in page
