"""Anthropic's Messages API, and hosts that speak it as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..chat import ChatCompletion, ChatResponse, Model, ModelList
from ..dialect import Decoder, Target, WireRequest
from ..errors import ProviderError
from . import error_reading
from .anthropic_decoding import MessagesReader, chunks_of_message
from .anthropic_encoding import encode
from .draft import Json
from .envelope import loaded, malformed
from .reading import SSEFrames, StreamDecoder, decode_whole, listed
from .writing import listing


class AnthropicDialect:
    """The wire format of Anthropic's Messages; what each Claude takes stands in the catalogue's row."""

    name = "anthropic"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        return decode_whole(
            body,
            target,
            lambda message: chunks_of_message(message, request, target),
            streamed=lambda: self._stream(request, target, whole=False),
        )

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:
        """A fresh decoder for one streamed answer."""
        return self._stream(request, target, whole=True)

    def _stream(self, request: ChatCompletion, target: Target, *, whole: bool) -> StreamDecoder:
        def decode(body: bytes) -> ChatResponse:
            return self.decode(body, request, target)

        reader = MessagesReader(request, target)
        return StreamDecoder(target, SSEFrames(target), reader, decode if whole else None)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        return error_reading.classify(status, headers, _with_code(body), target)

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the provider's models."""
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The list in the answer to `models_request`; MalformedResponseError where it is none."""
        return ModelList(data=[_model(row, target) for row in listed(body, target, "data")])


def _with_code(body: bytes) -> bytes:
    """An error's body with `details.error_code`, the most telling word, where other hosts have their code."""
    payload: Any = loaded(body.decode("utf-8", "replace"))
    if not isinstance(payload, dict) or not isinstance(payload.get("error"), dict):
        return body
    error: Json = payload["error"]
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    if not isinstance(code, str) or not code:
        return body
    return json.dumps({**payload, "error": {**error, "code": code}}).encode()


def _model(row: Json, target: Target) -> Model:
    identity = row.get("id")
    if not isinstance(identity, str) or not identity:
        raise malformed(target, "the list of models has one without an id")
    rest = {name: value for name, value in row.items() if name not in {"id", "type", "object", "created"}}
    return Model.model_validate({"owned_by": "anthropic", **rest, "id": identity, "created": _seconds(row)})


def _seconds(row: Json) -> int | None:
    """When a model was made, in Unix seconds; None where the list does not say."""
    try:
        return int(datetime.fromisoformat(str(row.get("created_at"))).timestamp())
    except ValueError:
        return None
