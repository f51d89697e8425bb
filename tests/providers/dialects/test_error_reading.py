"""Every shape and code of an error that hosts are known to send, and the kind it must become."""

# ruff: noqa: E501 - a table reads best with one case a line

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from turnout.providers.catalogue import catalogue
from turnout.providers.dialect import Target
from turnout.providers.dialects.error_reading import classify, error_in, finish_error
from turnout.providers.errors import BadRequestError, ProviderError, RateLimitError

KEY = "sk-secret-key-1234567890"


def target(preset: str = "openai-compatible", **quirks: Any) -> Target:
    row = catalogue()[preset].model_copy(update=quirks)
    return Target(
        "house",
        "m",
        row,
        "https://llm.example/v1",
        SecretStr(KEY),
        headers={"x-team": SecretStr("team-secret-42")},
    )


def error(message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


TABLE: list[tuple[str, int, Any, str]] = [
    # OpenAI
    ("openai", 400, error("too long", type="invalid_request_error", param="messages", code="context_length_exceeded"), "context_window"),
    ("openai", 400, error("This model's maximum context length is 8192 tokens"), "context_window"),
    ("openai", 400, error("rejected as a result of our safety system", code=None), "content_policy"),
    ("openai", 400, error("Invalid prompt: violating our usage policy", code="invalid_prompt"), "content_policy"),
    ("openai", 400, error("Unsupported parameter", code="unsupported_parameter", param="max_tokens"), "invalid_request"),
    ("openai", 400, error("max_tokens is too large: 99999. This model supports at most 4096 completion tokens", code="invalid_value"), "invalid_request"),
    ("openai", 400, error("string too long", code="string_above_max_length"), "invalid_request"),
    ("openai", 401, error("Incorrect API key", code="invalid_api_key"), "authentication"),
    ("openai", 403, error("Country, region, or territory not supported", code="unsupported_country_region_territory"), "permission"),
    ("openai", 404, error("The model `x` does not exist", code="model_not_found"), "not_found"),
    ("openai", 409, error("conflict"), "server"),
    ("openai", 422, error("unprocessable"), "invalid_request"),
    ("openai", 429, error("Rate limit reached", code="rate_limit_exceeded"), "rate_limit"),
    ("openai", 429, error("Request too large for gpt-5 on tokens per min", code="rate_limit_exceeded"), "invalid_request"),
    ("openai", 429, error("slow", type="rate_limit_error", code="slow_down"), "rate_limit"),
    ("openai", 429, error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), "quota"),
    ("openai", 429, error("none left", code="project_spend_limit_exceeded"), "quota"),
    ("openai", 500, error("oops", type="server_error"), "server"),
    ("openai", 503, error("busy", type="service_unavailable_error", code="server_is_overloaded"), "overloaded"),
    # Azure
    ("azure", 400, error("filtered due to the prompt triggering Azure's policy", code="content_filter", param="prompt", status=400, innererror={"code": "ResponsibleAIPolicyViolation"}), "content_policy"),
    ("azure", 401, error("Access denied due to invalid subscription key", code="401"), "authentication"),
    ("azure", 404, error("The API deployment does not exist", code="DeploymentNotFound"), "not_found"),
    ("azure", 404, error("Resource not found", code="404"), "not_found"),
    ("azure", 429, error("Requests have exceeded the rate limit", code="429"), "rate_limit"),
    # DashScope
    ("dashscope", 429, error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), "rate_limit"),
    ("dashscope", 429, error("Allocated quota exceeded", code="Throttling.AllocationQuota"), "rate_limit"),
    ("dashscope", 403, error("The free tier of the model has been exhausted", code="AllocationQuota.FreeTierOnly"), "quota"),
    ("dashscope", 400, error("Access denied, account in arrears", code="Arrearage"), "quota"),
    ("dashscope", 400, error("Range of input length should be [1, 98304]", code="invalid_parameter_error"), "context_window"),
    ("dashscope", 400, {"code": "InvalidParameter", "message": "Range of input length should be [1, 6000]", "request_id": "r-1"}, "context_window"),
    ("dashscope", 400, error("must be set to false for non-streaming calls", code="invalid_parameter_error"), "invalid_request"),
    ("dashscope", 400, error("Input data may contain inappropriate content", code="data_inspection_failed"), "content_policy"),
    ("dashscope", 404, error("no such model", code="model_not_found"), "not_found"),
    # vLLM, SGLang, llama.cpp, Ollama, LM Studio, TGI, transformers
    ("vllm", 400, error("This model's maximum context length is 4096 tokens. However", type="BadRequestError", code=400), "context_window"),
    ("vllm", 401, {"error": "Unauthorized"}, "authentication"),
    ("vllm", 404, error("The model `x` does not exist.", type="NotFoundError", code=404), "not_found"),
    ("vllm", 501, error("not here", type="NotImplementedError", code=501), "invalid_request"),
    ("sglang", 400, {"object": "error", "message": "The input is longer than the model's context length", "type": "BadRequestError", "param": None, "code": 400}, "context_window"),
    ("llama-cpp", 400, error("request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it", code=400, type="exceed_context_size_error", n_ctx=4096), "context_window"),
    ("llama-cpp", 500, error("Context size has been exceeded.", code=500, type="server_error"), "context_window"),
    ("llama-cpp", 503, error("Loading model", code=503, type="unavailable_error"), "overloaded"),
    ("llama-cpp", 501, error("This feature is off", code=501, type="not_supported_error"), "invalid_request"),
    ("ollama", 404, error('model "x" not found, try pulling it first', type="not_found_error"), "not_found"),
    ("ollama", 503, {"error": "server busy, please try again. maximum pending requests exceeded"}, "overloaded"),
    ("ollama", 400, {"error": "the input length exceeds the context length"}, "context_window"),
    ("lm-studio", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, "invalid_request"),
    ("tgi", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096", "error_type": "validation"}, "context_window"),
    ("tgi", 422, {"error": "`top_p` must be > 0.0", "error_type": "validation"}, "invalid_request"),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}, "overloaded"),
    ("tgi", 424, {"error": "Request failed during generation", "error_type": "generation"}, "server"),
    ("transformers", 503, {"error": "loading"}, "overloaded"),
    # DeepSeek, GLM, Kimi, MiniMax, Mistral
    ("deepseek", 402, error("Insufficient Balance", code="invalid_request_error"), "quota"),
    ("deepseek", 400, error("The reasoning_content in the thinking mode must be passed back to the API."), "invalid_request"),
    ("zai", 429, error("arrears", code="1113"), "quota"),
    ("zai", 429, error("concurrency", code="1302"), "rate_limit"),
    ("zai", 429, error("busy", code="1305"), "overloaded"),
    ("zai", 401, error("token expired", code="1001"), "authentication"),
    ("zai", 400, error("too long", code="1261"), "context_window"),
    ("zai", 400, error("sensitive", code="1301"), "content_policy"),
    ("zai", 400, error("network", code="1234"), "server"),
    ("moonshot", 429, error("overloaded", type="engine_overloaded_error"), "overloaded"),
    ("moonshot", 429, error("limit", type="rate_limit_reached_error"), "rate_limit"),
    ("moonshot", 429, error("balance", type="exceeded_current_quota_error"), "quota"),
    ("moonshot", 400, error("Input token length too long", type="invalid_request_error"), "context_window"),
    ("moonshot", 400, error("risky", type="content_filter"), "content_policy"),
    ("minimax", 200, {"base_resp": {"status_code": 1002, "status_msg": "rpm"}}, "rate_limit"),
    ("minimax", 200, {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "authentication"),
    ("minimax", 200, {"base_resp": {"status_code": 1001, "status_msg": "timeout"}}, "timeout"),
    ("minimax", 200, {"base_resp": {"status_code": "1027", "status_msg": "sensitive"}}, "content_policy"),
    ("minimax", 200, {"base_resp": {"status_code": 2013, "status_msg": "bad"}}, "invalid_request"),
    ("mistral", 422, {"detail": [{"loc": ["body", "max_completion_tokens"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]}, "invalid_request"),
    ("mistral", 422, {"object": "error", "message": {"detail": [{"loc": ["body"], "msg": "no"}]}, "type": "invalid_request_error", "code": None}, "invalid_request"),
    ("mistral", 400, {"object": "error", "message": "Unexpected role 'user' after role 'tool'", "type": "invalid_request_message_order", "code": "3230"}, "invalid_request"),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "r"}, "authentication"),
    ("mistral", 429, {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "x", "code": "3505"}, "overloaded"),
    # Groq, xAI, OpenRouter, Together, Fireworks, Cerebras, SambaNova
    ("groq", 400, error("Failed to call a function", code="tool_use_failed", failed_generation="x"), "invalid_request"),
    ("groq", 413, error("Request too large for model", code="rate_limit_exceeded"), "invalid_request"),
    ("groq", 498, error("flex", code="capacity_exceeded"), "overloaded"),
    ("groq", 499, {}, "connection"),
    ("xai", 400, {"error": "Incorrect API key provided: xa***56. See console.x.ai", "code": "Client specified an invalid argument"}, "authentication"),
    ("xai", 400, {"error": "Argument not supported: stop", "code": "x"}, "invalid_request"),
    ("openrouter", 403, error("flagged", code=403, metadata={"reasons": ["violence"], "flagged_input": "x"}), "content_policy"),
    ("openrouter", 402, error("Insufficient credits", code=402), "quota"),
    ("openrouter", 400, error("Provider returned error", code=400, metadata={"raw": '{"error":{"message":"maximum context length is 10"}}', "error_type": "invalid_request"}), "context_window"),
    ("openrouter", 400, error("long", code=400, metadata={"error_type": "context_length_exceeded"}), "context_window"),
    ("openrouter", 524, error("slow", code=524), "timeout"),
    ("openrouter", 529, error("busy", code=529, metadata={"error_type": "provider_overloaded"}), "overloaded"),
    ("openrouter", 502, error("bad gateway", code=502, metadata={"error_type": "provider_unavailable"}), "server"),
    ("together", 403, error("prompt too long"), "context_window"),
    ("together", 402, error("spend limit"), "quota"),
    ("fireworks", 412, error("Account suspended"), "permission"),
    ("fireworks", 408, error("slow"), "timeout"),
    ("cerebras", 400, error("Current length is 9000 while limit is 8192", code="context_length_exceeded"), "context_window"),
    ("cerebras", 429, error("Tokens per minute", code="token_quota_exceeded"), "rate_limit"),
    ("sambanova", 410, error("model gone"), "not_found"),
    ("sambanova", 504, error("queue expired"), "timeout"),
    # nothing but a status
    *[
        ("openai-compatible", status, b"", kind)
        for status, kind in {
            301: "not_found", 400: "invalid_request", 401: "authentication", 402: "quota", 403: "permission",
            404: "not_found", 405: "invalid_request", 408: "timeout", 410: "not_found", 413: "invalid_request",
            418: "invalid_request", 425: "server", 429: "rate_limit", 434: "server", 451: "content_policy",
            500: "server", 501: "invalid_request", 502: "server", 503: "overloaded", 504: "timeout",
            520: "server", 524: "timeout", 529: "overloaded", 599: "server", 204: "malformed",
        }.items()
    ],
]  # fmt: skip


