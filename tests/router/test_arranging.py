"""In which order a call tries the targets of a route with pools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

from turnout import BudgetExceededError, ConfigError, ManualClock
from turnout.arranging import Arranger
from turnout.config.prices import PriceBook
from turnout.config.settings import Settings
from turnout.errors import FunctionError
from turnout.events import Events
from turnout.health.board import Board
from turnout.health.standing import Standing
from turnout.planning import Plan, PlannedTarget, Planner
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.targets import resolve
from turnout.strategies import BUILT_IN, Snapshot, replay

PROVIDER = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "none"}
HELLO = [{"role": "user", "content": "Hello"}]


class Desk:
    """One route, and the orders that its calls get."""

    def __init__(self, chain: Sequence[Any], routes: Mapping[str, Any] | None = None, **more: Any) -> None:
        providers = {"a": PROVIDER, "b": PROVIDER, "local": {**PROVIDER, "preset": "llama-cpp"}}
        del providers["local"]["dialect"]
        settings = Settings.model_validate(
            {"providers": providers, "routes": {"r": chain, **(routes or {})}, **more}
        )

        def find(provider: str, model: str) -> tuple[Target, Dialect]:
            target = resolve(provider, settings.providers[provider], model, env={})
            return target, dialect(target.preset.dialect)

        prices = PriceBook.seed().with_overrides(settings.prices)
        self.clock = ManualClock()
        self.plan: Plan = Planner(settings, find, prices, Board()).plan("r")
        self.told = False
        self.arranger = Arranger(self.clock, Random(11), Events(_silent()))

    def planned(self, name: str) -> PlannedTarget:
        return next(one for one in self.plan.targets if one.name == name)

    def standing(self, name: str) -> Standing:
        standing = self.planned(name).standing
        assert standing is not None
        return standing

    def order(
        self, tags: Mapping[str, str] | None = None, streaming: bool = True, **request: Any
    ) -> list[str]:
        asked = ChatCompletion.parse({"model": "r", "messages": HELLO, **request})
        order = self.arranger.order(
            self.plan, asked, streaming=streaming, call_id="c", tags=tags, told=self.told
        )
        return [planned.name for planned in order]

    def first(self, calls: int = 40, **request: Any) -> Counter[str]:
        return Counter(self.order(**request)[0] for _ in range(calls))


def _silent() -> Any:
    return structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(50))


def test_members_take_turns_in_their_place_of_the_chain() -> None:
    desk = Desk(["a/1", {"pool": ["a/2", "a/3"], "strategy": "round_robin"}, "b/4"])

    assert [desk.order() for _ in range(3)] == [
        ["a/1", "a/2", "a/3", "b/4"],
        ["a/1", "a/3", "a/2", "b/4"],
        ["a/1", "a/2", "a/3", "b/4"],
    ]


def test_a_pool_in_a_pool_a_chain_and_a_route_are_members_as_a_whole() -> None:
    inner = {"pool": ["b/3", "b/4"], "strategy": "round_robin"}
    desk = Desk(
        [{"pool": [{"chain": ["a/1", "a/2"]}, inner, {"route": "other"}], "strategy": "round_robin"}],
        {"other": ["b/5", "b/6"]},
    )

    assert [desk.order() for _ in range(4)] == [
        ["a/1", "a/2", "b/3", "b/4", "b/5", "b/6"],
        ["b/4", "b/3", "b/5", "b/6", "a/1", "a/2"],
        ["b/5", "b/6", "a/1", "a/2", "b/3", "b/4"],
        ["a/1", "a/2", "b/4", "b/3", "b/5", "b/6"],
    ]


def test_a_target_that_stands_in_a_pool_and_behind_it_is_tried_once() -> None:
    desk = Desk([{"pool": ["a/1", "a/2"], "strategy": "round_robin"}, {"chain": ["b/3", "a/1"]}])

    assert [desk.order() for _ in range(2)] == [["a/1", "a/2", "b/3"], ["a/2", "a/1", "b/3"]]


def test_a_member_without_weight_gets_nothing_whatever_the_strategy() -> None:
    for strategy in BUILT_IN:
        drained = [{"target": "a/1", "weight": 0}, "a/2", {"chain": ["a/3"], "weight": 0}]
        desk = Desk([{"pool": drained, "strategy": strategy}, "b/4"])

        assert desk.order() == ["a/2", "b/4"]


def test_weights_are_kept_to_over_many_calls() -> None:
    desk = Desk([{"pool": [{"target": "a/1", "weight": 3}, "b/2"], "strategy": "weighted"}])

    assert desk.first(2_000)["a/1"] / 2_000 == pytest.approx(0.75, abs=0.04)


# standing


def test_members_that_have_to_wait_go_behind_the_others_the_soonest_first() -> None:
    for strategy in BUILT_IN:
        desk = Desk([{"pool": ["a/1", "a/2", "a/3", "b/4"], "strategy": strategy}])
        desk.standing("a/1").gate.close_until(30)
        desk.standing("a/3").gate.close_until(10)

        order = desk.order(user="u")
        assert set(order[:2]) == {"a/2", "b/4"}
        assert order[2:] == ["a/3", "a/1"]

        desk.clock.advance(10)
        assert set(desk.order()[:3]) == {"a/2", "a/3", "b/4"}


def test_shares_and_turns_are_those_of_the_members_that_can_take_calls() -> None:
    desk = Desk([{"pool": ["a/1", "a/2", "a/3"], "strategy": "round_robin"}])
    desk.standing("a/2").gate.close_until(60)

    assert desk.first(30) == {"a/1": 15, "a/3": 15}


def test_a_pool_of_which_all_have_to_wait_is_still_tried() -> None:
    desk = Desk([{"pool": ["a/1", "a/2"], "strategy": "weighted"}])
    desk.standing("a/1").gate.close_until(30)
    desk.standing("a/2").gate.close_until(20)

    assert desk.order() == ["a/2", "a/1"]


def test_a_chain_in_a_pool_waits_only_while_all_of_it_does() -> None:
    desk = Desk([{"pool": [{"chain": ["a/1", "a/2"]}, "b/3"], "strategy": "ordered"}])
    desk.standing("a/1").gate.close_until(30)
    assert desk.order() == ["a/1", "a/2", "b/3"]

    desk.standing("a/2").gate.close_until(20)
    assert desk.order() == ["b/3", "a/1", "a/2"]


def test_the_least_busy_is_taken_and_a_chain_is_as_busy_as_all_of_it() -> None:
    desk = Desk([{"pool": [{"chain": ["a/1", "a/2"]}, "b/3"], "strategy": "least_busy"}])
    guards = [desk.standing("a/2").in_flight.enter() for _ in range(2)]
    guards.append(desk.standing("b/3").in_flight.enter())
    assert desk.order()[0] == "b/3"

    for guard in guards[:2]:
        guard.leave()
    assert desk.order()[0] == "a/1"


def test_streams_and_whole_answers_are_timed_apart() -> None:
    desk = Desk([{"pool": ["a/1", "b/2"], "strategy": "least_latency"}])
    for name, first, whole in (("a/1", 0.1, 9.0), ("b/2", 0.3, 5.0)):
        desk.standing(name).latency.observe(0.0, first, 0.001)
        desk.standing(name).latency.observe_whole(0.0, whole)

    assert desk.order(streaming=True)[0] == "a/1"
    assert desk.order(streaming=False)[0] == "b/2"


# cost

PRICES = {"a/*": {"input": 1, "output": 10}, "b/*": {"input": 4, "output": 2}}


def test_the_cheapest_depends_on_the_call() -> None:
    desk = Desk([{"pool": ["a/1", "b/2"], "strategy": "least_cost"}], prices=PRICES)
    long = [{"role": "user", "content": "word " * 4_000}]

    assert desk.order(max_tokens=1_000) == ["b/2", "a/1"]
    assert desk.order(messages=long, max_tokens=10) == ["a/1", "b/2"]
    assert desk.order(messages=long, max_tokens=10, n=200) == ["b/2", "a/1"]


def test_a_targets_own_limit_of_tokens_and_what_it_was_found_to_count_are_estimated_with() -> None:
    short = {"target": "a/1", "request": {"max_tokens": 5}}
    desk = Desk([{"pool": ["b/2", short], "strategy": "least_cost"}], prices=PRICES)
    assert desk.order(max_tokens=1_000) == ["a/1", "b/2"]

    text = [{"role": "user", "content": "word " * 1_000}]
    assert desk.order(messages=text)[0] == "a/1"
    desk.planned("a/1").calibration.factor = 9.0
    assert desk.order(messages=text)[0] == "b/2"


def test_a_server_of_our_own_is_free_and_an_unknown_price_comes_last() -> None:
    desk = Desk([{"pool": ["a/1", "b/2", "local/m"], "strategy": "least_cost"}], prices={"b/*": 1})

    assert desk.order() == ["local/m", "b/2", "a/1"]


def test_who_is_dearer_than_max_price_is_left_to_what_comes_behind_the_pool() -> None:
    pool = {"pool": ["a/1", "b/2"], "strategy": "least_cost", "max_price": "$0.005"}
    desk = Desk([pool, {"chain": ["a/1"]}], prices=PRICES)

    assert desk.order(max_tokens=100) == ["b/2", "a/1"]
    assert desk.order(max_tokens=1_000) == ["b/2", "a/1"]
    assert desk.order(max_tokens=100_000) == ["a/1"]


def test_where_nobody_is_cheap_enough_nothing_is_sent() -> None:
    desk = Desk([{"pool": ["a/1", "b/2"], "strategy": "least_cost", "max_price": "$0.001"}], prices=PRICES)
    desk.standing("b/2").gate.close_until(9)

    with pytest.raises(BudgetExceededError, match="route 'r' would cost more than its max_price"):
        desk.order(max_tokens=10_000)


def test_a_highest_price_needs_prices() -> None:
    with pytest.raises(ConfigError, match=r"route r: a pool with max_price .* add a/1 under prices"):
        Desk([{"pool": ["local/m", "a/1"], "strategy": "least_cost", "max_price": 1}])


# what is held on to


def sticky(by: str) -> Desk:
    return Desk([{"pool": [f"a/{number}" for number in range(8)], "strategy": "sticky", "by": by}])


@pytest.mark.parametrize(
    ("by", "fields"),
    [
        ("user", {"user": "ada"}),
        ("user", {"safety_identifier": "ada"}),
        ("session", {"tags": {"session": "s1"}}),
        ("session", {"metadata": {"session": "s1"}}),
        ("session", {"metadata": {"session_id": "s1"}}),
        ("session", {"prompt_cache_key": "s1"}),
        ("prompt", {}),
    ],
)
def test_calls_that_are_alike_go_to_one_member(by: str, fields: dict[str, Any]) -> None:
    desk = sticky(by)

    assert len({tuple(desk.order(**fields)) for _ in range(20)}) == 1
    if by != "prompt":
        assert len(desk.first()) > 1


def test_different_users_are_spread() -> None:
    desk = sticky("user")

    assert len({desk.order(user=f"u{number}")[0] for number in range(100)}) == 8


def test_all_turns_of_a_conversation_begin_alike() -> None:
    desk = sticky("prompt")
    opening = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, IMAGE]},
    ]
    later = [*opening, {"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"}]
    others = [[*opening[:1], {"role": "user", "content": f"Hello {number}"}] for number in range(60)]

    assert desk.order(messages=opening) == desk.order(messages=later)
    assert len({desk.order(messages=messages)[0] for messages in others}) > 4


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


# strategies of the user's own


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with strategies of a user's own."""
    name = f"house_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(
        "def backwards(snapshot, random):\n    return range(len(snapshot.candidates))[::-1]\n"
        "def cheap(snapshot, random):\n"
        "    return [place for place, one in enumerate(snapshot.candidates) if one.cost and one.cost < 1]\n"
        "def nobody(snapshot, random):\n    return []\n"
        "def twice(snapshot, random):\n    return [0, 0]\n"
        "def beyond(snapshot, random):\n    return [0, 2]\n"
        "def halves(snapshot, random):\n    return [0.0, 1.0]\n"
        "def nothing(snapshot, random):\n    return None\n"
        "async def later(snapshot, random):\n    return [0]\n"
        "def words(snapshot, random):\n    return ['a/1']\n"
        "def broken(snapshot, random):\n    raise LookupError('secret')\n"
        "class Kept:\n    @staticmethod\n    def ordered(snapshot, random):\n        return [0, 1]\n"
        "number = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return name


