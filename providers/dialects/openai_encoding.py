"""A normalized request becomes the bytes of an OpenAI-compatible host, by the short way or the long one."""

from __future__ import annotations

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .openai_drafting import drafted
from .openai_shortcut import shortened
from .writing import posted


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    return shortened(request, target) or encode_with_care(request, target)


def encode_with_care(request: ChatCompletion, target: Target) -> WireRequest:
    """The same by the long way, which knows every rule and every field."""
    draft = drafted(request, target)
    return posted(draft, draft.payload)
