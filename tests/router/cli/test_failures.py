"""Every failure is one readable line and an exit code; docs/cli.md lists them all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from turnout import (
    AllTargetsFailedError,
    DeadlineExceededError,
    RateLimitError,
    RequestError,
    UnsupportedError,
)
from turnout.__main__ import main
from turnout.cli.app import cli
from turnout.cli.failures import ExitCode, alone, exit_code, lines
from turnout.cli.options import installed
from turnout.cli.options import run as run_on
from turnout.config.errors import ConfigError, Problem

Run = Callable[..., Result]
DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("broken"), 3),
        (AllTargetsFailedError([]), 4),
        (DeadlineExceededError([]), 1),
        (RateLimitError("slow down"), 1),
        (RequestError("no messages"), 2),
        (UnsupportedError("no audio", field="audio"), 2),
        (click.UsageError("what?"), 2),
        (click.ClickException("no"), 1),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (OSError("port taken"), 1),
        (ZeroDivisionError("oops"), 1),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConfigError([Problem("bad", "t.yaml", 3, 5), Problem("worse")]), ["t.yaml:3:5: bad", "worse"]),
        (RequestError("must\nnot break", field="model"), ["model: must not break"]),
        (click.UsageError("what?"), ["what?"]),
        (click.ClickException("no"), ["no"]),
        (KeyboardInterrupt(), ["interrupted"]),
        (OSError("port taken"), ["port taken"]),
    ],
)
def test_lines(error: BaseException, expected: list[str]) -> None:
    assert lines(error) == expected


def test_a_fault_of_our_own_says_how_to_see_more() -> None:
    (line,) = lines(ZeroDivisionError("oops"))
    assert line.startswith("internal error: ZeroDivisionError: oops")
    assert "--traceback" in line


def test_groups_of_one_are_opened() -> None:
    error = OSError("x")
    several = ExceptionGroup("two", [error, error])
    assert alone(ExceptionGroup("outer", [ExceptionGroup("inner", [error])])) is error
    assert alone(several) is several


def test_every_exit_code_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert {int(number): name for number, name in rows} == {code.value: code.name for code in ExitCode}


def test_every_command_is_documented() -> None:
    text = DOCS.read_text("utf-8")
    assert [name for name in cli.commands if f"## `turnout {name}" not in text] == []


def test_a_missing_file_and_a_broken_one(run: Run, tmp_path: Path) -> None:
    result = run("check", "-c", tmp_path / "none.yaml")
    assert result.exit_code == 3
    assert "none.yaml" in result.stderr

    broken = tmp_path / "broken.yaml"
    broken.write_text("providers:\n  openai: {api_kee: x}\nroutes:\n  a: [nobody/x]\n")
    result = run("check", "-c", broken)
    assert result.exit_code == 3
    first, second = result.stderr.splitlines()
    assert first.startswith(f"turnout: {broken}:2:12: ")
    assert "api_key" in first
    assert second.startswith(f"turnout: {broken}:4:")


def test_a_wrong_command_line(run: Run) -> None:
    result = run("chat")
    assert result.exit_code == 2
    assert result.stderr == "turnout: Missing argument 'MODEL'. (see: turnout chat --help)\n".replace(
        "turnout chat", "cli chat"
    )
    assert run("nonsense").exit_code == 2


def test_help_and_version_are_no_failures(run: Run) -> None:
    assert run("--help").exit_code == 0
    assert "demo" in run("-h").stdout
    assert run("--version").stdout.startswith("turnout, version 0.")


def test_traceback_shows_where(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--traceback", "check", "-c", str(tmp_path / "none.yaml")])
    assert isinstance(result.exception, ConfigError)


def test_an_event_loop_that_is_not_installed() -> None:
    with pytest.raises(click.UsageError, match="pip install nothing"):
        run_on("nothing", _nothing)
    with pytest.raises(KeyError), installed("trio"):
        raise KeyError("x")


async def _nothing() -> None:
    """Nothing."""


def test_main_runs_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["turnout", "--version"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith("turnout, version ")


def test_main_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delitem(sys.modules, "turnout.cli.app")
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert "needs click;" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["click", "rich", "h11"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from turnout.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "demo"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (f"turnout: the command line needs {missing}; run: pip install 'turnout[cli]'\n")


def test_any_other_missing_module_is_our_own_fault() -> None:
    code = "import sys; sys.modules['yaml'] = None; from turnout.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ctrl_c(backend: str) -> None:
    command = [sys.executable, "-m", "turnout", "simulate", "--port", "0", "--backend", backend]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Simulated provider at http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == "turnout: interrupted"
    assert process.returncode == 130


def test_ctrl_c_among_what_it_broke_off() -> None:
    inner = BaseExceptionGroup("tasks", [KeyboardInterrupt(), OSError("the socket was closed")])
    group = BaseExceptionGroup("outer", [inner])
    assert exit_code(alone(group)) == 130
