"""What a failure looks like on the command line: an exit code and a readable line, never a traceback."""

from __future__ import annotations

from enum import IntEnum

import click

from turnout.config.errors import ConfigError, TurnoutError
from turnout.providers.errors import RequestError, UnsupportedError

from ..errors import AllTargetsFailedError, CallError


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
            return [one_line(str(problem)) for problem in problems]
        case CallError():
            message, *attempts = str(error).splitlines()
            return [one_line(f"{message} {'; '.join(attempts)}")]
        case click.UsageError():
            asked = "" if error.ctx is None else f" (see: {error.ctx.command_path} --help)"
            return [one_line(error.format_message()) + asked]
        case click.ClickException():
            return [one_line(error.format_message())]
        case KeyboardInterrupt() | click.Abort():
            return ["interrupted"]
        case TurnoutError() | OSError():
            return [one_line(str(error))]
        case _:
            about = f"internal error: {type(error).__name__}: {error}"
            return [one_line(f"{about} (`turnout --traceback …` shows where; please report it)")]


def alone(error: BaseException) -> BaseException:
    """The one exception that a group, or a group of groups, holds; the group where it holds several.

    Where Ctrl-C is among several, it is the one: the others are what it broke off.
    """
    if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt):
        return KeyboardInterrupt()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def one_line(text: str) -> str:
    """`text` with every run of white space as one blank."""
    return " ".join(text.split())
