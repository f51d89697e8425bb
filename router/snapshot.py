"""All of a router that comes out of its settings, made in one piece and replaced in one step.

A call takes the snapshot that stands when it begins and finishes on it, whatever is loaded meanwhile. Making
one changes nothing of the one before: what it takes over (breakers, allowances, tokens) it shares, in tables
of its own, so that settings which turn out to be unusable leave no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from turnout.config.prices import PriceBook
from turnout.config.settings import Settings
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.targets import resolve
from turnout.providers.transport import Transport

from .draining import Doors
from .health.board import Board
from .planning import Planner
from .policies.account import Books
from .stacking import Stacks
from .tokens import TokenFunction, Tokens
from .wire import Wire


class Premises(NamedTuple):
    """What a router keeps for life, and all of its snapshots share."""

    env: Mapping[str, str]
    """Where keys and options are looked up."""
    tokens: Mapping[str, TokenFunction]
    """Functions that were given for short-lived tokens, by provider."""
    books: Books
    transport: Transport
    random: Random
    doors: Doors


class Snapshot:
    """One state of the settings, compiled; ConfigError lists what cannot be used.

    `before` is the snapshot that this one is to replace: the state of targets whose settings have not changed
    is taken over from it.
    """

    __slots__ = ("_env", "board", "planner", "settings", "stacks", "tokens", "wire")

    def __init__(self, settings: Settings, premises: Premises, before: Snapshot | None = None) -> None:
        clock = premises.books.clock
        self._env = premises.env
        self.settings = settings
        """What it was made from."""
        known = None if before is None else before.tokens
        self.tokens: Tokens = Tokens(settings, premises.tokens, clock, before=known)
        self.board: Board = Board() if before is None else before.board.handed_on(settings)
        """How the targets fare."""
        prices = PriceBook.seed().with_overrides(settings.prices)
        self.planner = Planner(settings, self.resolve, prices, self.board)
        self.planner.compile_all()
        self.wire = Wire(premises.transport, clock, tokens=self.tokens, doors=premises.doors)
        self.stacks = Stacks(self.wire, premises.books, premises.random)

    def resolve(self, provider: str, model: str) -> tuple[Target, Dialect]:
        """A model of a configured provider, and the wire that it speaks; ConfigError."""
        settings = self.settings.providers[provider]
        target = resolve(provider, settings, model, env=self._env, has_tokens=provider in self.tokens)
        return target, dialect(target.preset.dialect)
