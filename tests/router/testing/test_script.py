"""Scripts as values and as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import turnout.testing
from turnout.config.errors import ConfigError
from turnout.testing import Reply, Script, ScriptedCall, load_script

YAML = """
flaky:
  then: first
  replies:
    - {status: 503, latency: 250ms}
    - text: Here I am
      tool_calls:
        - {name: weather, arguments: {city: Oslo}}
steady:
  - {text: Always, reasoning: why not, drip: 3, quirks: groq}
"""


def test_a_yaml_file_scripts_models(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(YAML)
    scripts = load_script(path)
    assert scripts["flaky"].then == "first"
    assert scripts["flaky"].reply(2) == Reply(status=503, latency=0.25)
    assert scripts["flaky"].reply(3).calls[0].arguments_text == '{"city": "Oslo"}'
    assert scripts["flaky"].reply(3).content == "Here I am"
    assert scripts["steady"].reply(9).quirks == "groq"


def test_a_json_file_will_do(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{"m": [{"text": "hi"}]}')
    assert load_script(str(path)) == {"m": Script(replies=[Reply(text="hi")])}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- just\n- a list", "must map each model's name"),
        ("m: [", "is not YAML"),
        ("m: [{txt: hi}]", r"m\.replies\.0\.txt: Extra inputs"),
        ("m: [{error: boom}]", "error needs a status"),
        ("m: []", "m.replies"),
        ("m: 3", "m: "),
        ("m: [{latency: soon}]", "is not a duration"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_script(path)
    assert caught.value.problems[0].file == str(path)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text("a: [{txt: hi}]\nb: [{status: 99, drip: 0}]")
    with pytest.raises(ConfigError) as caught:
        load_script(path)
    assert len(caught.value.problems) == 3


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_script(tmp_path / "none.yaml")


def test_calls_are_read_in_both_spellings() -> None:
    flat = Reply(tool_calls=[{"name": "f", "arguments": "{bad json"}])
    nested = Reply(tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": "{}"}}])
    assert flat.calls == (ScriptedCall(name="f", arguments="{bad json"),)
    assert flat.calls[0].arguments_text == "{bad json"
    assert nested.calls == (ScriptedCall(name="f", id="c1"),)


def test_text_and_finish_reason_follow_the_calls_unless_given() -> None:
    call = {"name": "f"}
    assert (Reply(tool_calls=[call]).content, Reply(tool_calls=[call]).ending) == (None, "tool_calls")
    spoken = Reply(text="Let me see", tool_calls=[call], finish_reason="stop")
    assert (spoken.content, spoken.ending) == ("Let me see", "stop")


def test_an_error_that_would_never_be_sent_is_refused() -> None:
    with pytest.raises(ValidationError, match="error_event_after"):
        Reply(error="boom")


def test_a_script_needs_replies() -> None:
    with pytest.raises(ValidationError):
        Script.of([])


def test_names_load_on_first_use() -> None:
    assert "Simulator" in dir(turnout.testing)
    with pytest.raises(AttributeError, match="Simulatr"):
        _ = turnout.testing.Simulatr
