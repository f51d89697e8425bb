"""`turnout` and `python -m turnout`: the command line, or one line that says how to install it."""

from __future__ import annotations

import sys

_NEEDED = ("click", "h11", "rich")


def main() -> None:
    """Run the command line; exit code 2 where its libraries are not installed."""
    try:
        from .cli.app import cli
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _NEEDED:
            raise
        sys.stderr.write(f"turnout: the command line needs {library}; run: pip install 'turnout[cli]'\n")
        sys.exit(2)
    cli.main(prog_name="turnout")


if __name__ == "__main__":
    main()
