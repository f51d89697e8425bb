"""Hundreds of mixed requests are what botocore's own model of the service takes, down to every pattern."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from urllib.parse import urlsplit

from botocore.serialize import create_serializer
from mixed_requests import mixed_requests, target_of
from oracles import check_payload
from oracles.bedrock import operation, unpacked

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.bedrock import BedrockDialect

MODELS = [
    "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.anthropic.claude-sonnet-4-6",
    "us.anthropic.claude-opus-4-7",
    "us.anthropic.claude-sonnet-5",
    "us.anthropic.claude-sonnet-5-5",
    "us.anthropic.claude-fable-5-1",
    "us.amazon.nova-micro-v1:0",
    "us.amazon.nova-pro-v1:0",
    "us.amazon.nova-2-lite-v1:0",
    "us.meta.llama4-maverick-17b-instruct-v1:0",
    "us.mistral.pixtral-large-2502-v1:0",
    "mistral.voxtral-mini-3b-2507",
    "us.deepseek.r1-v1:0",
    "deepseek.v3.2",
    "openai.gpt-oss-120b-1:0",
    "qwen.qwen3-32b-v1:0",
    "zai.glm-4.7-flash",
    "moonshotai.kimi-k2.5",
    "us.writer.palmyra-x5-v1:0",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
]
FEATURES: list[dict[str, Any]] = [
    {"guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "DRAFT", "trace": "enabled"}},
    {"additionalModelRequestFields": {"anthropic_beta": ["x"]}},
    {"additionalModelResponseFieldPaths": ["/a", "/b"]},
    {"performanceConfig": {"latency": "optimized"}},
    {"promptVariables": {"name": {"text": "Ann"}}},
    {"requestMetadata": {"team": "search"}},
    {"serviceTier": {"type": "reserved"}},
    {"metadata": {"été": "x", "ok": "y", "z": "{}"}},
    {"metadata": {f"key-{number}": "v" for number in range(16)}},
]
"""What only this wire has."""
DIALECT = BedrockDialect()


def requests() -> list[tuple[str, ChatCompletion]]:
    random = Random(7)
    made = []
    for number, request in enumerate(mixed_requests(920, seed=11)):
        extra = random.choice(FEATURES) if number % 3 == 0 else {}
        given = {**extra, **request.wire()} if number % 2 else {**request.wire(), **extra}
        made.append((MODELS[number % len(MODELS)], ChatCompletion.parse(given)))
    return made


def test_botocore_takes_every_mixed_request() -> None:
    for model, request in requests():
        check_payload("bedrock", json.loads(DIALECT.encode(request, target_of("bedrock", model)).body))


def test_botocore_would_write_the_same_request() -> None:
    serializer = create_serializer("rest-json", include_validation=False)
    for model, request in requests()[:92]:
        wire = DIALECT.encode(request.model_copy(update={"stream": False}), target_of("bedrock", model))
        body = json.loads(wire.body)
        params = unpacked(body, operation().input_shape)
        theirs = serializer.serialize_to_request({"modelId": model, **params}, operation())
        assert json.loads(theirs["body"]) == body
        assert urlsplit(wire.url).path == theirs["url_path"]
