"""Cohere's Chat API, version 2: its own wire, with plans, thinking, documents and citations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..chat import ChatChunk, ChatCompletion, ChatResponse, Model, ModelList
from ..dialect import Target, WireRequest
from ..errors import ProviderError
from . import error_reading
from .cohere_decoding import CohereReader
from .cohere_encoding import encode
from .draft import Json
from .reading import SSEFrames, StreamDecoder, decode_whole, listed
from .writing import listing


class CohereDialect:
    """The wire format of Cohere's `v2/chat`."""

    name = "cohere"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""

        def chunks(payload: Json) -> Iterator[ChatChunk]:
            return CohereReader(request, target).whole(payload)

        return decode_whole(body, target, chunks, streamed=lambda: self.decoder(request, target))

    def decoder(self, request: ChatCompletion, target: Target) -> StreamDecoder:
        """A fresh decoder for one streamed answer."""
        return StreamDecoder(
            target,
            SSEFrames(target),
            CohereReader(request, target),
            whole=lambda body: self.decode(body, request, target),
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        return error_reading.classify(status, headers, body, target)

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the chat models."""
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The models, with all that Cohere says of each; MalformedResponseError where there is no list."""
        rows = [row for row in listed(body, target, "models") if isinstance(row.get("name"), str)]
        return ModelList(
            data=[
                Model.model_validate(
                    {
                        **{name: value for name, value in row.items() if name not in {"name", "object"}},
                        "id": row["name"],
                        "owned_by": "cohere",
                    }
                )
                for row in rows
            ]
        )
