"""Google's generateContent, on the Gemini API and on Vertex AI."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from ..chat import ChatCompletion, ChatResponse, Model, ModelList
from ..dialect import Decoder, Target, WireRequest
from ..errors import ProviderError
from . import error_reading, gemini_decoding, gemini_encoding
from .reading import listed
from .writing import listing

_REGION = re.compile(r"//(global|us|eu)-aiplatform\.googleapis\.com")
_PREFIX = re.compile(r"^(?:publishers/[^/]+/)?(?:models/)?")


class GeminiDialect:
    """The wire format of `generateContent` and `streamGenerateContent`."""

    name = "gemini"

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        return gemini_encoding.encode(request, placed(target))

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        return gemini_decoding.decode(body, request, target)

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:
        """A fresh decoder for one streamed answer."""
        return gemini_decoding.stream_decoder(request, target)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        return error_reading.classify(status, headers, body, target)

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the provider's models; Vertex keeps its list outside all projects."""
        target = placed(target)
        root, within, _ = target.base_url.partition("/projects/")
        if within:
            target = dataclasses.replace(target, base_url=f"{root}/publishers/google")
        return listing(target)

    def models(self, body: bytes, target: Target) -> ModelList:
        """The provider's list of models out of a body; MalformedResponseError where it is none."""
        key = "publisherModels" if b'"publisherModels"' in body else "models"
        return ModelList(
            data=[
                Model.model_validate(
                    {
                        **{name: value for name, value in row.items() if name != "name"},
                        "id": _PREFIX.sub("", str(row.get("name") or "")),
                        "object": "model",
                        "created": None,
                        "owned_by": "google",
                    }
                )
                for row in listed(body, target, key)
            ]
        )


def placed(target: Target) -> Target:
    """The target at the host that serves its location: Vertex spells three of them unlike the regions.

    Source: google-genai 3.4.0, _api_client.py.
    """

    def host(found: re.Match[str]) -> str:
        region = found[1]
        return (
            "//aiplatform.googleapis.com"
            if region == "global"
            else f"//aiplatform.{region}.rep.googleapis.com"
        )

    url = _REGION.sub(host, target.base_url)
    return target if url == target.base_url else dataclasses.replace(target, base_url=url)
