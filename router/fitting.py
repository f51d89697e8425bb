"""Whether a target can serve a request at all, decided before anything is written for its wire or sent.

What a model is known not to take, and a prompt that cannot fit into its window, are told apart: the one is
an UnsupportedError, the other a ContextWindowError, so that a route's `context_window` targets are taken.
Either way nothing was sent and nothing is paid, and the ledger says `skipped`.

How long a prompt is, only the model's own tokenizer knows. So a target is passed by only where the least
that the prompt can have is a quarter more than the window; anything nearer is sent, and the provider
decides. Once a target's answers have told how it counts long prompts, the estimate counts as well: by the
lowest ratio that was seen of late, and a fifth below that for texts unlike those. A request that asks its
host to shorten the prompt is never passed by.
"""

from __future__ import annotations

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Adaptation, Target
from turnout.providers.dialects.draft import rules_of
from turnout.providers.errors import ContextWindowError, ProviderError
from turnout.providers.requirements import fit_to_model, needs_of

from .estimating import is_text, least_prompt_tokens, prompt_tokens
from .health.calibration import Calibration

TOO_LONG = "prompt_too_long"
"""`code` of the error for a prompt that was not sent because it cannot fit."""

_MARGIN = 1.25
_DOUBT = 0.8  # how much fewer tokens a text may have than the leanest that was seen of late
_SHORT = 4096  # characters that fit into every model's window; nobody needs to look further
_SHORTENING = (
    "transforms", "plugins", "truncation", "truncate", "truncate_prompt_tokens", "prompt_truncate_len",
    "context_management", "context_length_exceeded_behavior",
)  # fmt: skip
"""Fields by which callers ask a host to cut or to compress the prompt: OpenRouter, OpenAI, Cohere, vLLM,
Fireworks, Anthropic, Together."""


def fit(
    request: ChatCompletion, target: Target, calibration: Calibration | None = None
) -> tuple[ChatCompletion, tuple[Adaptation, ...]]:
    """The request as the target's model takes it, and what was left out where the user chose to drop.

    `calibration` is what is known of how the target counts. UnsupportedError or ContextWindowError where the
    target has to be passed by.
    """
    if _is_short_text(request):
        return request, ()
    needs = needs_of(request)
    if needs.characters > _SHORT:
        check_window(request, target, needs.characters, calibration)
    return fit_to_model(request, target, needs.fields)


def _is_short_text(request: ChatCompletion) -> bool:
    """Whether a request asks nothing of a model but what all of them can do, as most do."""
    said = request.__dict__
    if said["tools"] or said["response_format"] is not None:
        return False
    characters = 0
    for message in said["messages"]:
        content = message.content
        if type(content) is not str:
            return False
        characters += len(content)
    return characters <= _SHORT


def check_window(
    request: ChatCompletion, target: Target, length: int, calibration: Calibration | None = None
) -> None:
    """ContextWindowError where a prompt of `length` characters is certainly longer than the window."""
    window = rules_of(target).capabilities.context_window
    if window is None or length <= window // 2:  # no prose has two tokens in a character
        return
    tokens = _learned(request, window, calibration)
    if tokens is None:
        # a word and what parts it off are two characters
        least = least_prompt_tokens(request) if length > 2 * window * _MARGIN else 0
        if least <= window * _MARGIN:
            return
        tokens = f"at least {least}"
    if any(name in (request.model_extra or ()) for name in _SHORTENING):
        return
    raise ContextWindowError(
        f"the prompt has {tokens} tokens and the model's window holds {window}; nothing was sent.",
        provider=target.provider,
        model=target.model,
        code=TOO_LONG,
    )


def _learned(request: ChatCompletion, window: int, calibration: Calibration | None) -> str | None:
    """About how many tokens the target will count, where that is surely more than its window."""
    least = None if calibration is None else calibration.least
    if calibration is None or least is None or not is_text(request):
        return None
    estimated = prompt_tokens(request)
    if estimated * least * _DOUBT <= window:
        return None
    return f"about {estimated * calibration.factor:.0f}"


def was_skipped(error: ProviderError) -> bool:
    """Whether an error stands for a target that was passed by before anything was sent."""
    return error.code == TOO_LONG and error.status is None
