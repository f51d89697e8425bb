"""The nearest right word."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option most like `word`, letter case aside; None where nothing comes near."""
    from difflib import get_close_matches  # here: nothing is amiss as a rule

    by_lower = {option.lower(): option for option in sorted(options, reverse=True)}
    found = get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` to end a message with, or nothing where no option comes near."""
    near = closest(word, options)
    return "" if near is None else f"; did you mean {near!r}?"
