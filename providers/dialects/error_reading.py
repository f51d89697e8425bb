"""What a provider means by an error, in the library's words.

Hosts agree neither on the shape of an error nor on its codes. Reading happens in two steps: `read` finds the
message and the code words in any of the shapes seen in the wild, and a table turns words, texts and
status into a kind. What is particular to one host stands in its catalogue row (`errors`, `error_texts`,
`statuses`), which goes first; `error_rules` holds what several hosts share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..dialect import Target
from ..errors import BY_KIND, ProviderError

REQUEST_ID_HEADERS = (
    "x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-generation-id",
    "mistral-correlation-id", "x-groq-request-id", "cf-ray",
)  # fmt: skip
MESSAGE_LIMIT = 800
"""Characters of a provider's message that an error keeps."""

_SECRETS = re.compile(r"\b(?:sk|pk|gsk|xai|nvapi|hf|pplx|csk|fw|key)[-_][\w*.-]{6,}|\bBearer\s+\S{6,}")
_SHORT_SECRET = 6  # a value as short as `none` is no secret, and would be cut out of ordinary words
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_WEAK = frozenset({"invalid_request", "server"})  # words of these kinds give way to a text that says more


class Report(NamedTuple):
    """An error as a provider told it."""

    message: str
    words: tuple[str, ...] = ()
    """Its codes and types, lower case, the most telling first."""
    code: str | None = None
    """The provider's own word, as it was spelled."""
    status: int | None = None
    """The HTTP status that the body names."""
    request_id: str | None = None
    wait: float | None = None
    """Seconds to wait that the body names in a field of its own."""


def classify(
    status: int, headers: Mapping[str, str], body: bytes, target: Target, *, now: datetime | None = None
) -> ProviderError:
    """The typed error of an HTTP answer that is no success. Header names are lower case.

    `now` only helps to read a wait that is given as a date without the answer's own `date` header.
    """
    report = read(_parsed(body), body)
    if 300 <= status < 400:
        report = Report("the server redirects elsewhere, which is not followed", status=status)
    names = (*target.preset.request_id_headers, *REQUEST_ID_HEADERS)
    request_id = next((headers[name] for name in names if headers.get(name)), report.request_id)
    return _error(report, target, status=status, headers=headers, request_id=request_id, now=now)


def error_in(payload: Any, target: Target, *, event: str = "") -> ProviderError | None:
    """The typed error that a successful answer or one event of it turns out to be; None if it is none.

    `event` is the event's type: what an `error` event holds is one whatever its shape.
    """
    if event != "error" and not _is_error(payload):
        return None
    report = read(payload, b"")
    return _error(report, target, status=report.status, headers={}, request_id=report.request_id)


def finish_error(word: str, target: Target) -> ProviderError:
    """The error behind a finish reason that reports one."""
    report = Report(f"the provider broke off the answer with finish_reason {word!r}", (word,), word)
    return _error(report, target, status=None, headers={}, request_id=None)


def read(payload: Any, body: bytes) -> Report:
    """Message and code words out of a parsed body of any known shape, or out of its bytes if it has none."""
    if isinstance(payload, list) and payload:
        payload = payload[0]
    if isinstance(payload, str) and payload.strip():
        return Report(payload.strip())
    if not isinstance(payload, dict):
        return Report(page(body))
    error = payload.get("error") or _object(payload.get("x_groq")).get("error")
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, dict):
        return _from_object(error, payload)
    if error:
        return _from_object({"message": error}, payload)
    if _soft_error(payload):
        base = payload["base_resp"]
        return _from_object({"message": base.get("status_msg"), "code": base.get("status_code")}, payload)
    return _from_object(payload, {})


def _is_error(payload: Any) -> bool:
    """Whether a payload reports an error although its HTTP status says success."""
    if isinstance(payload, list):
        return bool(payload) and isinstance(payload[0], dict) and _is_error(payload[0])
    if not isinstance(payload, dict):
        return False
    if payload.get("error") or _object(payload.get("x_groq")).get("error"):
        return True
    if payload.get("object") == "error" or _soft_error(payload):
        return True
    if "choices" in payload:
        return False
    return bool(payload.get("detail")) or isinstance(payload.get("message"), str)


def _soft_error(payload: Mapping[str, Any]) -> bool:
    """Whether a `base_resp` reports a failure, as MiniMax does under HTTP 200."""
    base = payload.get("base_resp")
    return isinstance(base, dict) and str(base.get("status_code") or 0) != "0"


def _from_object(error: Mapping[str, Any], around: Mapping[str, Any]) -> Report:
    metadata = _object(error.get("metadata"))
    inner = _object(error.get("innererror"))
    candidates = (
        error.get("code"), error.get("type"), metadata.get("error_type"), inner.get("code"),
        around.get("error_type"), around.get("code"), around.get("type"),
    )  # fmt: skip
    words = [
        str(word) for word in candidates if isinstance(word, str | int) and word not in ("", True, False)
    ]
    if metadata.get("reasons") or metadata.get("flagged_input"):
        words.append("moderation")  # OpenRouter's filter, which gives no code of its own
    told, wait = _rpc_details(error)
    words += told
    statuses = (error.get("status"), error.get("code"), around.get("status_code"), around.get("code"))
    message = _words(error.get("message") or error.get("detail") or error.get("msg") or inner.get("message"))
    raw = metadata.get("raw")
    if isinstance(raw, str) and raw.strip() and raw not in message:
        message = f"{message}: {_words(raw)}" if message else _words(raw)
    request_id = error.get("request_id") or around.get("request_id")
    return Report(
        message,
        tuple(word.lower() for word in words),
        next((word for word in words if _http_status(word) is None), None),
        next((found for found in map(_http_status, statuses) if found is not None), None),
        request_id[:200] if isinstance(request_id, str) else None,
        wait,
    )


