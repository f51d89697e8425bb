"""The error tree.

    TurnoutError                    root (turnout.config)
    ├── ConfigError                 the settings cannot be used
    ├── RequestError                the request is wrong; nothing was sent
    ├── UnsupportedError            no target can express the request; nothing was sent
    └── ProviderError               a provider refused, failed, or could not be reached
        ├── AuthenticationError     ├── PermissionDeniedError   ├── NotFoundError
        ├── BadRequestError         ├── ContextWindowError      ├── ContentPolicyError
        ├── RateLimitError          ├── QuotaExceededError      ├── AttemptTimeoutError
        ├── OverloadedError         ├── InternalServerError     ├── ConnectionFailedError
        ├── MalformedResponseError  ├── EmptyResponseError      ├── RefusalError
        ├── TruncatedResponseError  ├── InvalidJSONError        ├── RejectedResponseError
        └── StreamInterruptedError

A call's own errors (`AllTargetsFailedError`, `DeadlineExceededError`) live in the router.
Policies look only at `kind`; no message, repr or attribute holds a key or a header value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from turnout.config.errors import TurnoutError
from turnout.config.sections import Kind

if TYPE_CHECKING:
    from .chat import ChatResponse, Usage


class RequestError(TurnoutError):
    """The request breaks the contract; `field` is the path of it, such as `messages[0].content`."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(f"{field}: {message}" if field else message)


class UnsupportedError(TurnoutError):
    """A target's wire has no way to say a field that shapes the answer; the planner skips such a target."""

    kind: ClassVar[Kind] = "unsupported"

    def __init__(
        self, message: str, *, field: str, provider: str | None = None, model: str | None = None
    ) -> None:
        self.field = field
        self.provider = provider
        self.model = model
        super().__init__(message)


class ProviderError(TurnoutError):
    """A provider refused, failed, or could not be reached.

    `kind` is the class as a word, `status` the HTTP status if there was one, `code` the provider's own word,
    `retry_after` the seconds the server asked us to wait, `attempt` the number of the try, from 1.
    `model_output` marks a refusal of what the model wrote, where one more try may help; `usage` holds the
    tokens that the failed try took, where the provider told. Where the provider did answer, and only what it
    said is the failure, `response` is that answer, whole and paid for. On an error that ends a call, the
    router sets `attempts` to everything that was tried, as the ledger has it.
    """

    kind: Kind = "server"

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        attempt: int | None = None,
        model_output: bool = False,
    ) -> None:
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempt = attempt
        self.model_output = model_output
        self.usage: Usage | None = None
        self.response: ChatResponse | None = None
        self.attempts: tuple[Any, ...] = ()
        super().__init__(message)

    advice: ClassVar[str] = "Try again later, or add a fallback target."

    def __str__(self) -> str:
        where = f"{self.provider}/{self.model}" if self.provider and self.model else self.provider
        facts = [
            f"{name}={value}"
            for name, value in (("status", self.status), ("code", self.code), ("request_id", self.request_id))
            if value is not None
        ]
        head = f"{where}: " if where else ""
        tail = f" [{' '.join(facts)}]" if facts else ""
        return f"{head}{self.message}{tail} {self.advice}"


class AuthenticationError(ProviderError):
    """The key is missing, wrong, or for another region."""

    kind = "authentication"
    advice = "Check the provider's api_key and that it belongs to this base_url."


class PermissionDeniedError(ProviderError):
    """The key is known but may not do this."""

    kind = "permission"
    advice = "Check the account's access to this model, region or feature."


class NotFoundError(ProviderError):
    """No such model, deployment or path."""

    kind = "not_found"
    advice = "Check the model's name and the provider's base_url."


class BadRequestError(ProviderError):
    """The provider will not take this request, however often it is sent."""

    kind = "invalid_request"
    advice = "Change the request; sending it again will not help."


class ContextWindowError(ProviderError):
    """The prompt, or prompt and answer together, exceed what the model can hold."""

    kind = "context_window"
    advice = "Shorten the messages, or name a larger model under the route's context_window."


class ContentPolicyError(ProviderError):
    """The provider's content filter refused the prompt or the answer."""

    kind = "content_policy"
    advice = "Change the content, or name another target under the route's content_policy."


class RateLimitError(ProviderError):
    """Too many requests or tokens for now."""

    kind = "rate_limit"
    advice = "Wait for retry_after, or add a fallback target."


class QuotaExceededError(ProviderError):
    """The money or the plan's allowance is used up; waiting does not help."""

    kind = "quota"
    advice = "Check the account's balance and spending limits."


class AttemptTimeoutError(ProviderError):
    """One attempt took longer than its connect, first-token, idle or attempt limit."""

    kind = "timeout"
    advice = "Raise the target's timeouts, or add a faster fallback."


class OverloadedError(ProviderError):
    """The provider has no capacity right now."""

    kind = "overloaded"


class InternalServerError(ProviderError):
    """The provider failed."""

    kind = "server"


class ConnectionFailedError(ProviderError):
    """The server could not be reached, or hung up before it answered."""

    kind = "connection"
    advice = "Check base_url, DNS and the network between here and the provider."


class MalformedResponseError(ProviderError):
    """The provider's answer is not what its protocol says."""

    kind = "malformed"
    advice = "Check that base_url points at this dialect's API; a proxy's page may have come instead."


class EmptyResponseError(ProviderError):
    """The provider finished without text, reasoning, tool call or refusal."""

    kind = "empty"


class RefusalError(ProviderError):
    """The model declined to answer; its words are in the error's `response.refusal`."""

    kind = "refusal"
    advice = "Change the request, or add a target that may answer it; what it said is in `response`."


class TruncatedResponseError(ProviderError):
    """The answer was cut off, since it reached its limit of tokens."""

    kind = "truncated"
    advice = "Raise max_completion_tokens, or add a target with room for more; the cut one is in `response`."


class InvalidJSONError(ProviderError):
    """The answer is not the JSON that the request's `response_format` asks for."""

    kind = "invalid_json"
    advice = "Try again, or add a target that keeps to response_format; what it wrote is in `response`."


class RejectedResponseError(ProviderError):
    """One of the functions under the route's `reject` wants another answer; `code` names it."""

    kind = "rejected"
    advice = "Add a fallback target; the rejected answer is in `response`."


class StreamInterruptedError(ProviderError):
    """A stream ended before its terminal event; `partial` holds what had come."""

    kind = "interrupted"
    advice = "What had come is in the error's `partial`."

    partial: ChatResponse | None = None


BY_KIND: dict[Kind, type[ProviderError]] = {
    cls.kind: cls
    for cls in (
        AuthenticationError, PermissionDeniedError, NotFoundError, BadRequestError, ContextWindowError,
        ContentPolicyError, RateLimitError, QuotaExceededError, AttemptTimeoutError, OverloadedError,
        InternalServerError, ConnectionFailedError, MalformedResponseError, EmptyResponseError,
        RefusalError, TruncatedResponseError, InvalidJSONError, RejectedResponseError, StreamInterruptedError,
    )
}  # fmt: skip
