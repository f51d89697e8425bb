"""What several providers mean by their words, texts and statuses: the table of `error_reading`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .error_reading import Report


class Rule(NamedTuple):
    """One row of the table: fits if the status does, and a word or the text does."""

    kind: str
    words: frozenset[str] = frozenset()
    text: re.Pattern[str] | None = None
    """Looked for in the lower-case message."""
    statuses: frozenset[int] | None = None
    """None: any. Where an error comes without a status, every rule's statuses fit."""

    def fits(self, status: int | None, report: Report, message: str) -> bool:
        """Whether this row tells the kind of `report`; `message` is its message in lower case."""
        if status is not None and self.statuses is not None and status not in self.statuses:
            return False
        return not self.words.isdisjoint(report.words) or bool(self.text and self.text.search(message))


def _rule(kind: str, words: str = "", *texts: str, statuses: tuple[int, ...] = ()) -> Rule:
    pattern = re.compile("|".join(f"(?:{text})" for text in texts), re.DOTALL) if texts else None
    return Rule(kind, frozenset(words.split()), pattern, frozenset(statuses) or None)


RULES: tuple[Rule, ...] = (
    _rule(
        "context_window",
        "context_length_exceeded exceed_context_size_error token_limit_exceeded "
        "model_context_window_exceeded",
        r"maximum context length", r"model's maximum context limit",
        r"longer than the model's context length", r"exceeds? the available context size",
        r"context size has been exceeded", r"exceed context limit",
        r"input tokens exceed the configured limit", r"maximum input length is", r"\binput (?:is )?too long",
        r"range of input length should be", r"input token length too long", r"exceeded model token limit",
        r"max_new_tokens.*must be <=", r"current length is .* while limit is",
        r"the input length exceeds the context length",
    ),
    _rule(
        "content_policy",
        "content_filter content_policy_violation responsibleaipolicyviolation data_inspection_failed "
        "datainspectionfailed invalid_prompt refusal moderation",
        r"violating our usage policy", r"rejected as a result of our safety system",
        r"filtered due to the prompt triggering",
        statuses=(400, 403, 451),
    ),
    _rule("quota", "arrearage", r"free[ -]tier (?:quota|of the model) .*(?:exhausted|used up)"),
    _rule("rate_limit", "", r"allocated quota exceeded", statuses=(429,)),
    _rule(
        "quota",
        "insufficient_quota credit_balance_exhausted organization_spend_limit_exceeded payment_required "
        "project_spend_limit_exceeded organization_usage_limit_exceeded exceeded_current_quota_error "
        "billing_hard_limit_reached",
        r"insufficient balance", r"credit balance", r"insufficient credits?",
        statuses=(400, 402, 403, 429),
    ),
    _rule("invalid_request", "", r"\brequest too large", statuses=(413, 429)),
    _rule(
        "overloaded",
        "engine_overloaded_error overloaded overloaded_error server_is_overloaded service_unavailable_error "
        "serviceunavailableerror unavailable_error provider_overloaded capacity_exceeded unhealthy",
        r"service tier capacity exceeded", r"server busy, please try again",
        r"maximum pending requests exceeded",
        statuses=(429, 498, 500, 503, 529),
    ),
    _rule(
        "rate_limit",
        "rate_limit_exceeded slow_down rate_limit_error rate_limit_reached_error ratelimitreached "
        "limit_requests throttling throttling.ratequota throttling.allocationquota token_quota_exceeded",
        statuses=(400, 403, 429, 503),
    ),
    _rule(
        "authentication",
        "invalid_api_key invalid_authentication_error incorrect_api_key_error authentication_error "
        "authentication unauthorized",
        r"incorrect api key provided", r"^unauthorized$",
        statuses=(400, 401, 403),
    ),
    _rule(
        "not_found",
        "model_not_found modelnotfound deploymentnotfound not_found_error resource_not_found_error "
        "notfounderror",
        r"\bmodel\b.{0,120}\b(?:not found|does not exist)",
        statuses=(400, 403, 404, 410),
    ),
    _rule(
        "permission",
        "permission_denied_error permission_error permission_denied access_denied model.access_denied",
        statuses=(400, 403),
    ),
    _rule("timeout", "timeout", statuses=(408, 500, 504, 524)),
)  # fmt: skip
"""From the telling to the vague; the first that fits counts, and only then the status alone."""

STATUSES: Mapping[int, str] = {
    401: "authentication", 402: "quota", 403: "permission", 404: "not_found", 408: "timeout", 409: "server",
    410: "not_found", 412: "permission", 424: "server", 425: "server", 429: "rate_limit", 434: "server",
    435: "server", 451: "content_policy", 498: "overloaded", 499: "connection", 501: "invalid_request",
    503: "overloaded", 504: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip
"""What a status means where nothing more is said; other 4xx refuse the request, other 5xx are failures."""

STATUSLESS = frozenset(
    [
        "invalid_request_error",
        "invalid_request",
        "badrequesterror",
        "unprocessableentityerror",
        "validation",
        "not_supported_error",
        "notimplementederror",
        "tool_use_failed",
        "json_validate_failed",
        "invalid_value",
        "unsupported_value",
        "unsupported_parameter",
        "invalid_parameter_error",
        "invalidparameter",
    ]
)
"""Words that mean a refused request where an error comes without a status, as in the middle of a stream."""

MODEL_OUTPUT = frozenset({"tool_use_failed", "json_validate_failed"})
"""The host refused what its model wrote; a second try may write something else."""

PATIENT = frozenset({"rate_limit", "overloaded", "server", "timeout", "quota"})
"""Kinds whose errors may carry a time to wait."""