@pytest.mark.parametrize(("preset", "status", "body", "kind"), TABLE)
def test_kinds(preset: str, status: int, body: Any, kind: str) -> None:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = error_in(body, target(preset)) if status == 200 else classify(status, {}, sent, target(preset))
    assert found is not None
    assert found.kind == kind
    assert (found.provider, found.model) == ("house", "m")
    assert found.message
    assert "house/m" in str(found)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b"upstream connect error", "upstream connect error", None),
        (b"", "HTTP 500 Internal Server Error", None),
        (b"null", "null", None),
        (b'"just a text"', "just a text", None),
        (b"[]", "[]", None),
        (b'[{"error":{"message":"in a list","code":400,"status":"NO"}}]', "in a list", "NO"),
        (b'{"error":{"message":"plain","type":"t","code":"c"}}', "plain", "c"),
        (b'{"error":{"message":"by type","type":"t","code":null}}', "by type", "t"),
        (b'{"error":"text","error_type":"validation"}', "text", "validation"),
        (b'{"error":"text","code":"c"}', "text", "c"),
        (b'{"error":["first","second"]}', "first", None),
        (b'{"error":true}', "True", None),
        (b'{"object":"error","message":"flat","type":"t","code":7}', "flat", "7"),
        (b'{"detail":"Not Found"}', "Not Found", None),
        (b'{"detail":[{"loc":["body","x"],"msg":"bad"},{"msg":"worse"}]}', "body.x: bad; worse", None),
        (b'{"error":{"message":{"detail":[{"loc":["a"],"msg":"object"}]}}}', "a: object", None),
        (b'{"message":"{\\"detail\\":[{\\"msg\\":\\"JSON text\\"}]}","type":"t"}', "JSON text", "t"),
        (b'{"error":{"message":"{not json"}}', "{not json", None),
        (b'{"error":{"message":["one","two"]}}', "one; two", None),
        (b'{"error":{"code":"c"}}', "HTTP 500 Internal Server Error", "c"),
        (b'{"error":{"innererror":{"code":"Inner","message":"deep"}}}', "deep", "Inner"),
        (b'{"error":{"message":"Provider returned error","metadata":{"raw":"the cause"}}}', "Provider returned error: the cause", None),
        (b'{"error":{"metadata":{"raw":"only the cause"}}}', "only the cause", None),
        (b"<html><head><title>502 Bad\n Gateway</title></head></html>", "an HTML or XML page instead of JSON: 502 Bad Gateway", None),
        (b"<oops/>", "an HTML or XML page instead of JSON: without a title", None),
        (b"\xff\xfe broken", "\ufffd\ufffd broken", None),
        (b"[" * 100_000, "[" * 800 + "…", None),
        (b'{"error":{"message":5,"code":' + b"9" * 5000 + b"}}", None, None),
        (b'{"code":"Throttling","message":"native","request_id":"r-9"}', "native", "Throttling"),
    ],
)  # fmt: skip
def test_bodies_of_every_shape(body: bytes, message: str | None, code: str | None) -> None:
    found = classify(500, {}, body, target())
    assert found.code == code
    assert message is None or found.message == message


