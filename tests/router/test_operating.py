"""What docs/operating.md shows does work, and what it says of pauses is so."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import anyio
import pytest
from keyed_simulator import KeyedSimulator

from turnout import ManualClock, Router
from turnout.config.loading import parse_settings
from turnout.config.settings import Settings
from turnout.health.keys import OF_THE_KEY
from turnout.providers.catalogue import catalogue
from turnout.testing import Simulator

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text("utf-8")
ENVIRONMENT = {"OPENAI_KEY_A": "key-a", "OPENAI_KEY_B": "key-b"}


def block(language: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found[0]


async def test_the_keys_of_the_page_are_used_as_it_says() -> None:
    settings = parse_settings(block("yaml"), env=ENVIRONMENT, presets=catalogue().keys())
    assert settings.drain == 20
    async with KeyedSimulator({"key-a": (), "key-b": ()}) as simulator:
        provider = settings.providers["openai"].model_copy(update={"base_url": simulator.url})
        settings = settings.model_copy(update={"providers": {"openai": provider}})
        async with Router(settings, env={}, clock=ManualClock()) as router:
            for _ in range(4):
                await router.complete(model="assistant", messages=[{"role": "user", "content": "Hello"}])

    assert sorted(simulator.used) == ["key-a", "key-b", "key-b", "key-b"]


def test_the_kinds_that_set_a_key_aside_are_those_of_the_page() -> None:
    rows = PAGE.partition("| The provider says |")[2].partition("\n\n")[0].splitlines()[2:]
    told = [kind for row in rows for kind in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(told) == sorted(OF_THE_KEY)


def test_the_seconds_to_drain_are_those_of_the_page() -> None:
    assert f"({Settings().drain:g} unless the settings say otherwise" in PAGE


async def test_a_signal_reloads(tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    names: dict[str, Any] = {"__name__": "operating"}
    exec(compile(block("python"), "operating.md", "exec"), names)
    told: list[str] = []
    async with Simulator() as simulator, anyio.create_task_group() as group:
        provider = f"{{dialect: openai, base_url: '{simulator.url}'}}"
        file.write_text(f"providers: {{a: {provider}}}\nroutes: {{r: [a/x]}}")
        async with Router.from_yaml(file, env={}) as router:
            group.start_soon(names["reload_on_hangup"], router, told.append)
            await anyio.wait_all_tasks_blocked()
            file.write_text(f"providers: {{a: {provider}}}\nroutes: {{q: [a/x]}}")
            os.kill(os.getpid(), signal.SIGHUP)
            with anyio.fail_after(3):
                while "q" not in router.settings.routes:
                    await anyio.sleep(0.005)
            file.write_text("routes: {q: [nowhere/x]}")
            os.kill(os.getpid(), signal.SIGHUP)
            with anyio.fail_after(3):
                while not told:
                    await anyio.sleep(0.005)
            assert "q" in router.settings.routes
        group.cancel_scope.cancel()
    assert told[0].startswith("the old settings stay: ")
    assert "unknown provider 'nowhere'" in told[0]
