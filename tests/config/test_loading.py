"""Settings out of files, text and mappings."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from turnout.config.errors import ConfigError, Problem, TurnoutError
from turnout.config.loading import check_settings, load_settings, parse_settings
from turnout.config.settings import ChainNode, Route, RouteNode, Settings, TargetNode

GOOD = Path(__file__).parent.parent / "fixtures" / "good_yaml"
ENVIRONMENT = {"HOUSE_KEY": "12345", "TRIES": "3", "USER_NUMBER": "007"}
PRESETS = ("openai", "dashscope", "deepseek", "llama-cpp")


def problems(source: str | dict[str, Any], **options: Any) -> list[str]:
    """What is wrong with a source, as text."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(source, **{"env": {}, **options})
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def team() -> Settings:
    """The file that uses everything."""
    return load_settings(GOOD / "team.yaml", env=ENVIRONMENT, presets=PRESETS)


def test_everything_the_loader_understands_in_one_file(team: Settings) -> None:
    assert set(team.providers) == {"local", "house", "annex", "deepseek", "openai", "qwen"}
    house, annex = team.providers["house"], team.providers["annex"]
    assert house.api_key == SecretStr("12345")  # digits, and still a key
    assert annex.api_key == house.api_key
    assert annex.base_url == "https://annex.example/v1"
    assert house.max_response_bytes == 4096
    assert team.providers["local"].base_url == "http://127.0.0.1:8080/v1"
    thinker = team.routes["thinker"]
    assert thinker.retry is not None
    assert thinker.retry.attempts == 3
    target, chain, route = thinker.chain
    assert isinstance(target, TargetNode)
    assert (target.provider, target.model) == ("qwen", "qwen3-max")
    assert target.request == {
        "enable_thinking": True,
        "thinking_budget": 4096,
        "temperature": 0.5,
        "user": "007",
        "note": "${kept}",
    }
    assert target.timeouts is not None
    assert target.timeouts.attempt == 90
    assert isinstance(chain, ChainNode)
    assert route == RouteNode(route="assistant")
    assert team.prices["house/*"].input == Decimal("0.20")
    assert [team.prices["annex/*"].input, team.prices["annex/*"].output] == [1, Decimal("2.50")]
    assert team.prices["local/*"].output == 0
    assert team.defaults.deadline == 120


def test_no_repr_shows_a_secret(team: Settings) -> None:
    assert "12345" not in repr(team)
    assert "12345" not in str(team)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOUSE_URL", "https://llm.example/v1")
    text = "providers: {house: {dialect: openai, base_url: '${HOUSE_URL}'}}"
    (tmp_path / "t.yaml").write_text("\ufeff" + text, "utf-8")
    assert load_settings(str(tmp_path / "t.yaml")) == parse_settings("\ufeff" + text)


@pytest.mark.parametrize("text", ["", "# nothing", "providers:\nroutes:\ndefaults:\nprices:\n"])
def test_saying_nothing_is_allowed(text: str) -> None:
    assert parse_settings(text, env={}) == Settings()


def test_strings_name_a_target_if_they_hold_a_slash_and_a_route_otherwise() -> None:
    settings = parse_settings("providers: {a: {preset: x}}\nroutes: {r: [a/b/c, s], s: [a/b]}", env={})
    assert settings.routes["r"].chain == (TargetNode(target="a/b/c"), RouteNode(route="s"))


def test_one_error_holds_every_problem_sorted_by_place() -> None:
    found = problems("routes:\n  r: [a/b, s]\n  t/u: []\nzebra: 1\n", file="t.yaml")
    assert [problem.split(" ")[0] for problem in found] == [
        "t.yaml:2:7:", "t.yaml:2:12:", "t.yaml:3:3:", "t.yaml:3:8:", "t.yaml:4:1:",
    ]  # fmt: skip


