"""Hundreds of mixed requests are what botocore's own model of the service takes, down to every pattern."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from mixed_requests import mixed_requests, target_of

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


@pytest.fixture(scope="module")
def operation() -> OperationModel:
    service = Loader().load_service_model("bedrock-runtime", "service-2")
    return ServiceModel(service, "bedrock-runtime").operation_model("Converse")


def unpacked(value: Any, shape: Shape, path: str = "") -> Any:
    """The value with its bytes decoded, checked against all that botocore leaves unchecked."""
    rules = shape.metadata
    if isinstance(shape, StructureShape):
        if getattr(shape, "is_document_type", False):
            return value
        return {
            name: unpacked(inner, shape.members[name], f"{path}.{name}") if name in shape.members else inner
            for name, inner in value.items()
        }
    if isinstance(shape, ListShape):
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**6), path
        return [unpacked(item, shape.member, f"{path}[]") for item in value]
    if isinstance(shape, MapShape):
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**6), path
        return {
            unpacked(name, shape.key, path): unpacked(item, shape.value, path) for name, item in value.items()
        }
    if shape.type_name == "blob":
        data = b64decode(value, validate=True)
        assert data, path
        return data
    if shape.type_name == "string":
        assert rules.get("min", 0) <= len(value) <= rules.get("max", 10**9), path
        assert value in rules.get("enum", [value]), f"{path} is {value!r}"
        assert "pattern" not in rules or re.fullmatch(rules["pattern"], value), f"{path} is {value!r}"
    if shape.type_name in ("integer", "float"):
        assert rules.get("min", value) <= value <= rules.get("max", value), path
    return value


def check_conversation(body: dict[str, Any]) -> None:
    """The rules that the service keeps beyond its shapes."""
    roles = [message["role"] for message in body["messages"]]
    assert all(one != other for one, other in pairwise(roles)), roles
    called: list[str] = []
    used = False
    names: list[str] = []
    for message in body["messages"]:
        content = message["content"]
        assert content
        assert "cachePoint" not in content[0]
        assert all(block["text"].strip() for block in content if "text" in block)
        results = [block["toolResult"]["toolUseId"] for block in content if "toolResult" in block]
        assert sorted(results) == sorted(called), "every call has one result, in the message after it"
        called = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
        used = used or bool(called)
        documents = [block["document"]["name"] for block in content if "document" in block]
        assert not documents or any("text" in block for block in content)
        names += documents
        assert not any("cachePoint" in a and "cachePoint" in b for a, b in pairwise(content))
    assert len(set(names)) == len(names)
    assert not used or body["toolConfig"]["tools"]
    assert json.dumps(body).count('"cachePoint"') <= 4


def requests() -> list[tuple[str, ChatCompletion]]:
    random = Random(7)
    made = []
    for number, request in enumerate(mixed_requests(920, seed=11)):
        extra = random.choice(FEATURES) if number % 3 == 0 else {}
        given = {**extra, **request.wire()} if number % 2 else {**request.wire(), **extra}
        made.append((MODELS[number % len(MODELS)], ChatCompletion.parse(given)))
    return made


def test_botocore_takes_every_mixed_request(operation: OperationModel) -> None:
    validator = ParamValidator()
    for model, request in requests():
        body = json.loads(DIALECT.encode(request, target_of("bedrock", model)).body)
        params = unpacked(body, operation.input_shape)
        report = validator.validate({"modelId": model, **params}, operation.input_shape)
        assert not report.has_errors(), f"{model}\n{json.dumps(body)}\n{report.generate_report()}"
        check_conversation(body)


def test_botocore_would_write_the_same_request(operation: OperationModel) -> None:
    serializer = create_serializer("rest-json", include_validation=False)
    for model, request in requests()[:92]:
        wire = DIALECT.encode(request.model_copy(update={"stream": False}), target_of("bedrock", model))
        body = json.loads(wire.body)
        params = unpacked(body, operation.input_shape)
        theirs = serializer.serialize_to_request({"modelId": model, **params}, operation)
        assert json.loads(theirs["body"]) == body
        assert urlsplit(wire.url).path == theirs["url_path"]
