"""Amazon Bedrock's Converse and ConverseStream: many makers' models behind one wire.

Requests are signed, or carry a Bedrock API key (see `access_keys`); streams are binary (see `event_stream`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from ..chat import ChatCompletion, ChatResponse, Model, ModelList
from ..dialect import Decoder, Target, WireRequest
from ..errors import ProviderError
from ..folding import fold
from . import bedrock_encoding
from .bedrock_decoding import ConverseReader, chunks_of_whole
from .bedrock_frames import BedrockDecoder, exception
from .envelope import loaded
from .error_reading import classify
from .reading import decode_whole, listed
from .writing import listing


class BedrockDialect:
    """The wire format of Converse; what one maker's models take of it stands in bedrock.yaml."""

    name = "bedrock"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request, not yet signed; UnsupportedError where the wire cannot say it."""
        return bedrock_encoding.encode(request, target)

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        if body[:1] == b"\0":  # the length of a first message: streamed although nobody asked
            decoder = self.decoder(request, target)
            return fold([*decoder.feed(body), *decoder.close()])
        return decode_whole(body, target, lambda payload: chunks_of_whole(payload, request, target))

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:
        """A fresh decoder for one streamed answer."""
        reader = ConverseReader(request, target)
        return BedrockDecoder(target, reader, lambda body: self.decode(body, request, target))

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case.

        The name of the error stands in a header, such as `ValidationException:http://…`, or in the body.
        """
        text = body.decode("utf-8", "replace")
        payload = loaded(text)
        name = headers.get("x-amzn-errortype", "")
        if isinstance(payload, dict) or name:
            said = exception(payload, text, name)
            said["type"] = str(said["type"] or "").rpartition("#")[2].partition(":")[0] or None
            body = json.dumps(said).encode()
        return classify(status, headers, body, target)

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the models, which goes to the service's other host."""
        wire = listing(target)
        parts = urlsplit(wire.url)
        host = parts.netloc.replace("bedrock-runtime", "bedrock", 1)
        return replace(wire, url=urlunsplit(parts._replace(netloc=host)))

    def models(self, body: bytes, target: Target) -> ModelList:
        """The list in the answer to `models_request`; MalformedResponseError where it is none."""
        rows = listed(body, target, "modelSummaries")
        return ModelList(data=[_model(row) for row in rows if isinstance(row.get("modelId"), str)])


def _model(row: Mapping[str, object]) -> Model:
    rest = {name: value for name, value in row.items() if name not in ("modelId", "providerName")}
    return Model.model_validate({**rest, "id": row["modelId"], "owned_by": row.get("providerName") or ""})
