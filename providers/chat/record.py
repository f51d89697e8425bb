"""What all models of the contract share: unknown fields are kept, and `wire()` writes OpenAI's shape."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Strict

SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})
"""What JSON says in one word."""


class Record(BaseModel):
    """One object of the contract.

    Fields it does not know are kept as given and written again. A null in an optional field means the same
    as leaving it out.
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, populate_by_name=True, defer_build=True)

    always_written: ClassVar[frozenset[str]] = frozenset()
    """Fields that OpenAI's shape shows even where they are null."""
    extensions: ClassVar[frozenset[str]] = frozenset()
    """Fields that are ours, and written only where they are asked for."""
    wire_names: ClassVar[Mapping[str, str]] = {}
    """Fields whose name on the wire is not a Python name that a model may have."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.wire_names = {name: field.alias for name, field in cls.model_fields.items() if field.alias}

    def wire(self, *, extensions: bool = False) -> dict[str, Any]:
        """The record as JSON-ready values of its own: changing them does not change the record.

        Null fields are left out, except those that OpenAI always shows; unknown fields are written as they
        came. `extensions` adds the fields that are turnout's own, such as cost and trace.
        """
        written: dict[str, Any] = {}
        for name, value in self.__dict__.items():
            if value is None:
                if name not in self.always_written:
                    continue
            elif name in self.extensions and not extensions:
                continue
            key = self.wire_names.get(name, name) if self.wire_names else name
            written[key] = value if type(value) in SCALARS else _plain(value, extensions)
        for name, value in (self.__pydantic_extra__ or {}).items():
            written[name] = _plain(value, extensions)
        return written


class FrozenRecord(Record):
    """A record of a request, which cannot change once it is checked; `model_copy(update=…)` makes another."""

    model_config = ConfigDict(frozen=True)


def _plain(value: object, extensions: bool) -> Any:
    """`value` as what a JSON encoder takes, lists and objects copied."""
    if type(value) in SCALARS:
        return value
    if isinstance(value, Record):
        return value.wire(extensions=extensions)
    if isinstance(value, Mapping):
        return {key: _plain(item, extensions) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, extensions) for item in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value


def _empty_for_null(value: object) -> object:
    return [] if value is None else value


def _object_for_null(value: object) -> object:
    return {} if value is None else value


def _text_for_null(value: object) -> object:
    return "" if value is None else value


def _zero_for_null(value: object) -> object:
    return 0 if value is None else value


def _whole_seconds(value: object) -> object:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _logarithm(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return -9999.0
    return value


def _texts(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {key: item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}


def always(word: str) -> BeforeValidator:
    """Reads every value as `word`, for a field that says the same in every answer."""
    return BeforeValidator(lambda _: word)


def word_or(default: str) -> BeforeValidator:
    """Reads null and empty text as `default`."""
    return BeforeValidator(lambda value: value or default)


Flag = Annotated[bool, Strict()]
"""True or false; a word or a number is not taken for one."""
Whole = Annotated[int, Strict()]
"""A whole number; text, true and false are not taken for one."""
Number = Annotated[float, Strict()]
"""A finite number; text, true and false are not taken for one."""

Words = Annotated[str, BeforeValidator(_text_for_null)]
"""Text of an answer, where null stands for empty text."""
Count = Annotated[int, BeforeValidator(_zero_for_null)]
"""A count in an answer, where null stands for 0."""
Seconds = Annotated[int, BeforeValidator(_zero_for_null), BeforeValidator(_whole_seconds)]
"""Unix seconds in an answer; fractions are cut off and null stands for 0."""
SecondsOrNull = Annotated[int | None, BeforeValidator(_whole_seconds)]
"""Unix seconds in an answer, where they may be unknown; fractions are cut off."""
Logarithm = Annotated[float, BeforeValidator(_logarithm)]
"""A log probability in an answer; -9999, the wire's word for as good as impossible, stands for none."""
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]
"""Names and texts in an answer; a value that is not text becomes its JSON."""
NullAsEmptyList = BeforeValidator(_empty_for_null)
NullAsEmptyObject = BeforeValidator(_object_for_null)
