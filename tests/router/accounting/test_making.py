"""Models made without validation are the same as those that validation gives."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from turnout.accounting import Attempt, AttemptError, Trace, cost_of
from turnout.config.prices import Price
from turnout.config.settings import PriceRow
from turnout.providers.chat import Cost, Usage
from turnout.providers.dialect import Adaptation

USAGE = Usage(prompt_tokens=10, completion_tokens=5)
FACTS: dict[str, Any] = {
    "target": "a/m",
    "provider": "a",
    "model": "m",
    "outcome": "failed",
    "error": AttemptError(kind="server", message="No.", status=500),
    "started_at": datetime(2026, 11, 21, 12, tzinfo=UTC),
    "seconds": 0.5,
    "first_token_seconds": None,
    "usage": USAGE,
    "cost": Cost(amount=Decimal("0.02"), basis="priced", price="row"),
    "adaptations": (Adaptation(field="seed", action="dropped", reason="not known here"),),
    "route": "r",
    "tags": {"team": "search"},
    "call_id": "c",
    "number": 2,
}
ATTEMPT = Attempt.made(dict(FACTS))
PRICE = Price(PriceRow(input=Decimal(1), output=Decimal(2)), "a/*", None)
PAIRS = [
    (ATTEMPT, Attempt.model_validate(FACTS)),
    (
        Trace.made({"route": "r", "call_id": "c", "attempts": (ATTEMPT,)}),
        Trace(route="r", call_id="c", attempts=(ATTEMPT,)),
    ),
    (cost_of(USAGE, PRICE), Cost(amount=Decimal("0.000020"), currency="USD", basis="priced", price="a/*")),
    (cost_of(None, None), Cost(amount=None, currency="USD", basis="unknown", price=None)),
]


@pytest.mark.parametrize(("made", "checked"), PAIRS, ids=["attempt", "trace", "cost", "unknown cost"])
def test_a_made_model_is_the_validated_one(made: BaseModel, checked: BaseModel) -> None:
    assert made == checked
    assert list(made.__dict__) == list(checked.__dict__)
    assert made.model_fields_set == checked.model_fields_set
    assert made.model_extra == checked.model_extra
    assert made.model_dump_json() == checked.model_dump_json()
    assert repr(made) == repr(checked)
    assert pickle.loads(pickle.dumps(made)) == checked


def test_a_copy_is_its_own() -> None:
    other = ATTEMPT.model_copy(update={"number": 3, "seconds": 1.5})

    assert (other.number, ATTEMPT.number) == (3, 2)
    assert other.model_fields_set == ATTEMPT.model_fields_set == set(Attempt.model_fields)
    with pytest.raises(ValueError, match="frozen"):
        ATTEMPT.__setattr__("number", 4)


def test_every_field_has_to_be_given() -> None:
    assert set(FACTS) == set(Attempt.model_fields)
    assert {"route", "call_id", "attempts"} == set(Trace.model_fields)
