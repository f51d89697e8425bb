"""The models that a provider lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from turnout.providers.chat import ModelList
from turnout.providers.dialect import Dialect, Target
from turnout.providers.errors import AuthenticationError, ProviderError
from turnout.providers.transport import Transport

from .clock import Clock
from .wire import list_models, within

if TYPE_CHECKING:
    from .snapshot import Snapshot


async def listed(snapshot: Snapshot, provider: str, transport: Transport, clock: Clock) -> ModelList:
    """What a provider lists for the first of its keys that it takes; ConfigError, ProviderError."""
    target, dialect = snapshot.resolve(provider, "")
    target = replace(target, timeouts=snapshot.settings.providers[provider].timeouts or target.timeouts)
    from .health.keys import OF_THE_KEY  # here: listing models is rare

    *others, last = target.with_each_key() or (target,)
    for one in others:
        try:
            return await _asked(one, dialect, snapshot, transport, clock)
        except ProviderError as error:
            if error.kind not in OF_THE_KEY:
                raise
    return await _asked(last, dialect, snapshot, transport, clock)


async def _asked(
    target: Target, dialect: Dialect, snapshot: Snapshot, transport: Transport, clock: Clock
) -> ModelList:
    target = await snapshot.tokens.bearing(target, within(target.timeouts.first_token))
    try:
        body = await list_models(transport, target, dialect, clock)
    except AuthenticationError:
        snapshot.tokens.refused(target)
        raise
    return dialect.models(body, target)
