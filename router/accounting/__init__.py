"""What each attempt took and cost, and what all of them did together.

`Attempt` and `Trace` tell how a call was routed, `Buckets` cuts token counts apart, `cost_of` prices them,
and the `Ledger` adds everything up. Nothing here sends, waits or reads a clock.
"""

from __future__ import annotations

from .attempt import OUTCOMES, Attempt, AttemptError, Outcome, Trace
from .buckets import Buckets, total_usage
from .ledger import Ledger, SummaryRow
from .pricing import amount_of, cost_of, free

__all__ = [
    "OUTCOMES",
    "Attempt",
    "AttemptError",
    "Buckets",
    "Ledger",
    "Outcome",
    "SummaryRow",
    "Trace",
    "amount_of",
    "cost_of",
    "free",
    "total_usage",
]