def test_request_ids_come_from_headers_or_body() -> None:
    assert classify(500, {"x-request-id": "r1"}, b"", target()).request_id == "r1"
    assert classify(500, {"mistral-correlation-id": "r2"}, b"", target("mistral")).request_id == "r2"
    both = {"x-request-id": "theirs", "apim-request-id": "azure's"}
    assert classify(500, both, b"", target("azure")).request_id == "azure's"
    assert classify(500, {}, b'{"error":{"message":"x"},"request_id":"r3"}', target()).request_id == "r3"
    assert classify(500, {}, b"", target()).request_id is None


def test_waits_come_with_the_errors_that_pass() -> None:
    later = {"retry-after": "12"}
    assert classify(429, later, b"", target()).retry_after == 12
    assert classify(503, {}, b'{"error":"try again in 1.5s"}', target()).retry_after == 1.5
    assert classify(401, later, b"", target()).retry_after is None
    date = {"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}
    assert classify(429, date, b"", target(), now=datetime(2026, 11, 21, 12, tzinfo=UTC)).retry_after == 30


def test_what_the_model_wrote_may_be_tried_again() -> None:
    body = json.dumps(error("bad json", code="json_validate_failed")).encode()
    assert classify(400, {}, body, target("groq")).model_output
    assert not classify(400, {}, b"{}", target("groq")).model_output


def test_a_row_of_the_catalogue_goes_first() -> None:
    own = target(
        errors={"E1": "quota", "E2": "no-such-kind"},
        error_texts={"Go Away": "permission"},
        statuses={418: "timeout"},
    )
    assert classify(500, {}, b'{"error":{"code":"e1"}}', own).kind == "quota"
    assert classify(500, {}, b'{"error":{"code":"E2"}}', own).kind == "server"
    assert classify(500, {}, b'{"error":{"message":"go away","code":"E1"}}', own).kind == "permission"
    assert classify(418, {}, b"", own).kind == "timeout"


def test_no_key_shows_in_a_message() -> None:
    said = f"Incorrect API key provided: {KEY}, team-secret-42, sk-proj-abcdefghijkl, Bearer abcdefghij"
    found = classify(401, {}, json.dumps(error(said, code=KEY)).encode(), target())
    for text in (str(found), repr(found), found.message, str(found.code)):
        assert KEY not in text
        assert "team-secret-42" not in text
        assert "abcdefgh" not in text
    assert found.message == "Incorrect API key provided: [redacted], [redacted], [redacted], [redacted]"


def test_a_short_key_is_a_word() -> None:
    local = Target("local", "m", catalogue()["llama-cpp"], "http://127.0.0.1", SecretStr("none"))
    assert classify(400, {}, b'{"error":"none of these"}', local).message == "none of these"


def test_answers_are_no_errors() -> None:
    empty: list[Any] = [{"choices": []}, {"choices": [], "error": None}, {"base_resp": {"status_code": 0}}]
    for payload in [*empty, [], [[]], 5, None, "x"]:
        assert error_in(payload, target()) is None


def test_errors_inside_a_success_name_their_status() -> None:
    found = error_in(error("slow down", code=429), target("openrouter"))
    assert isinstance(found, RateLimitError)
    assert found.status == 429
    assert isinstance(error_in(error("x", type="invalid_request_error"), target()), BadRequestError)
    unknown = error_in({"error": {}, "object": "error"}, target())
    assert unknown is not None
    assert unknown.kind == "server"
    assert "without a message" in unknown.message


def test_an_error_event_is_an_error_whatever_it_holds() -> None:
    payloads: list[Any] = ["text", {"choices": []}, [], None, 5]
    for payload in payloads:
        assert isinstance(error_in(payload, target(), event="error"), ProviderError)


def test_a_finish_reason_that_reports_a_failure() -> None:
    found = finish_error("network_error", target("zai"))
    assert (found.kind, found.code) == ("server", "network_error")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["error", "message", "code", "type", "detail", "base_resp", "status_code", "metadata",
                         "innererror", "x_groq", "loc", "msg", "status", "object", "raw", "request_id"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200)
@given(json_values, st.integers(300, 599), st.sampled_from(["openai", "minimax", "dashscope", "zai"]))
def test_no_body_breaks_the_reading_of_it(payload: Any, status: int, preset: str) -> None:
    found = classify(status, {}, json.dumps(payload).encode(), target(preset))
    assert str(found)
    assert len(found.message) < 900
    inside = error_in(payload, target(preset))
    assert inside is None or str(inside)


@given(st.binary())
def test_no_bytes_break_the_reading_of_them(body: bytes) -> None:
    assert str(classify(500, {}, body, target()))
