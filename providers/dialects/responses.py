"""OpenAI's Responses: the wire on which its models think while they use tools, and hosts that follow it."""

from __future__ import annotations

from collections.abc import Mapping

from ..chat import ChatCompletion, ChatResponse, ModelList
from ..dialect import Target, WireRequest
from ..errors import ProviderError
from . import error_reading, responses_encoding
from .reading import SSEFrames, StreamDecoder, decode_whole, model_list
from .responses_decoding import ResponsesReader
from .writing import listing

_FOREIGN = (
    "The encrypted reasoning in the conversation comes from another account, region or model: leave "
    "reasoning_details out of the earlier messages, or send them to where they came from."
)


class ResponsesDialect:
    """The wire format of OpenAI's Responses; what a host does differently stands in its row."""

    name = "responses"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return responses_encoding.encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        reader = ResponsesReader(target)
        return decode_whole(body, target, reader.whole, streamed=lambda: self.decoder(request, target))

    def decoder(self, request: ChatCompletion, target: Target) -> StreamDecoder:
        """A fresh decoder for one streamed answer."""
        return StreamDecoder(
            target,
            SSEFrames(target),
            ResponsesReader(target),
            whole=lambda body: self.decode(body, request, target),
        )

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        error = error_reading.classify(status, headers, body, target)
        said = error.message.lower()
        if error.code == "invalid_encrypted_content" or (
            "encrypted content" in said and ("verified" in said or "decrypt" in said)
        ):
            error.message = f"{error.message} {_FOREIGN}"
        return error

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the provider's models."""
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The provider's list of models out of a body; MalformedResponseError where it is none."""
        return model_list(body, target)
