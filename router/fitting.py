"""Whether a target can serve a request at all, decided before anything is written for its wire or sent.

What a model is known not to take, and a prompt that cannot fit into its window, are told apart: the one is
an UnsupportedError, the other a ContextWindowError, so that a route's `context_window` targets are taken.
Either way nothing was sent and nothing is paid, and the ledger says `skipped`.

How long a prompt is, only the model's own tokenizer knows. So a target is passed by only where the least
that the prompt can have is a quarter more than the window; anything nearer is sent, and the provider
decides. A request that asks its host to shorten the prompt is never passed by.
"""

from __future__ import annotations

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Adaptation, Target
from turnout.providers.dialects.draft import rules_of
from turnout.providers.errors import ContextWindowError, ProviderError
from turnout.providers.requirements import fit_to_model, needs_of

from .estimating import least_prompt_tokens

TOO_LONG = "prompt_too_long"
"""`code` of the error for a prompt that was not sent because it cannot fit."""

_MARGIN = 1.25
_SHORT = 4096  # characters that fit into every model's window; nobody needs to look further
_SHORTENING = (
    "transforms", "plugins", "truncation", "truncate", "truncate_prompt_tokens", "prompt_truncate_len",
    "context_management", "context_length_exceeded_behavior",
)  # fmt: skip
"""Fields by which callers ask a host to cut or to compress the prompt: OpenRouter, OpenAI, Cohere, vLLM,
Fireworks, Anthropic, Together."""


def fit(request: ChatCompletion, target: Target) -> tuple[ChatCompletion, tuple[Adaptation, ...]]:
    """The request as the target's model takes it, and what was left out where the user chose to drop.

    UnsupportedError or ContextWindowError where the target has to be passed by.
    """
    needs = needs_of(request)
    if needs.characters > _SHORT:
        check_window(request, target, needs.characters)
    return fit_to_model(request, target, needs.fields)


def check_window(request: ChatCompletion, target: Target, length: int) -> None:
    """ContextWindowError where a prompt of `length` characters is certainly longer than the window."""
    window = rules_of(target).capabilities.context_window
    if window is None or length <= 2 * window * _MARGIN:  # a word and what parts it off are two characters
        return
    least = least_prompt_tokens(request)
    if least <= window * _MARGIN or any(name in (request.model_extra or ()) for name in _SHORTENING):
        return
    raise ContextWindowError(
        f"the prompt has at least {least} tokens and the model's window holds {window}; nothing was sent.",
        provider=target.provider,
        model=target.model,
        code=TOO_LONG,
    )


def was_skipped(error: ProviderError) -> bool:
    """Whether an error stands for a target that was passed by before anything was sent."""
    return error.code == TOO_LONG and error.status is None