def _rpc_details(error: Mapping[str, Any]) -> tuple[list[str], float | None]:
    """Google's way (google.rpc): a status in words, and `details` with a reason, broken quotas and a wait.

    `PerDay` stands for a quota that only another day resets.
    """
    words, wait, per_day = [], None, False
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        detail = _object(detail)
        if isinstance(detail.get("reason"), str):
            words.append(detail["reason"])
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            per_day = per_day or "PerDay" in str(_object(violation).get("quotaId"))
        if isinstance(detail.get("retryDelay"), str):
            from ..waits import duration

            wait = duration(detail["retryDelay"])
    status = error.get("status")
    if isinstance(status, str) and status.isupper():
        words.append(status)
    return [*words, "PerDay"] if per_day else words, wait


def _words(value: Any, depth: int = 0) -> str:
    """A message as text, whether it is a text, a JSON text, an object or a list of complaints."""
    if isinstance(value, str):
        text = value.strip()
        inner = _parsed(text.encode("utf-8", "replace")) if text[:1] in ("{", "[") and depth < 3 else None
        return (_words(inner, depth + 1) or text) if isinstance(inner, dict | list) else text
    if isinstance(value, dict) and depth < 4:
        place = value.get("loc")
        where = ".".join(map(str, place)) + ": " if isinstance(place, list) and place else ""
        found = (value.get(name) for name in ("message", "msg", "detail", "error", "description"))
        return next((where + text for text in (_words(item, depth + 1) for item in found) if text), "")
    if isinstance(value, list) and depth < 4:
        return "; ".join(filter(None, (_words(item, depth + 1) for item in value[:5])))
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _error(
    report: Report,
    target: Target,
    *,
    status: int | None,
    headers: Mapping[str, str],
    request_id: str | None,
    now: datetime | None = None,
) -> ProviderError:
    from .error_rules import MODEL_OUTPUT, PATIENT  # here and below: a process may never see an error

    kind = next(kind for kind in _kinds(status, report, target) if kind in BY_KIND)  # a row may hold a typo
    message = clean(report.message, target) or _reason(status)
    words = set(report.words)
    return BY_KIND[kind](
        message,
        provider=target.provider,
        model=target.model,
        status=status,
        code=clean(report.code, target, limit=120) if report.code else None,
        request_id=request_id,
        retry_after=_wait(report, headers, now) if kind in PATIENT else None,
        model_output=not words.isdisjoint(MODEL_OUTPUT),
    )


def _wait(report: Report, headers: Mapping[str, str], now: datetime | None) -> float | None:
    from ..waits import server_wait

    return server_wait(headers, report.message, now=now) if report.wait is None else report.wait


def _kinds(status: int | None, report: Report, target: Target) -> Iterator[str]:
    """The kinds that fit, the best first; the last is always there."""
    from .error_rules import RULES, STATUSES, STATUSLESS

    preset, message = target.preset, report.message.lower()
    yield from (kind for text, kind in preset.error_texts.items() if text.lower() in message)
    own = {word.lower(): kind for word, kind in preset.errors.items()}
    told = [own[word] for word in report.words if word in own]
    yield from (kind for kind in told if kind not in _WEAK)
    yield from (rule.kind for rule in RULES if rule.fits(status, report, message))
    yield from told
    if status is None:
        yield "server" if STATUSLESS.isdisjoint(report.words) else "invalid_request"
        return
    if status in preset.statuses:
        yield preset.statuses[status]
    if status in STATUSES:
        yield STATUSES[status]
    if 300 <= status < 400:
        yield "not_found"
    yield "invalid_request" if 400 <= status < 500 else "server" if status >= 500 else "malformed"


def quote(text: str, target: Target) -> str:
    """The beginning of an unreadable answer, for the end of a message; never the model's words."""
    return "" if text.lstrip().startswith(("{", "[")) else f": {clean(text, target, limit=160)}"


def clean(text: str, target: Target, *, limit: int = MESSAGE_LIMIT) -> str:
    """A provider's text made fit for a message: one line, no key in it, not longer than `limit`."""
    for secret in (secret.get_secret_value() for secret in target.secrets):
        if len(secret) >= _SHORT_SECRET:
            text = text.replace(secret, "[redacted]")
    text = _SECRETS.sub("[redacted]", " ".join(text.split()))
    return text if len(text) <= limit else f"{text[:limit]}…"


def _reason(status: int | None) -> str:
    if status is None:
        return "the provider reports an error without a message"
    from http import HTTPStatus

    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def page(body: bytes) -> str:
    """The message in a body that is no JSON: a web page's title, or the text itself."""
    text = body[:65536].decode("utf-8", "replace").strip()
    if not text.startswith("<"):
        return text
    title = _TITLE.search(text)
    return f"an HTML or XML page instead of JSON: {title[1].strip() if title else 'without a title'}"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # ValueError: not JSON, not UTF-8, or a number of absurd length
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _http_status(value: Any) -> int | None:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return (
        int(text) if len(text) == 3 and text.isascii() and text.isdigit() and "400" <= text <= "599" else None
    )
