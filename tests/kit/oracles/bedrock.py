"""botocore's own model of Converse, and the rules that the service keeps beyond its shapes."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from functools import cache
from itertools import pairwise
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator


@cache
def operation() -> OperationModel:
    """Converse as botocore describes it."""
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


def check(body: dict[str, Any]) -> None:
    """botocore takes the body, and the conversation in it keeps the service's rules."""
    params = unpacked(body, operation().input_shape)
    report = ParamValidator().validate({"modelId": "m", **params}, operation().input_shape)
    assert not report.has_errors(), f"{json.dumps(body)}\n{report.generate_report()}"
    check_conversation(body)
