"""Variables inside values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.environment import has_reference, substitute
from turnout.config.scalars import Substituted

ENVIRONMENT = {"HOST": "llm.example", "EMPTY": "", "DOLLAR": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${HOST}", "llm.example"),
        ("https://${HOST}/${PATH_:-v1}", "https://llm.example/v1"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),  # as in a shell: set but empty counts as not set
        ("${MISSING:-}", ""),
        ("${MISSING:-http://127.0.0.1:8899}", "http://127.0.0.1:8899"),
        ("$${HOST}", "${HOST}"),
        ("$$${HOST}", "$${HOST}"),
        ("${DOLLAR}", "${HOST}"),  # what a variable holds is not looked into again
        ("$HOST and $5", "$HOST and $5"),
    ],
)
def test_variables_are_filled_in(text: str, filled: str) -> None:
    assert substitute(text, ENVIRONMENT) == (filled, [])


@pytest.mark.parametrize(
    ("text", "ordinal", "message"),
    [
        ("${MISSING}", 0, "the environment variable MISSING is not set"),
        ("$${kept} ${MISSING}", 1, "MISSING is not set"),
        ("${HOST} ${HSOT}", 1, "did you mean 'HOST'?"),
        ("${", 0, "this '${' is no variable"),
        ("${1ST}", 0, "write ${NAME} or ${NAME:-default}"),
        ("${A:-${B}} ${MISSING}", 0, "the default of ${A} holds another variable"),
    ],
)
def test_what_cannot_be_filled_in_is_told_with_its_place(text: str, ordinal: int, message: str) -> None:
    _, faults = substitute(text, ENVIRONMENT)
    assert faults[0].ordinal == ordinal
    assert message in faults[0].message


def test_a_reference_after_a_nested_one_is_still_counted_right() -> None:
    _, faults = substitute("${A:-${B}} ${MISSING}", ENVIRONMENT)
    assert [fault.ordinal for fault in faults] == [0, 2]


@given(st.text(), st.dictionaries(st.from_regex(r"[A-Z_]{1,3}", fullmatch=True), st.text()))
def test_text_without_a_reference_is_left_alone_and_nothing_ever_fails(
    text: str, env: dict[str, str]
) -> None:
    filled, faults = substitute(text, env)
    if not has_reference(text):
        assert filled == text
        assert not isinstance(filled, Substituted)
        assert faults == []


@given(st.text())
def test_escaping_every_opening_gives_the_text_back(text: str) -> None:
    assert substitute(text.replace("${", "$${"), {})[0] == text


@given(st.text(min_size=12))
def test_no_message_holds_what_a_variable_contains(secret: str) -> None:
    text, faults = substitute("${KEY} ${KEI}", {"KEY": secret})
    assert len(faults) == 1
    assert repr(text) == "'${KEY} ${KEI}'"
    assert faults[0].message == (
        "the environment variable KEI is not set: "
        "set it, or give a default as in ${KEI:-default}; did you mean 'KEY'?"
    )
