"""Who we are to a provider: the only place where secrets become header values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from .dialect import Target


@cache
def user_agent() -> str:
    """`turnout/` and the installed version, or `turnout` alone where it runs from a bare checkout."""
    try:
        return f"turnout/{version('turnout')}"
    except PackageNotFoundError:
        return "turnout"


def auth_headers(target: Target) -> dict[str, str]:
    """The header that carries the target's key; nothing where there is no key or none is wanted."""
    if target.api_key is None or target.preset.auth in {"none", "sigv4"}:
        return {}
    key = target.api_key.get_secret_value()
    if not key:
        return {}
    header = target.preset.auth
    return {"authorization": f"Bearer {key}"} if header == "bearer" else {header: key}


def request_headers(target: Target, *, stream: bool = False, body: bool = True) -> dict[str, str]:
    """All headers of a request, lower case: ours, then the row's, the key's, and last the user's own."""
    headers = {"accept": "text/event-stream" if stream else "application/json", "user-agent": user_agent()}
    if body:
        headers["content-type"] = "application/json"
    headers.update({name.lower(): value for name, value in target.preset.headers.items()})
    headers.update(auth_headers(target))
    headers.update({name.lower(): value.get_secret_value() for name, value in target.headers.items()})
    return headers


def posting_headers(target: Target, *, stream: bool) -> Mapping[str, str]:
    """The headers of every request for an answer, made once for each target."""
    whole, streamed = target.once(_posting)
    return streamed if stream else whole


def _posting(target: Target) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return (
        MappingProxyType(request_headers(target)),
        MappingProxyType(request_headers(target, stream=True)),
    )
