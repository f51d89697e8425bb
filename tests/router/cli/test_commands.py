"""check, explain, models, simulate and schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from jsonschema import Draft202012Validator

from turnout.config.examples import example_path, names
from turnout.testing import Reply, Simulator

Run = Callable[..., Result]


def test_check_lists_providers_keys_and_routes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    path = tmp_path / "turnout.yaml"
    path.write_text(
        "providers:\n"
        "  openai: {}\n"
        "  house: {dialect: openai, base_url: 'https://llm.example/v1', api_key: sk-very-secret}\n"
        "  vault: {dialect: openai, base_url: 'https://llm.example/v1', token_from: 'secrets:token_hex'}\n"
        "  qwen: {api_keys: [sk-very-secret, sk-other-secret, {key: sk-old, weight: 0}]}\n"
        "  llama-cpp: {}\n"
        "routes:\n"
        "  assistant: {chain: [openai/gpt-5-mini, llama-cpp/any], context_window: [house/long]}\n"
    )
    result = run("check", "-c", path)
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert "in the environment" in rows["openai"]
    assert "in the file" in rows["house"]
    assert "https://llm.example/v1" in rows["house"]
    assert "from secrets:token_hex" in rows["vault"]
    assert "2 keys in the file" in rows["qwen"]
    assert "secret" not in result.output.replace("secrets:token_hex", "")
    assert "none needed" in rows["llama-cpp"]
    assert "openai/gpt-5-mini, llama-cpp/any, house/long (after context_window)" in rows["assistant"]
    assert "is fine" in result.stdout


def test_check_names_the_key_that_is_missing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tmp_path / "turnout.yaml"
    path.write_text("providers: {openai: {}}\nroutes: {assistant: [openai/gpt-5-mini]}\n")
    result = run("check", "-c", path)
    assert result.exit_code == 3
    assert "missing" in result.stdout
    assert "OPENAI_API_KEY" in result.stderr


WEAKER = """\
providers:
  house:
    dialect: openai
    base_url: "http://127.0.0.1:9/v1"
    models:
      big: {images: true, context_window: 400000}
      small: {images: false, context_window: 8000}
routes:
  assistant: [house/big, house/small]
  "other": [house/small, house/big]
