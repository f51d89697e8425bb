"""Strategies that go by what the settings say of members: in order, by weight, by turns, by key."""

from __future__ import annotations

from hashlib import blake2b
from math import log
from random import Random

from .snapshot import Snapshot

_FEW = 8  # attempts in flight up to which nobody is passed on from the member that it holds on to
_SPARE = 1.25  # a member may have so much more in flight than its share before calls are passed on
_WORDS = float(1 << 64)  # how many values a digest can have


def ordered(snapshot: Snapshot, _random: Random) -> list[int]:
    """As they are listed."""
    return alive(snapshot)


def weighted(snapshot: Snapshot, random: Random) -> list[int]:
    """By chance, each with its weight's share of the calls; those behind the first likewise.

    Each member draws a time that is the shorter the heavier it is; the first to be due is the first. Which of
    the others is due first, once it has failed, then also follows the weights.
    """
    chance = random.random
    due = [
        (-log(1.0 - chance()) / candidate.weight, place)
        for place, candidate in enumerate(snapshot.candidates)
        if candidate.weight > 0
    ]
    due.sort()
    return [place for _, place in due]


def round_robin(snapshot: Snapshot, _random: Random) -> list[int]:
    """By turns; behind the one whose turn it is come those whose turn is next."""
    places = alive(snapshot)
    if not places:
        return places
    first = snapshot.turn % len(places)
    return places[first:] + places[:first]


def sticky(snapshot: Snapshot, random: Random) -> list[int]:
    """All calls of one key at one member, by weight; calls without a key as `weighted` has them.

    Rendezvous hashing: each member scores with each key, and the highest score gets the call. So a member
    that leaves sends only its own keys elsewhere, one that comes takes only its share, and nobody keeps a
    table. Bounded: a member with more in flight than its share and a quarter, and no fewer than eight, is
    passed by until it has caught up, so that one busy key does not drown it.
    """
    if snapshot.key is None:
        return weighted(snapshot, random)
    candidates = snapshot.candidates
    places = alive(snapshot)
    weights = sum(candidates[place].weight for place in places)
    most = _SPARE * (sum(candidates[place].in_flight for place in places) + 1)
    scores = []
    for place in places:
        name, weight, in_flight, *_ = candidates[place]
        full = in_flight >= _FEW and in_flight * weights >= most * weight
        scores.append((full, log(_draw(snapshot.key, name)) / -weight, place))
    scores.sort()
    return [place for _, _, place in scores]


def alive(snapshot: Snapshot) -> list[int]:
    """The places of the candidates that may get calls at all."""
    return [place for place, candidate in enumerate(snapshot.candidates) if candidate.weight > 0]


def _draw(key: str, name: str) -> float:
    """A number above 0 and below 1 that a key and a name always draw together."""
    digest = blake2b(f"{key}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / _WORDS
