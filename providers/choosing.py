"""Which wire of a host says a request, where the host speaks more than one.

OpenAI's models from GPT-5.4 on take function tools while they think only on the Responses wire, and some
models are not served on Chat Completions at all. A row of the catalogue names such a second wire as a twin.
"""

from __future__ import annotations

import dataclasses

from .catalogue import Thinking, catalogue
from .chat import ChatCompletion
from .dialect import Target
from .thinking import thinking_intent

_CHAT_ONLY = ("stop", "audio", "prediction", "logit_bias")
"""Fields that shape the answer and that only Chat Completions can say."""


def twin_for(request: ChatCompletion, target: Target) -> str | None:
    """The dialect of the twin that has to carry this request; None: the target's own wire can."""
    preset = target.preset
    for rule in preset.rules_of(target.model):
        if rule.dialect in preset.twins:
            return rule.dialect
    if "responses" not in preset.twins or _needs_chat(request):
        return None
    own, other = preset.thinking_of(target.model), _twin_thinking(target, "responses")
    if _tools_and_thoughts(request, own) and "tools" not in other.excludes:
        return "responses"
    effort = request.reasoning_effort
    return "responses" if effort in other.efforts and effort not in own.efforts and own.efforts else None


def as_twin(target: Target, dialect: str) -> Target:
    """The same target on another wire of its host."""
    return dataclasses.replace(target, preset=catalogue()[target.preset.twins[dialect]])


def _twin_thinking(target: Target, dialect: str) -> Thinking:
    return catalogue()[target.preset.twins[dialect]].thinking_of(target.model)


def _needs_chat(request: ChatCompletion) -> bool:
    if (request.n or 1) > 1 or "audio" in (request.modalities or ()):
        return True
    return any(getattr(request, name, None) for name in _CHAT_ONLY)


def _tools_and_thoughts(request: ChatCompletion, thinking: Thinking) -> bool:
    """Whether function tools meet a model that will think, and that does not take them together."""
    if "tools" not in thinking.excludes or not any(tool.function for tool in request.tools or ()):
        return False
    mode = thinking_intent(request).mode
    return bool(thinking.default_on) if mode == "unset" else mode != "off"
