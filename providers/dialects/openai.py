"""OpenAI's Chat Completions, and every host that speaks it: one dialect over the catalogue's rows."""

from __future__ import annotations

from collections.abc import Mapping

from ..chat import ChatCompletion, ChatResponse, ModelList
from ..dialect import Decoder, Target, WireRequest
from ..errors import ProviderError
from . import error_reading, openai_decoding, openai_encoding
from .reading import model_list
from .writing import listing


class OpenAIDialect:
    """The wire format of OpenAI's Chat Completions; what a host does differently stands in its row."""

    name = "openai"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return openai_encoding.encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        return openai_decoding.decode_body(body, request, target)

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:
        """A fresh decoder for one streamed answer."""
        return openai_decoding.OpenAIDecoder(request, target)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        return error_reading.classify(status, headers, body, target)

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the provider's models."""
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The provider's list of models out of a body; MalformedResponseError where it is none."""
        return model_list(body, target)
