"""The answer goes to stdout, everything about it to stderr."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from turnout.testing import Reply, Simulator

Run = Callable[..., Result]
BAD = Reply(status=503, error="busy")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_question_and_its_answer(run: Run, chain: Path, simulator: Simulator, backend: str) -> None:
    simulator.script("first", BAD)
    simulator.script("second", Reply(text="Good day.", usage={"prompt_tokens": 10, "completion_tokens": 5}))
    result = run("chat", "assistant", "Hello", "-c", chain, "--backend", backend)
    assert result.exit_code == 0
    assert result.stdout == "Good day.\n"
    assert "sim/second: 2 attempts, 10 + 5 tokens, cost $0.00003 (priced: sim/second" in result.stderr


def test_what_is_piped_in_is_asked(run: Run, chain: Path, simulator: Simulator) -> None:
    result = run("chat", "sim/echo", "-c", chain, "-q", stdin="Grüß Gott\n")
    assert simulator.requests[0].body["messages"] == [{"role": "user", "content": "Grüß Gott\n"}]
    assert "Grüß Gott" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(("stdin", "words"), [("", "nothing to ask"), (b"\xff\xfe", "stdin is not UTF-8")])
def test_nothing_to_ask_is_a_usage_error(run: Run, chain: Path, stdin: str | bytes, words: str) -> None:
    result = run("chat", "assistant", "-c", chain, stdin=stdin)
    assert result.exit_code == 2
    assert words in result.stderr


def test_options_become_fields_of_the_request(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply())
    run("chat", "assistant", "Hi", "-c", chain, "--system", "Be brief.", "--max-tokens", "7", "--no-think")
    body = simulator.requests[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_reasoning_goes_to_stderr_and_quiet_leaves_it_out(
    run: Run, chain: Path, simulator: Simulator
) -> None:
    simulator.script("first", Reply(text="42", reasoning="Let me think."))
    loud = run("chat", "assistant", "Hi", "-c", chain)
    assert loud.stdout == "42\n"
    assert loud.stderr.startswith("Let me think.\n")
    quiet = run("chat", "assistant", "Hi", "-c", chain, "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("42\n", "")


def test_json_is_the_whole_response(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", BAD)
    simulator.script("second", Reply(text="Good day."))
    result = run("chat", "assistant", "Hello", "-c", chain, "--json")
    response = json.loads(result.stdout)
    assert response["choices"][0]["message"]["content"] == "Good day."
    assert response["provider"] == "sim"
    assert response["cost"]["basis"] == "priced"
    assert [attempt["outcome"] for attempt in response["trace"]["attempts"]] == ["failed", "ok"]


def test_calls_of_tools_and_refusals_are_answers_too(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply(tool_calls=[{"name": "weather", "arguments": {"city": "Ulm"}}]))
    assert run("chat", "assistant", "Hi", "-c", chain).stdout == 'calls weather({"city": "Ulm"})\n'
    simulator.script("first", Reply(text=None, refusal="I would rather not."))
    assert run("chat", "assistant", "Hi", "-c", chain).stdout == "I would rather not.\n"


def test_a_model_cannot_command_the_terminal(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply(text="a\x1b[2Jb\x07c\td"))
    assert run("chat", "assistant", "Hi", "-c", chain).stdout == "a[2Jbc\td\n"


def test_when_all_targets_fail(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", BAD)
    simulator.script("second", Reply(status=500, error="on fire"))
    result = run("chat", "assistant", "Hello", "-c", chain)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "sim/first" in result.stderr
    assert "on fire" in result.stderr


def test_a_stream_that_breaks_off_is_a_failure(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply(text="one two three four five", cut_after_events=3))
    result = run("chat", "assistant", "Hello", "-c", chain)
    assert result.exit_code == 1
    assert result.stdout.startswith("one")
    assert "sim/first" in result.stderr


def test_a_key_that_is_refused(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("only", Reply(status=401, error="Incorrect API key provided: sk-very-secret"))
    result = run("chat", "sim/only", "Hello", "-c", chain)
    assert result.exit_code == 1
    assert "Check the provider's api_key" in result.stderr


def test_an_unknown_route_names_the_ones_there_are(run: Run, chain: Path) -> None:
    result = run("chat", "asistant", "Hello", "-c", chain)
    assert result.exit_code == 2
    assert "assistant" in result.stderr


def test_a_deadline(run: Run, chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply(latency=30))
    simulator.script("second", Reply(latency=30))
    result = run("chat", "assistant", "Hello", "-c", chain, "--deadline", "0.2")
    assert result.exit_code == 1
    assert "deadline of 0.2 s" in result.stderr


def test_json_needs_a_prompt_even_on_a_terminal(
    run: Run, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    result = run("chat", "assistant", "-c", chain, "--json")
    assert result.exit_code == 2
    assert "--json needs a PROMPT" in result.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("end", ["/quit\nnever asked\n", ""])
def test_a_conversation_remembers(
    run: Run, chain: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, backend: str, end: str
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    simulator.script("first", Reply(text="Hello Ann."), Reply(text="Ann."))
    result = run(
        "chat", "assistant", "-c", chain, "--backend", backend, stdin=f"I am Ann.\n\nWho am I?\n{end}"
    )
    assert result.exit_code == 0
    assert len(simulator.requests) == 2
    assert [message["content"] for message in simulator.requests[1].body["messages"]] == [
        "I am Ann.",
        "Hello Ann.",
        "Who am I?",
    ]


def test_a_conversation_on_a_real_terminal(chain: Path, simulator: Simulator) -> None:
    simulator.script("first", Reply(text="Hello Ann."))
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard:
        process = subprocess.Popen(
            [sys.executable, "-m", "turnout", "chat", "assistant", "-c", chain, "--plain"],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        keyboard.write(b"I am Ann.\n/quit\n")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Hello Ann." in out
