"""Ollama's own chat API: JSON line by line, options in an object of their own, thinking in its own field."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from ..chat import ChatCompletion, ChatResponse, Model, ModelList
from ..dialect import Decoder, Target, WireRequest
from ..errors import ProviderError
from . import error_reading, ollama_decoding, ollama_encoding
from .draft import Json
from .envelope import malformed
from .reading import listed
from .writing import listing


class OllamaDialect:
    """The wire format of Ollama's `/api/chat`, on one's own machine and in its cloud."""

    name = "ollama"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return ollama_encoding.encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:  # noqa: ARG002
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        return ollama_decoding.decode(body, target)

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:  # noqa: ARG002
        """A fresh decoder for one streamed answer."""
        return ollama_decoding.decoder(target)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case.

        Where a model is missing on one's own machine, the message says how to get it.
        """
        failure = error_reading.classify(status, headers, body, target)
        missing = failure.kind == "not_found" and "model" in failure.message.lower()
        if missing and target.preset.local and target.model:
            failure.message = f"{failure.message}; `ollama pull {target.model}` fetches it."
            failure.args = (failure.message,)
        return failure

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the models on the server."""
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The models in the answer to `models_request`; MalformedResponseError where it is none."""
        try:
            return ModelList(data=[_model(row) for row in listed(body, target, "models")])
        except ValidationError:
            raise malformed(target, "the answer is no list of models") from None


def _model(row: Json) -> Model:
    """One model, with all that the server says of it besides."""
    known = {"id": row.get("model") or row.get("name"), "object": "model"}
    created = ollama_decoding.seconds(row.get("modified_at"))
    return Model.model_validate({**row, **known, "created": created or None})
