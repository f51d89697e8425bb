"""The types of Google's own SDK."""

from __future__ import annotations

from typing import Any

from google.genai import types
from mixed_requests import assert_understood

Fields = dict[str, Any]
_BASE64 = frozenset({"data", "thoughtSignature"})


def understood(model: Any, value: Any) -> None:
    """The value is what the SDK's model writes again."""
    again = model.model_validate(value).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert_understood(plain(value), plain(again))


def plain(value: Any) -> Any:
    """The value with base64 in its usual letters; the SDK writes those that are safe in URLs."""
    if isinstance(value, dict):
        return {
            name: letters(inner) if name in _BASE64 and isinstance(inner, str) else plain(inner)
            for name, inner in value.items()
        }
    return [plain(item) for item in value] if isinstance(value, list) else value


def letters(data: str) -> str:
    return data.replace("-", "+").replace("_", "/")


def check(body: Fields) -> None:
    """Every part of a body is known to the SDK."""
    body = dict(body)
    assert body["contents"]
    for content in body.pop("contents"):
        assert content["parts"]
        understood(types.Content, content)
    image = body.get("generationConfig", {}).pop("imageConfig", None)
    understood(types.ImageConfig, image or {})
    single = {
        "systemInstruction": types.Content,
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
    }
    for name, model in single.items():
        if name in body:
            understood(model, body.pop(name))
    for name, listed in (("tools", types.Tool), ("safetySettings", types.SafetySetting)):
        for value in body.pop(name, []):
            understood(listed, value)
    assert body.keys() <= {"cachedContent", "labels", "serviceTier", "store"}
    assert body.get("serviceTier", "flex") in {tier.value for tier in types.ServiceTier}
