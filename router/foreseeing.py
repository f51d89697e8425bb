"""What a call would cost at a target, told before anything is sent."""

from __future__ import annotations

from decimal import Decimal

from turnout.providers.chat import ChatCompletion

from .accounting.buckets import Buckets
from .estimating import answer_limit
from .plans import PlannedTarget

UNSAID = 1024
"""Tokens that each choice of an answer is taken to have at the most where nobody has limited it."""


def foreseen_cost(planned: PlannedTarget, request: ChatCompletion, prompt_tokens: int) -> Decimal | None:
    """US dollars for an answer as long as it may be; None where the target's price is unknown.

    `prompt_tokens` is our estimate of the prompt; what is known of the target's own count corrects it.
    """
    if planned.tariff is None:
        return Decimal(0) if planned.target.preset.local else None
    most = answer_limit(request, planned.target.overrides) or UNSAID * (request.n or 1)
    prompt = round(prompt_tokens * planned.calibration.factor)
    return planned.tariff.amount(Buckets(input=prompt, output=most).counts)
