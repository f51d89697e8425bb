"""What a user knows of a provider's models, laid over the catalogue's row.

A family of models that appears tomorrow is a few lines under the provider's `models`: how it is told to
think, what it can take, what its wire cannot say. Nothing of it needs code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from turnout.config.errors import ConfigError
from turnout.config.suggestions import did_you_mean

from .catalogue import Capabilities, CapabilityRule, ModelRule, Preset, Strict, Thinking, ThinkingRule

Rule = TypeVar("Rule", bound=Strict)

_ABOUT_FIELDS = frozenset(ModelRule.model_fields) - {"models"}
_ABOUT_ABILITIES = frozenset(Capabilities.model_fields)
KNOWN = ("thinking", *sorted(_ABOUT_ABILITIES), *sorted(_ABOUT_FIELDS))
"""What may be said of a model."""


def with_models(name: str, row: Preset, models: Mapping[str, Mapping[str, Any]]) -> Preset:
    """A row that knows the models of provider `name` as its user does; ConfigError for what makes no sense.

    Thinking and capabilities come before the row's own, so they win; field rules come after it, so they add
    to it, and a flag with a `-` before it takes the row's away. `thinking` with a style of its own stands
    alone, and without one it changes single words of what the row says of models of such a name.
    """
    if not models:
        return row
    thinking, abilities, fields = [], [], []
    for pattern, said in models.items():
        place = f"provider {name}: models.{pattern}"
        for key in said:
            if key not in KNOWN:
                advice = did_you_mean(key, KNOWN) or f"; it takes {', '.join(KNOWN)}"
                raise ConfigError(f"{place}: unknown key {key!r}{advice}")
        match = {"models": [pattern.lower()]}
        if said.get("thinking") is not None:
            control = _thinking(row, pattern, said["thinking"], place)
            thinking.append(ThinkingRule(models=(pattern.lower(),), thinking=control))
        if known := {key: said[key] for key in said if key in _ABOUT_ABILITIES}:
            abilities.append(_read(CapabilityRule, {**match, **known}, place))
        if rules := {key: said[key] for key in said if key in _ABOUT_FIELDS}:
            fields.append(_read(ModelRule, {**match, **rules}, place))
    return row.model_copy(
        update={
            "thinking_rules": (*thinking, *row.thinking_rules),
            "capabilities": (*abilities, *row.capabilities),
            "model_rules": (*row.model_rules, *fields),
        }
    )


def _thinking(row: Preset, pattern: str, said: Any, place: str) -> Thinking:
    if not isinstance(said, Mapping):
        raise ConfigError(f"{place}.thinking: write a mapping, such as {{style: none}}")
    base = {} if "style" in said else row.thinking_of(pattern).model_dump()
    return _read(Thinking, {**base, **said}, f"{place}.thinking")


def _read(rule: type[Rule], said: Mapping[str, Any], place: str) -> Rule:
    try:
        return rule.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        hint = did_you_mean(path, rule.model_fields) if first["type"] == "extra_forbidden" else ""
        raise ConfigError(f"{place}.{path}: {first['msg']}{hint}") from None
