"""The `turnout` command: its subcommands, and the one place where a failure becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .._version import __version__
from . import failures
from .chat import chat
from .check import check
from .demo import demo
from .drill import command as drill
from .explain import explain
from .models import models
from .schema import schema
from .screen import harmless
from .simulate import simulate


class Commands(click.Group):
    """A group whose failures are told in one line, with an exit code of their own."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run and exit; nothing but SystemExit leaves, unless `--traceback` asks for more."""
        given = sys.argv[1:] if args is None else list(args)
        try:
            super().main(given, *rest, **{**extra, "standalone_mode": False})
        except (Exception, BaseExceptionGroup) as error:  # task groups wrap Ctrl-C, which is no Exception
            if "--traceback" in given:
                raise
            alone = failures.alone(error)
            for line in failures.lines(alone):
                click.echo(f"turnout: {harmless(line)}", err=True)
            sys.exit(failures.exit_code(alone))
        sys.exit(failures.ExitCode.OK)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="turnout")
@click.option("--traceback", is_flag=True, help="Show where in the code a failure comes from.")
def cli(traceback: bool) -> None:
    """Route chat completions across LLM providers.

    Start with `turnout demo`: it needs no key and no network.
    """


for command in (demo, chat, check, explain, drill, models, simulate, schema):
    cli.add_command(command)
