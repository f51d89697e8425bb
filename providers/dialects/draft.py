"""A request on its way to the wire: the payload as far as it is written, and what had to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..catalogue import Capabilities, Prefill, Preset, Thinking
from ..dialect import Action, Adaptation, Target
from ..errors import UnsupportedError
from ..thinking import UNSET, Intent

Json = dict[str, Any]


class Rules(NamedTuple):
    """What the row and its rules for one model say together, looked up once for each target."""

    rename: Mapping[str, str]
    """Names in the contract -> names on the wire, where they differ."""
    system_role: str
    """The wire's way with standing instructions: `any`, `system` or `user`."""
    thinking: Thinking
    """The model's thinking control."""
    capabilities: Capabilities
    """What the model can take, as far as it is known."""
    flags: frozenset[str]
    """The row's words for the dialect's code about this model."""
    unsupported: frozenset[str]
    """Fields that this model's wire cannot say."""
    only: frozenset[str] | None
    """Names on the wire beyond which fields are refused; None: any field may be sent."""

    def lack(self, name: str) -> bool:
        """Whether the wire cannot say a field of the contract, or a word of it such as `tool_choice.none`."""
        if name in self.unsupported:
            return True
        return self.only is not None and "." not in name and self.rename.get(name, name) not in self.only


def rules_of(target: Target) -> Rules:
    """The rules of a target's model, looked up once."""
    return target.once(_rules)


def _rules(target: Target) -> Rules:
    preset = target.preset
    rename, unsupported = dict(preset.rename), set(preset.unsupported)
    only, system_role = preset.only, preset.system_role
    for rule in preset.rules_of(target.model):
        rename.update(rule.rename)
        unsupported.update(rule.unsupported)
        only = rule.only or only
        system_role = rule.system_role or system_role
    return Rules(
        rename=rename,
        system_role=system_role,
        thinking=preset.thinking_of(target.model),
        capabilities=preset.capabilities_of(target.model),
        flags=preset.flags_of(target.model),
        unsupported=frozenset(unsupported),
        only=None if only is None else frozenset(only),
    )


@dataclass(slots=True)
class Draft:
    """The payload under work, and the rules of the target it is written for."""

    payload: Json
    """The request's fields by their names in the contract, until they are renamed at the end."""
    target: Target
    rules: Rules
    """What holds for the target's model."""
    thinking: Thinking
    """The model's thinking control, for this request."""
    intent: Intent = UNSET
    """What the caller wants of thinking."""
    active: bool | None = None
    """Whether the model will think; None where nobody knows."""
    words: dict[str, Any] = field(default_factory=dict)
    """The wire's words for the intent, by dotted path."""
    stream: bool = False
    """Whether the answer is asked for as a stream."""
    prefill: Prefill | None = None
    """How the host is told to go on with the last message; None where that is none of the answer's own."""
    adaptations: list[Adaptation] = field(default_factory=list)

    @classmethod
    def for_target(cls, payload: Json, target: Target) -> Draft:
        """A draft with the row's and the model's rules looked up."""
        rules = rules_of(target)
        return cls(payload, target, rules, rules.thinking)

    @property
    def preset(self) -> Preset:
        """The target's row."""
        return self.target.preset

    @property
    def capabilities(self) -> Capabilities:
        """What the model can take, as far as it is known."""
        return self.rules.capabilities

    @property
    def flags(self) -> frozenset[str]:
        """The row's words for the dialect's code about this model."""
        return self.rules.flags

    @property
    def rename(self) -> Mapping[str, str]:
        """Names in the contract -> names on the wire, where they differ."""
        return self.rules.rename

    @property
    def system_role(self) -> str:
        """The wire's way with standing instructions: `any`, `system` or `user`."""
        return self.rules.system_role

    def lacks(self, name: str) -> bool:
        """Whether the wire cannot say a field of the contract, or a word of it such as `tool_choice.none`."""
        return self.rules.lack(name)

    def report(self, name: str, action: Action, reason: str) -> None:
        """Note one change."""
        self.adaptations.append(Adaptation(field=name, action=action, reason=reason))

    def refuse(self, name: str, reason: str) -> None:
        """UnsupportedError for a field that shapes the answer; where the user chose to drop, only a note."""
        if self.target.on_unsupported == "refuse":
            raise UnsupportedError(
                f"{self.target}: {name}: {reason}; choose another target or set on_unsupported to drop",
                field=name,
                provider=self.target.provider,
                model=self.target.model,
            )
        self.report(name, "dropped", reason)

    def take(self, name: str) -> Any:
        """A field out of the payload, for the dialect to write in its own words; None where it is missing."""
        return self.payload.pop(name, None)

    def drop(self, name: str, reason: str) -> None:
        """Take a field out of the payload and note it; nothing where it is not there."""
        if self.payload.pop(name, None) is not None:
            self.report(name, "dropped", reason)

    def put(self, path: str, value: Any, *, source: str | None = None) -> None:
        """Set a dotted path where the caller's own payload has not; a clash is noted under `source`."""
        *parents, last = path.split(".")
        place: Any = self.payload
        for key in parents:
            place = place.setdefault(key, {}) if isinstance(place, dict) else None
        if isinstance(place, dict) and last not in place:
            place[last] = value
        elif source and not (isinstance(place, dict) and place[last] == value):
            self.report(source, "dropped", f"the request's own {path} is sent instead")
