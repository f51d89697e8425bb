"""What people see: coloured and boxed on a terminal, plain text everywhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """Writes to stdout or to stderr.

    Colour and boxes appear on a terminal only, and not there either with `plain` or NO_COLOR. No line of text
    is ever broken, so that other programs can read what is written.
    """

    def __init__(self, *, plain: bool = False, stderr: bool = False) -> None:
        self._console = (
            Console(stderr=stderr, highlight=False, force_terminal=False, no_color=True)
            if plain
            else Console(stderr=stderr, highlight=False)
        )

    def line(self, text: str = "", style: str = "") -> None:
        """One line; `style` is rich's, such as `bold` or `red`."""
        self.piece(text + "\n", style)

    def piece(self, text: str, style: str = "") -> None:
        """A piece of an answer, as it comes."""
        text = harmless(text)
        if style and self._console.is_terminal:
            self._console.print(Text(text, style), end="", soft_wrap=True)
        else:  # rich would turn tabs into blanks
            self._console.file.write(text)
        self._console.file.flush()

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()
    ) -> None:
        """Rows under headings; the columns named in `numbers` are aligned to the right."""
        cells = [[harmless(cell).replace("\n", " ") for cell in row] for row in rows]
        if not self._console.is_terminal:
            self._plain_table(columns, cells, numbers)
            return
        table = Table(header_style="bold", border_style="dim")
        for column in columns:
            table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(table)

    def _plain_table(
        self, columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]
    ) -> None:
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        for row in (columns, *rows):
            cells = (
                cell.rjust(width) if heading in numbers else cell.ljust(width)
                for cell, width, heading in zip(row, widths, columns, strict=True)
            )
            self.line("  ".join(cells).rstrip())


def harmless(text: str) -> str:
    """`text` without control characters, by which it could command a terminal; lines and tabs stay."""
    return _CONTROL.sub("", text)


def money(amount: Decimal | None) -> str:
    """US dollars with every digit that counts, or `unknown`."""
    if amount is None:
        return "unknown"
    whole, _, cents = f"{amount:f}".partition(".")
    cents = cents.rstrip("0")
    return f"${whole}.{cents.ljust(2, '0')}" if cents else f"${whole}"


def duration(seconds: float | None) -> str:
    """Seconds to the hundredth, or a dash."""
    return "-" if seconds is None else f"{seconds:.2f}"
