"""What an answer took, in tokens and in money."""

from decimal import Decimal
from typing import Literal

from pydantic import ConfigDict, model_validator

from .record import Count, Record


class PromptTokensDetails(Record):
    """Parts of `prompt_tokens`; null where the provider does not say."""

    accepted_prediction_tokens: int | None = None
    """Tokens of a predicted output that were used, as some services count them on this side."""
    audio_tokens: int | None = None
    """Tokens of sound in the prompt."""
    cached_tokens: int | None = None
    """Tokens that came out of the provider's prompt cache."""
    cache_write_tokens: int | None = None
    """Tokens that went into the provider's prompt cache."""


class CompletionTokensDetails(Record):
    """Parts of `completion_tokens`; null where the provider does not say."""

    accepted_prediction_tokens: int | None = None
    """Tokens of a predicted output that turned up in the answer."""
    audio_tokens: int | None = None
    """Tokens of sound that the model made."""
    reasoning_tokens: int | None = None
    """Tokens spent on thinking."""
    rejected_prediction_tokens: int | None = None
    """Tokens of a predicted output that did not turn up, and are paid for all the same."""


class Usage(Record):
    """Token counts, with one meaning for every provider. Counts the contract does not know are kept."""

    prompt_tokens: Count = 0
    """All tokens of the prompt, cached and cache-written ones included."""
    completion_tokens: Count = 0
    """All tokens of the answer, reasoning included."""
    total_tokens: Count = 0
    """Prompt and answer together; their sum where the provider does not say."""
    completion_tokens_details: CompletionTokensDetails | None = None
    """What the answer's tokens were."""
    prompt_tokens_details: PromptTokensDetails | None = None
    """What the prompt's tokens were."""

    @model_validator(mode="after")
    def _sum(self) -> "Usage":
        if not self.total_tokens:
            self.total_tokens = self.prompt_tokens + self.completion_tokens
        return self

    @property
    def total(self) -> int:
        """Prompt and answer together."""
        return self.total_tokens


class Cost(Record):
    """What an answer cost, and where the number comes from. Unknown is null, never 0."""

    model_config = ConfigDict(frozen=True)

    amount: Decimal | None = None
    """How much; null where nobody knows. Written as text, so that no digit is lost."""
    currency: str = "USD"
    """Of the amount."""
    basis: Literal["reported", "priced", "estimated", "unknown"] = "unknown"
    """The provider's own figure, the price book times usage, a guess at usage, or nothing known."""
    price: str | None = None
    """Which row of the price book, and as of when."""