"""


def test_check_warns_of_fallbacks_that_do_less(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "turnout.yaml"
    path.write_text(WEAKER)
    told = (
        "route assistant: house/small falls short of house/big: "
        "no images; its window holds 8000 tokens, not 400000"
    )
    result = run("check", "-c", path)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [f"warning: {told}"]
    assert f"{path} can be used; 1 warning." in result.stdout

    result = run("check", "-c", path, "--strict")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].endswith(told)
    assert "can be used" not in result.stdout


def test_check_finds_the_examples_clean(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "DASHSCOPE_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(name, "sk-very-secret")
    for example in names():
        result = run("check", "--strict", "-c", example_path(example))
        assert (result.exit_code, result.stderr) == (0, "")


def test_explain_of_a_whole_request_tells_who_cannot_take_it(run: Run, tmp_path: Path) -> None:
    path, question = tmp_path / "turnout.yaml", tmp_path / "question.json"
    path.write_text(WEAKER)
    picture = {"type": "image_url", "image_url": {"url": "https://img.example/cat.png"}}
    question.write_text(json.dumps({"messages": [{"role": "user", "content": [picture]}]}))
    asked = ("explain", "other", "-c", path, "--request")
    steps = json.loads(run(*asked, question, "--json").stdout)["steps"]
    assert [(step["target"], step["skipped"]) for step in steps] == [
        ("house/small", True),
        ("house/big", False),
    ]
    assert "this model takes no images" in run(*asked, "-", stdin=question.read_text()).stdout

    for wrong in ("[1]", "{"):
        result = run(*asked, "-", stdin=wrong)
        assert result.exit_code == 2
        assert "--request" in result.stderr


def test_explain_shows_the_plan_and_sends_nothing(run: Run, chain: Path, simulator: Simulator) -> None:
    result = run("explain", "assistant", "-c", chain, "--max-tokens", "100", "--think")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:3]] == [
        ["1", "sim/first"],
        ["2", "sim/second"],
    ]
    assert "At most 2 attempts in" in result.stdout
    assert simulator.requests == []


def test_explain_as_json_holds_the_payloads(run: Run, chain: Path) -> None:
    explained = json.loads(run("explain", "assistant", "What?", "-c", chain, "--json").stdout)
    assert [step["target"] for step in explained["steps"]] == ["sim/first", "sim/second"]
    assert explained["steps"][0]["payload"]["messages"][0]["content"] == "What?"
    assert explained["branches"] == {}


def test_explain_shows_where_too_long_a_prompt_goes(run: Run, chain: Path) -> None:
    text = chain.read_text().replace(
        "[sim/first, sim/second]", "{chain: [sim/first, sim/second], context_window: [sim/long]}"
    )
    chain.write_text(text)
    assert "after context_window" in run("explain", "assistant", "-c", chain).stdout
    explained = json.loads(run("explain", "assistant", "-c", chain, "--json").stdout)
    assert [step["target"] for step in explained["branches"]["context_window"]] == ["sim/long"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_models_lists_what_a_provider_has(run: Run, chain: Path, simulator: Simulator, backend: str) -> None:
    simulator.script("first", Reply())
    result = run("models", "-c", chain, "--backend", backend)
    assert result.exit_code == 0
    assert "sim/first" in result.stdout.splitlines()
    assert json.loads(run("models", "sim", "-c", chain, "--json").stdout)["sim"]


def test_models_goes_on_when_one_provider_is_away(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply())
    away = '  away: {dialect: openai, base_url: "http://127.0.0.1:9/v1", api_key: none}\ndefaults:'
    chain.write_text(chain.read_text().replace("defaults:", away))
    result = run("models", "-c", chain)
    assert result.exit_code == 0
    assert "sim/first" in result.stdout
    assert result.stderr.startswith("away: ")

    result = run("models", "away", "-c", chain)
    assert result.exit_code == 1
    assert "no provider listed its models" in result.stderr

    assert run("models", "nobody", "-c", chain).exit_code == 2


def test_simulate_serves_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("polite: [{text: Good day.}]\n")
    command = [sys.executable, "-m", "turnout", "simulate", "--port", "0", "--script", str(script)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[3]
        question = {"model": "polite", "messages": [{"role": "user", "content": "Hi"}]}
        answer = httpx.post(f"{url}/chat/completions", json=question, trust_env=False).json()
        process.terminate()
        process.stderr.read()
    assert answer["choices"][0]["message"]["content"] == "Good day."


def test_simulate_tells_what_is_wrong_with_a_script(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("polite: [{txt: Good day.}]\n")
    result = run("simulate", "--script", script)
    assert result.exit_code == 3
    assert "polite" in result.stderr


def test_simulate_on_a_port_that_is_taken(run: Run, simulator: Simulator) -> None:
    port = simulator.url.rpartition(":")[2].partition("/")[0]
    result = run("simulate", "--port", port)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_the_schema_takes_what_the_examples_say(run: Run) -> None:
    import yaml

    schema = json.loads(run("schema").stdout)
    Draft202012Validator.check_schema(schema)
    example = yaml.safe_load(example_path("offline.yaml").read_text("utf-8"))
    Draft202012Validator(schema).validate(example)


def test_colour_and_boxes_on_a_terminal_only(chain: Path) -> None:
    command = [sys.executable, "-m", "turnout", "explain", "assistant", "-c", str(chain)]
    forced = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "200"}
    boxed = subprocess.run(command, capture_output=True, text=True, env=forced, check=True).stdout
    assert "\x1b[" in boxed
    assert "┃" in boxed
    plain = subprocess.run(
        [*command, "--plain"], capture_output=True, text=True, env=forced, check=True
    ).stdout
    assert "\x1b" not in plain
    assert "┃" not in plain
