"""Anthropic's own types of a request."""

from __future__ import annotations

import json
from typing import Any

from anthropic.types import message_create_params as sdk
from mixed_requests import STRICT, check_typed
from pydantic import TypeAdapter


class Sampling(sdk.MessageCreateParamsNonStreaming, total=False):
    """The SDK left these fields out with the newest version of the API; the one we speak has them."""

    temperature: float
    top_p: float
    top_k: int


class StreamedSampling(sdk.MessageCreateParamsStreaming, total=False):
    """The same for streams."""

    temperature: float
    top_p: float
    top_k: int


WHOLE = TypeAdapter(list[Sampling], config=STRICT)
STREAMED = TypeAdapter(list[StreamedSampling], config=STRICT)


def check(body: dict[str, Any]) -> None:
    """The body is what the SDK could have sent, and begins with a user's turn."""
    check_typed(STREAMED if body.get("stream") else WHOLE, body)
    assert body["messages"][0]["role"] == "user"
    assert json.dumps(body).count('"cache_control"') <= 4
