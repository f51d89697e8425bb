"""What a failure looks like on the command line: an exit code and a readable line, never a traceback."""

from __future__ import annotations

from enum import IntEnum

import click

from turnout.config.errors import ConfigError, TurnoutError
from turnout.providers.errors import RequestError, UnsupportedError

from ..errors import AllTargetsFailedError


class ExitCode(IntEnum):
    """How `turnout` ends."""

    OK = 0
    """It did what was asked."""
    FAILED = 1
    """The call failed, or something outside: a stream broke off, a deadline passed, a port is taken."""
    USAGE = 2
    """The command line or the request is wrong; nothing was sent."""
    CONFIGURATION = 3
    """The configuration cannot be used; every problem is listed with its place."""
    ALL_TARGETS_FAILED = 4
    """No target of the route gave an answer."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_code(error: BaseException) -> ExitCode:
    """The exit code that stands for an exception."""
    match error:
        case ConfigError():
            return ExitCode.CONFIGURATION
        case AllTargetsFailedError():
            return ExitCode.ALL_TARGETS_FAILED
        case RequestError() | UnsupportedError() | click.UsageError():
            return ExitCode.USAGE
        case KeyboardInterrupt() | click.Abort():
            return ExitCode.INTERRUPTED
        case _:
            return ExitCode.FAILED


def lines(error: BaseException) -> list[str]:
    """What to write on stderr: one line, or one for each problem of a configuration."""
    match error:
        case ConfigError(problems=problems):
            return [str(problem) for problem in problems]
        case TurnoutError():
            return [_one_line(str(error))]
        case click.UsageError():
            asked = f" (see: {error.ctx.command_path} --help)" if error.ctx is not None else ""
            return [_one_line(error.format_message()) + asked]
        case click.ClickException():
            return [_one_line(error.format_message())]
        case KeyboardInterrupt() | click.Abort():
            return ["interrupted"]
        case OSError():
            return [_one_line(str(error))]
        case _:
            about = f"{type(error).__name__}: {error}"
            return [_one_line(f"internal error: {about} (turnout --traceback shows where; please report it)")]


def alone(error: BaseException) -> BaseException:
    """The one exception that a group, or a group of groups, holds; the group itself where it holds several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _one_line(text: str) -> str:
    return " ".join(text.split())
