"""turnout: routes chat completions across LLM providers, one request and one response whoever answers.

    async with Router.from_yaml("turnout.yaml") as router:
        reply = await router.complete(model="assistant", messages=[{"role": "user", "content": "Hello"}])

Names are imported when they are first used, so `import turnout` itself costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if __name__ == "router":  # a checkout on sys.path: the folder's own name gives the same package, not a copy
    sys.modules[__name__] = import_module("turnout")

if TYPE_CHECKING:
    from turnout.config.errors import ConfigError, Problem, TurnoutError
    from turnout.config.loading import load_settings
    from turnout.config.settings import Settings
    from turnout.providers.chat import (
        ChatChunk,
        ChatCompletion,
        ChatResponse,
        ContentPart,
        Cost,
        Message,
        Model,
        ModelList,
        Tool,
        ToolCall,
        Usage,
    )
    from turnout.providers.dialect import Adaptation
    from turnout.providers.errors import (
        AttemptTimeoutError,
        AuthenticationError,
        BadRequestError,
        ConnectionFailedError,
        ContentPolicyError,
        ContextWindowError,
        EmptyResponseError,
        InternalServerError,
        InvalidJSONError,
        MalformedResponseError,
        NotFoundError,
        OverloadedError,
        PermissionDeniedError,
        ProviderError,
        QuotaExceededError,
        RateLimitError,
        RefusalError,
        RejectedResponseError,
        RequestError,
        StreamInterruptedError,
        TruncatedResponseError,
        UnsupportedError,
    )

    from .accounting import Attempt, Ledger, Trace
    from .clock import Clock, ManualClock, SystemClock
    from .core import Router
    from .errors import (
        AllTargetsFailedError,
        BudgetExceededError,
        CallError,
        DeadlineExceededError,
        FunctionError,
        RouterClosedError,
        StreamStateError,
    )
    from .explaining import Explanation
    from .stream import ChatStream
    from .sync import SyncRouter

_HOMES = {
    "turnout.config.errors": "ConfigError Problem TurnoutError",
    "turnout.config.loading": "load_settings",
    "turnout.config.settings": "Settings",
    "turnout.providers.chat": (
        "ChatChunk ChatCompletion ChatResponse ContentPart Cost Message Model ModelList Tool ToolCall Usage"
    ),
    "turnout.providers.dialect": "Adaptation",
    "turnout.providers.errors": (
        "AttemptTimeoutError AuthenticationError BadRequestError ConnectionFailedError ContentPolicyError "
        "ContextWindowError EmptyResponseError InternalServerError InvalidJSONError "
        "MalformedResponseError NotFoundError OverloadedError PermissionDeniedError ProviderError "
        "QuotaExceededError RateLimitError RefusalError RejectedResponseError RequestError "
        "StreamInterruptedError TruncatedResponseError UnsupportedError"
    ),
    "turnout.accounting": "Attempt Ledger Trace",
    "turnout.clock": "Clock ManualClock SystemClock",
    "turnout.core": "Router",
    "turnout.errors": (
        "AllTargetsFailedError BudgetExceededError CallError DeadlineExceededError FunctionError "
        "RouterClosedError StreamStateError"
    ),
    "turnout.explaining": "Explanation",
    "turnout.stream": "ChatStream",
    "turnout.sync": "SyncRouter",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Adaptation", "AllTargetsFailedError", "Attempt", "AttemptTimeoutError", "AuthenticationError",
    "BadRequestError", "BudgetExceededError", "CallError", "ChatChunk", "ChatCompletion", "ChatResponse",
    "ChatStream", "Clock", "ConfigError", "ConnectionFailedError", "ContentPart", "ContentPolicyError",
    "ContextWindowError", "Cost", "DeadlineExceededError", "EmptyResponseError", "Explanation",
    "FunctionError", "InternalServerError", "InvalidJSONError", "Ledger", "MalformedResponseError",
    "ManualClock", "Message", "Model", "ModelList", "NotFoundError", "OverloadedError",
    "PermissionDeniedError", "Problem", "ProviderError", "QuotaExceededError", "RateLimitError",
    "RefusalError", "RejectedResponseError", "RequestError", "Router", "RouterClosedError", "Settings",
    "StreamInterruptedError", "StreamStateError", "SyncRouter", "SystemClock", "Tool", "ToolCall", "Trace",
    "TruncatedResponseError", "TurnoutError", "UnsupportedError", "Usage", "__version__", "load_settings",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
