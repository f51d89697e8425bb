"""A host's errors: their envelopes, and the requests that it refuses by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from .quirks import Quirks, thinking_off
from .script import Reply

_DEFAULTS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "invalid_value", "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("invalid_request_error", "insufficient_balance", "Insufficient balance."),
    403: ("invalid_request_error", "permission_denied", "You have no permission for this."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or is not yours.",
    ),
    408: ("timeout", "timeout", "The request timed out."),
    413: ("invalid_request_error", "payload_too_large", "The request is too large."),
    422: ("invalid_request_error", "unprocessable", "The request cannot be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    503: ("service_unavailable_error", "server_is_overloaded", "The server is overloaded."),
}
_SERVER: tuple[str, str | None, str] = (
    "server_error",
    None,
    "The server had an error while processing the request.",
)

# MiniMax's own codes (base_resp.status_code) for what others say with an HTTP status.
_BASE_RESP = {400: 2013, 401: 1004, 402: 1008, 408: 1001, 422: 2013, 429: 1002}
_NINE = re.compile(r"[A-Za-z0-9]{9}")

Fault = tuple[int, Any]
"""An HTTP status and the JSON that comes with it."""


def error_fields(status: int, error: str | Mapping[str, Any] | None, row: Quirks) -> dict[str, Any]:
    """The error in the host's words: its defaults for the status, what the script says put over them."""
    kind, code, message = _DEFAULTS.get(status, _SERVER)
    values: dict[str, Any] = {
        "message": message,
        "type": row.error_types.get(status, kind),
        "param": None,
        "code": status if row.numeric_code else code,
        "metadata": {"error_type": row.error_types.get(status, kind), "provider_name": "Simulated"},
    }
    fields = {name: values[name] for name in row.error_fields}
    if isinstance(error, str):
        return fields | {"message": error}
    return fields | dict(error or {})


def envelope(status: int, error: str | Mapping[str, Any] | None, row: Quirks) -> dict[str, Any]:
    """The whole body of an error answer."""
    fields = error_fields(status, error, row)
    match row.envelope:
        case "flat":
            return {"object": "error", **fields}
        case "string":
            return {"code": fields.get("code"), "error": fields["message"]}
        case "base_resp":
            code = fields.get("code")
            number = code if isinstance(code, int) else _BASE_RESP.get(status, 1000)
            return {"base_resp": {"status_code": number, "status_msg": fields["message"]}}
        case _:
            return {"error": fields}


def scripted_fault(reply: Reply, row: Quirks) -> Fault:
    """The error that a reply with a status from 400 on stands for."""
    return reply.status, envelope(reply.status, reply.error, row)


def wrong_key(row: Quirks) -> Fault:
    """The answer to a missing or wrong key."""
    if row.wrong_key_body is not None:
        return row.wrong_key_status, dict(row.wrong_key_body)
    return row.wrong_key_status, envelope(401, row.wrong_key, row)


def error_in_200(reply: Reply, row: Quirks) -> dict[str, Any]:
    """The body of an answer that says 200 and is an error all the same."""
    inner = reply.error if isinstance(reply.error_in_200, bool) else reply.error_in_200
    return envelope(500, inner, row)


def refused(request: Mapping[str, Any], row: Quirks) -> Fault | None:
    """What the host answers to a request that it never takes; None: it takes this one."""
    if not isinstance(request.get("model"), str):
        return 400, envelope(400, {"message": "you must provide a model parameter", "param": "model"}, row)
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        return 400, envelope(
            400, {"message": "'messages' must be a list of objects", "param": "messages"}, row
        )
    for check in (_extra_fields, _stream_only, _reasoning_missing, _foreign_ids):
        fault = check(request, messages, row)
        if fault is not None:
            return fault
    return None


def _extra_fields(request: Mapping[str, Any], messages: list[Mapping[str, Any]], row: Quirks) -> Fault | None:
    places: list[list[str | int]] = []
    if row.request_fields is not None:
        places += [["body", name] for name in request if name not in row.request_fields]
    if row.message_fields is not None:
        places += [
            ["body", "messages", index, "assistant", name]
            for index, message in enumerate(messages)
            if message.get("role") == "assistant"
            for name in message
            if name not in row.message_fields
        ]
    if not places:
        return None
    faults = [
        {"type": "extra_forbidden", "loc": loc, "msg": "Extra inputs are not permitted"} for loc in places
    ]
    return 422, {
        "object": "error",
        "message": {"detail": faults},
        "type": "invalid_request_error",
        "code": None,
    }


def _stream_only(request: Mapping[str, Any], _: list[Mapping[str, Any]], row: Quirks) -> Fault | None:
    if request.get("stream") is True:
        return None
    thinks = row.stream_only_thinking and request.get("enable_thinking") is True
    if _matches(request["model"], row.stream_only):
        text = "This model only support stream mode, please enable the stream parameter to access the model."
    elif thinks and not _matches(request["model"], row.whole_thinking):
        text = "parameter.enable_thinking must be set to false for non-streaming calls"
    else:
        return None
    return 400, envelope(400, {"message": text, "code": "invalid_parameter_error"}, row)


def _matches(model: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model.lower(), pattern) for pattern in patterns)


def _reasoning_missing(
    request: Mapping[str, Any], messages: list[Mapping[str, Any]], row: Quirks
) -> Fault | None:
    if not row.replay_reasoning or thinking_off(request, row):
        return None
    if all("reasoning_content" in message for message in messages if message.get("tool_calls")):
        return None
    return 400, envelope(
        400, "The reasoning_content in the thinking mode must be passed back to the API.", row
    )


def _foreign_ids(_: Mapping[str, Any], messages: list[Mapping[str, Any]], row: Quirks) -> Fault | None:
    if row.tool_call_id != "nine":
        return None
    ids = [str(message["tool_call_id"]) for message in messages if "tool_call_id" in message]
    ids += [
        str(call.get("id"))
        for message in messages
        for call in message.get("tool_calls") or ()
        if isinstance(call, Mapping)
    ]
    for identifier in ids:
        if not _NINE.fullmatch(identifier):
            text = f"Tool call id was {identifier} but must be a-z, A-Z, 0-9, with a length of 9."
            return 400, envelope(400, {"message": text, "code": "3280"}, row)
    return None
