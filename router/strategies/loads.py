"""Strategies that look at how members fare: how fast they are, how busy, how dear."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from .shares import alive
from .snapshot import Snapshot

_NOTHING = Decimal(0)


def least_latency(snapshot: Snapshot, random: Random) -> list[int]:
    """The faster of two members drawn by chance, and behind it the others, the fastest first.

    A member's score is the seconds that it needs for an answer of the expected length, times the attempts
    that it would then have in flight. One of which nothing is known is tried at once where it is idle, and
    is taken to be as fast as the known ones on average where it is not. Two are drawn since a fleet of
    routers that all know the fastest member would otherwise all run there at once.
    """
    places = alive(snapshot)
    if len(places) < 2:
        return places
    scores = _scores(snapshot)
    if len(places) == 2:
        one, other = places
        if scores[one] == scores[other]:
            return places if random.random() < 0.5 else [other, one]
        return places if scores[one] < scores[other] else [other, one]
    random.shuffle(places)
    first = min(places[:2], key=scores.__getitem__)  # what is first by chance wins where they are equal
    places.remove(first)
    places.sort(key=scores.__getitem__)
    return [first, *places]


def least_busy(snapshot: Snapshot, random: Random) -> list[int]:
    """The member with the fewest attempts in flight for its weight; chance decides among equals."""
    candidates = snapshot.candidates
    chance = random.random
    loads = [
        ((candidate.in_flight + 1) / candidate.weight, chance(), place)
        for place, candidate in enumerate(candidates)
        if candidate.weight > 0
    ]
    loads.sort()
    return [place for _, _, place in loads]


def least_cost(snapshot: Snapshot, _random: Random) -> list[int]:
    """The cheapest for this call, equal ones as they are listed; whose price is unknown comes last.

    With a max_price, whoever is dearer gets nothing, and nor does anybody whose price is unknown.
    """
    candidates, most = snapshot.candidates, snapshot.max_price
    places = alive(snapshot)
    if most is not None:
        places = [place for place in places if _affordable(candidates[place].cost, most)]
    return sorted(places, key=lambda place: _dearness(candidates[place].cost))


def _scores(snapshot: Snapshot) -> list[float]:
    """How long each candidate would take, by the attempts that it would have in flight."""
    tokens = snapshot.tokens
    scores = []
    total, known = 0.0, 0
    for candidate in snapshot.candidates:
        seconds = candidate.first_token
        if seconds is None or candidate.weight <= 0:
            scores.append(-1.0)
            continue
        if candidate.per_token is not None:
            seconds += tokens * candidate.per_token
        total += seconds
        known += 1
        scores.append(seconds * (candidate.in_flight + 1))
    if known < len(scores):
        usual = total / known if known else 1.0
        for place, candidate in enumerate(snapshot.candidates):
            if candidate.first_token is None and candidate.in_flight:
                scores[place] = usual * (candidate.in_flight + 1)
    return scores


def _affordable(cost: Decimal | None, most: Decimal) -> bool:
    return cost is not None and cost <= most


def _dearness(cost: Decimal | None) -> tuple[bool, Decimal]:
    return (True, _NOTHING) if cost is None else (False, cost)