def test_text_without_a_file_still_has_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings("routes:\n  r: 5\n", env={})
    assert caught.value.problems == [
        Problem("routes.r: a mapping of keys to values is expected here", None, 2, 6)
    ]
    assert isinstance(caught.value, TurnoutError)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere\.yaml: No such file"):
        load_settings(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("providers: {ä: {}}".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml is not UTF-8 text"):
        load_settings(tmp_path / "latin.yaml")


class TestMappings:
    def test_a_mapping_says_the_same_as_its_file(self) -> None:
        source = {
            "providers": {"house": {"preset": "x", "api_key": "${HOUSE_KEY}"}, "spare": None},
            "routes": {"r": ["house/a", {"target": "spare/b", "retry": {"attempts": "${TRIES}"}}]},
            "prices": {"house/*": ["$1", 2.5]},
            "defaults": None,
        }
        from_mapping = parse_settings(source, env=ENVIRONMENT)
        assert from_mapping == parse_settings(json.dumps(source), env=ENVIRONMENT)
        assert from_mapping.providers["house"].api_key == SecretStr("12345")

    def test_problems_are_told_by_their_path(self) -> None:
        source = {
            "providers": {"a": {"api_key": "${KEY}", "dilaect": "openai", "base_url": "x"}},
            "routes": {"r": [{"target": "a/b", "timeouts": {"idle": "soon"}}, "c/d"], 5: ["a/b"]},
            "include": "x.yaml",
        }
        found = problems(source)
        assert "providers.a.api_key: the environment variable KEY is not set" in found[0]
        assert "unknown key 'dilaect' in provider 'a'; did you mean 'dialect'?" in found
        assert "routes.r[0].timeouts.idle: 'soon' is not a duration; write it like 250ms, 30s or 2m" in found
        assert "route 'r': unknown provider 'c'; add it under providers" in found
        assert "include is for files; merge the mappings before handing them over" in found
        assert not any("5" in problem.split(":")[0] for problem in found)

    def test_parts_may_be_settings_already(self) -> None:
        route = Route(chain=(TargetNode(target="a/b", request={"user": "${kept}"}), RouteNode(route="s")))
        source = {"providers": {"a": {"preset": "x"}}, "routes": {"r": route, "s": ("a/c",)}}
        settings = parse_settings(source, env={})
        assert settings.routes["r"].chain[0] == route.chain[0]

    def test_settings_made_in_python_are_checked_the_same(self) -> None:
        good = Settings.model_validate({"providers": {"a": {"preset": "x"}}, "routes": {"r": ["a/b"]}})
        assert check_settings(good) is good
        with pytest.raises(ConfigError, match="unknown preset 'x'"):
            check_settings(good, presets=["openai"])
        with pytest.raises(ConfigError, match="routes go round in a circle: r → r"):
            check_settings(Settings(routes={"r": Route(chain=(RouteNode(route="r"),))}))

    def test_what_is_no_mapping_is_refused(self) -> None:
        assert problems("just words") == [
            "settings are a mapping with providers, routes, defaults and prices"
        ]


class TestIncludes:
    def write(self, folder: Path, **files: str) -> Path:
        """Files by name; the first one's path."""
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text, "utf-8")
        return folder / f"{next(iter(files))}.yaml"

    def test_files_are_added_up(self, tmp_path: Path) -> None:
        main = self.write(
            tmp_path,
            main="include: [left.yaml, right.yaml]\nroutes: {r: [a/x, b/x, c/x]}\n",
            left="include: shared.yaml\nproviders: {a: {preset: p}}\ndefaults: {deadline: 5s}\n",
            right="include: shared.yaml\nproviders: {b: {preset: p}}\n",
            shared="providers: {c: {preset: p}}\nprices: {c/*: 1}\n",
        )
        settings = load_settings(main, env={})
        assert set(settings.providers) == {"a", "b", "c"}
        assert settings.defaults.deadline == 5
        assert settings.prices["c/*"].input == 1

    def test_problems_name_the_file_they_stand_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        self.write(
            tmp_path,
            main="include: [part.yaml, empty.yaml, list.yaml, '${X:-a}.yaml']\n"
            "providers: {a: {preset: p}}\nroutes: {r: [b/x]}\n",
            part="\n  \nproviders: {b: {prest: p, api_key: '${KEY}'}}\n"
            "routes:\n  r: [a/x]\ndefaults: {}\nzebra: 1\n",
            empty="",
            list="- 1\n",
        )
        with pytest.raises(ConfigError) as caught:
            load_settings("main.yaml", env={}, presets=["p"])
        found = [str(problem) for problem in caught.value.problems]
        assert "main.yaml:1:45: include takes plain names of files; variables are not filled in here" in found
        assert "list.yaml:1:1: an included file holds a mapping, like the file itself" in found
        assert "part.yaml:5:3: routes.r is already defined in main.yaml:3; keep one of them" in found
        assert "part.yaml:3:17: unknown key 'prest' in provider 'b'; did you mean 'preset'?" in found
        assert "part.yaml:3:37: the environment variable KEY is not set" in "\n".join(found)
        assert "part.yaml:7:1: unknown key 'zebra' in the settings" in "\n".join(found)

    def test_a_circle_of_files_is_refused(self, tmp_path: Path) -> None:
        main = self.write(tmp_path, main="include: other.yaml\n", other="include: main.yaml\n")
        with pytest.raises(
            ConfigError, match=r"other.yaml:1:10: files include .* main.yaml → other.yaml → main.yaml"
        ):
            load_settings(main, env={})

    def test_defaults_stand_in_one_file_only(self, tmp_path: Path) -> None:
        main = self.write(
            tmp_path,
            main="include: other.yaml\ndefaults: {deadline: 1s}\n",
            other="defaults: {deadline: 2s}\n",
        )
        with pytest.raises(
            ConfigError, match=r"other.yaml:1:1: defaults is already defined in .*main.yaml:2"
        ):
            load_settings(main, env={})

    def test_text_without_a_file_has_nothing_to_be_relative_to(self) -> None:
        assert problems("include: x.yaml") == [
            "include needs a file to be relative to; load this from a file"
        ]

    def test_text_with_a_file_is_relative_to_it(self) -> None:
        settings = parse_settings("include: shared.yaml", file=str(GOOD / "main.yaml"), env={})
        assert set(settings.providers) == {"openai", "qwen"}


# --- whatever can be said survives being written down and read again

_NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
_WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
_SECONDS = st.floats(0, 10**6) | st.integers(0, 10**6)
_ATTEMPTS = st.integers(1, 20)
_RETRY = st.fixed_dictionaries(
    {},
    optional={
        "attempts": _ATTEMPTS,
        "base": _SECONDS,
        "on": st.lists(st.sampled_from(["timeout", "server"])),
    },
)
_TIMEOUTS = st.fixed_dictionaries({}, optional={"connect": _SECONDS, "attempt": st.none() | _SECONDS})
_AMOUNTS = st.decimals(0, 10**4, places=4).map(float)


@st.composite
def whole_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Settings in the full form, as plain values: routes lead only to earlier ones."""
    providers = draw(
        st.dictionaries(
            _NAMES,
            st.fixed_dictionaries(
                {"preset": _WORDS},
                optional={
                    "api_key": st.from_regex(r"[!-~]{1,12}", fullmatch=True),
                    "query": st.dictionaries(_WORDS, _WORDS, max_size=2),
                    "headers": st.dictionaries(
                        st.just("X-Team"), st.from_regex(r"[ -~]{0,8}", fullmatch=True)
                    ),
                    "timeouts": _TIMEOUTS,
                },
            ),
            min_size=1,
            max_size=3,
        )
    )
    models = st.tuples(st.sampled_from(sorted(providers)), _WORDS).map("/".join)
    targets = st.fixed_dictionaries(
        {"target": models},
        optional={
            "request": st.dictionaries(_NAMES, _WORDS | st.integers() | st.booleans() | st.none()),
            "retry": _RETRY,
        },
    )
    routes: dict[str, Any] = {}
    for name in draw(st.lists(_NAMES, unique=True, max_size=3)):
        nodes = draw(st.lists(targets, min_size=1, max_size=3, unique_by=lambda node: node["target"]))
        earlier = [{"route": other} for other in routes]
        routes[name] = {
            "chain": [*nodes, *earlier, {"chain": [{"target": draw(models) + "|"}]}],
            "retry": draw(_RETRY),
        }
    prices = draw(
        st.dictionaries(models, st.fixed_dictionaries({"input": _AMOUNTS, "output": _AMOUNTS}), max_size=2)
    )
    return {
        "providers": providers,
        "routes": routes,
        "defaults": {"deadline": draw(_SECONDS)},
        "prices": prices,
    }


def _escaped(text: str) -> str:
    return text.replace("${", "$${")


@settings(deadline=None, max_examples=60)
@given(whole_settings())
def test_settings_survive_being_written_down_and_read_again(value: dict[str, Any]) -> None:
    wanted = Settings.model_validate(value)
    as_json = _escaped(json.dumps(value, ensure_ascii=False))
    assert parse_settings(as_json, env={}) == wanted
    as_yaml = _escaped(yaml.safe_dump(value, default_style='"', allow_unicode=True))
    read_loosely = parse_settings(as_yaml.replace('!!int "', '!!int "'), env={})
    assert read_loosely == wanted
    assert parse_settings(json.loads(as_json), env={}) == wanted
    assert check_settings(wanted) is wanted


_KEYS = [
    *(
        "a",
        "r",
        "chain",
        "target",
        "route",
        "request",
        "timeouts",
        "retry",
        "pool",
        "above",
        "preset",
        "input",
    ),
    *("output", "api_key", "headers", "context_window", "on", "idle", "defaults", "include"),
]
_LEAVES = st.text(max_size=5) | st.sampled_from(["a/b", "r", "${X}", "5s"])
_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["providers", "routes", "defaults", "prices", "include", "x"]), _JUNK))
def test_nonsense_is_settings_or_a_config_error(value: dict[str, Any]) -> None:
    for source in (value, json.dumps(value, ensure_ascii=False)):
        told = ""
        try:
            parse_settings(source, env={"X": "sk-secret"}, presets=["openai"])
        except ConfigError as error:
            told = str(error)
        assert "sk-secret" not in told
        assert "pydantic" not in told