def own(path: str, **more: Any) -> Desk:
    return Desk([{"pool": ["a/1", {"target": "b/2", "weight": 5}], "strategy": path}], **more)


def test_a_function_of_ones_own_gives_the_order(house: str) -> None:
    assert own(f"{house}:backwards").order() == ["b/2", "a/1"]
    assert own(f"{house}:Kept.ordered").order() == ["a/1", "b/2"]
    assert own(f"{house}:cheap", prices={"b/*": 1}).order() == ["b/2"]


@pytest.mark.parametrize("name", ["twice", "beyond", "words", "halves", "nothing", "broken", "nobody"])
def test_a_function_that_gives_no_order_is_an_error_that_names_it(house: str, name: str) -> None:
    desk = own(f"{house}:{name}")

    with pytest.raises(FunctionError, match=f"the strategy {house}:{name} ") as caught:
        desk.order()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (":missing", "has no missing"),
        (":number", "is no function"),
        (":later", "is async"),
        ("_gone:x", "No module"),
    ],
)
def test_a_function_that_is_not_there_is_told_when_the_router_is_made(
    house: str, path: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=f"route r: strategy: {house}.*{words}"):
        own(f"{house}{path}")


# what is told


def test_decisions_are_told_with_all_that_is_needed_to_make_them_again() -> None:
    heard: list[dict[str, Any]] = []

    def hear(_logger: Any, _method: str, event: Any) -> Any:
        heard.append(dict(event))
        raise structlog.DropEvent

    desk = Desk([{"pool": ["a/1", "a/2", "b/3"], "strategy": "weighted"}], prices=PRICES)
    desk.arranger = Arranger(desk.clock, Random(5), Events(structlog.wrap_logger(None, [hear])))
    desk.told = True
    desk.standing("a/2").gate.close_until(9)

    orders = [desk.order(user="ada", messages=[{"role": "user", "content": "a secret"}]) for _ in range(5)]

    assert [event["event"] for event in heard] == ["pool.ordered"] * 10
    written = json.loads(json.dumps(heard))
    assert "secret" not in json.dumps(heard)
    for order, ready, waiting in zip(orders, written[::2], written[1::2], strict=True):
        again = []
        for event in (ready, waiting):
            assert (event["strategy"], event["call_id"], event["route"]) == ("weighted", "c", "r")
            places = replay(BUILT_IN["weighted"].decide, event["snapshot"], event["seed"])
            assert places == event["order"]
            again += [Snapshot.read(event["snapshot"]).candidates[place].name for place in places]
        assert again == order
