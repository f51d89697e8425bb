"""From a route's name to a finite list of targets, with everything the settings around them say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import ConfigError, RequestError
from turnout.config.prices import PriceBook
from turnout.config.settings import PoolNode, Route, Settings, TargetNode
from turnout.planning import Plan, Planner, Pool
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.targets import resolve

PROVIDER = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "none"}


def planner_for(settings: Settings) -> Planner:
    def find(provider: str, model: str) -> tuple[Target, Dialect]:
        target = resolve(provider, settings.providers[provider], model, env={})
        return target, dialect(target.preset.dialect)

    return Planner(settings, find, PriceBook.seed().with_overrides(settings.prices))


def planner(routes: Mapping[str, Any], **more: Any) -> Planner:
    providers = {"a": PROVIDER, "b": PROVIDER, **more.pop("providers", {})}
    return planner_for(Settings.model_validate({"providers": providers, "routes": routes, **more}))


def names(plan: Plan) -> list[str]:
    return [planned.name for planned in plan.targets]


def test_nested_chains_and_routes_stand_flat_where_they_were_named() -> None:
    routes = {
        "outer": ["a/1", {"chain": ["a/2", {"route": "inner"}]}, "b/9"],
        "inner": ["b/3", {"chain": ["b/4"]}],
    }

    plan = planner(routes).plan("outer")

    assert names(plan) == ["a/1", "a/2", "b/3", "b/4", "b/9"]
    assert [planned.why for planned in plan.targets] == [
        "route outer",
        "route outer",
        "route outer > inner",
        "route outer > inner",
        "route outer",
    ]


def test_a_target_that_occurs_twice_is_tried_once_unless_it_says_something_else() -> None:
    routes = {"r": ["a/1", "b/2", "a/1", {"target": "a/1", "request": {"temperature": 0}}]}

    assert names(planner(routes).plan("r")) == ["a/1", "b/2", "a/1"]


def test_the_nearest_word_wins_and_timeouts_are_joined_field_by_field() -> None:
    routes = {
        "outer": {
            "chain": [{"target": "a/1", "timeouts": {"connect": 1}}, {"route": "inner"}, "b/3"],
            "timeouts": {"first_token": 2, "connect": 9},
            "retry": {"attempts": 3},
        },
        "inner": {"chain": ["a/2"], "timeouts": {"first_token": 4}, "retry": {"attempts": 5}},
    }
    provider = {**PROVIDER, "timeouts": {"idle": 7}}

    plan = planner(routes, providers={"a": provider}, defaults={"timeouts": {"attempt": 99}}).plan("outer")

    found = [planned.target.timeouts for planned in plan.targets]
    assert [(each.connect, each.first_token, each.idle, each.attempt) for each in found] == [
        (1, 2, 7, 99),
        (9, 4, 7, 99),
        (9, 2, 30, 99),
    ]
    assert [planned.retry.attempts for planned in plan.targets] == [3, 5, 3]


def test_the_called_route_gives_the_deadline_the_attempts_and_the_kinds() -> None:
    routes = {
        "outer": {"chain": [{"route": "inner"}], "deadline": "9s", "fallback_on": ["server"]},
        "inner": {"chain": ["a/1"], "deadline": "5s", "max_attempts": 9, "on_unsupported": "drop"},
    }
    made = planner(routes)

    outer, inner = made.plan("outer"), made.plan("inner")

    assert (outer.deadline, outer.max_attempts, outer.fallback_on) == (9, 4, {"server"})
    assert (inner.deadline, inner.max_attempts) == (5, 9)
    assert outer.targets[0].target.on_unsupported == "refuse"
    assert inner.targets[0].target.on_unsupported == "drop"


@pytest.mark.parametrize(("said", "attempts"), [({}, 6), ({"max_attempts": 3}, 3)])
def test_a_long_chain_gets_a_try_for_each_target_unless_told_otherwise(
    said: dict[str, int], attempts: int
) -> None:
    routes = {"r": [f"a/{number}" for number in range(6)]}

    assert planner(routes, defaults=said).plan("r").max_attempts == attempts


def test_branches_belong_to_the_targets_of_the_nearest_route_that_has_one() -> None:
    routes = {
        "outer": {"chain": ["a/1", {"route": "inner"}, {"route": "plain"}], "context_window": ["b/large"]},
        "inner": {"chain": ["a/2"], "context_window": ["b/larger", {"route": "plain"}]},
        "plain": ["a/3"],
    }

    plan = planner(routes).plan("outer")

    ahead = {one.name: [late.name for late in one.branches["context_window"]] for one in plan.targets}
    assert ahead == {"a/1": ["b/large"], "a/2": ["b/larger", "a/3"], "a/3": ["b/large"]}
    assert "for context_window" in plan.targets[0].branches["context_window"][0].why
    assert not plan.targets[0].branches["context_window"][0].branches
    assert {one.name for one in plan.everything} == {"a/1", "a/2", "a/3", "b/large", "b/larger"}


def test_a_provider_and_a_model_are_a_plan_of_their_own() -> None:
    made = planner({})

    plan = made.plan("a/org/model")

    assert (plan.direct, names(plan), plan.falls_back) == (True, ["a/org/model"], False)
    assert plan.targets[0].why == "named by the call"
    assert made.plan("a/org/model") is plan
    assert not planner({}, defaults={"retry": {"attempts": 1}}).plan("a/m").retries


def test_plans_for_named_targets_are_not_kept_without_end() -> None:
    made = planner({})
    first = made.plan("a/0")
    for number in range(1, 1100):
        made.plan(f"a/{number}")

    assert made.plan("a/0") is not first


def test_prices_are_found_with_the_plan() -> None:
    plan = planner({"r": ["a/1", "b/1"]}, prices={"a/*": {"input": 1, "output": 2}}).plan("r")

    assert [planned.price is not None for planned in plan.targets] == [True, False]


def test_all_that_is_wrong_is_told_at_once() -> None:
    routes = {
        "round": Route.model_validate([{"route": "about"}]),
        "about": Route.model_validate([{"route": "round"}]),
        "lost": Route.model_validate(["aa/1"]),
        "astray": Route.model_validate([{"route": "abuot"}]),
        "wrong": Route.model_validate([{"target": "a/1", "request": {"temperature": 9}}]),
    }
    made = planner_for(
        Settings.model_validate({"providers": {"a": PROVIDER}}).model_copy(update={"routes": routes})
    )

    with pytest.raises(ConfigError) as caught:
        made.compile_all()

    told = str(caught.value)
    for words in (
        "round -> about -> round",
        "unknown provider 'aa'; did you mean 'a'?",
        "unknown route 'abuot'; did you mean 'about'?",
        "request.temperature",
    ):
        assert words in told
    assert len(caught.value.problems) == 5


def test_overrides_that_contradict_a_request_are_its_error() -> None:
    target = {"target": "a/1", "request": {"logprobs": None}}
    [planned] = planner({"r": {"chain": [target]}}).plan("r").targets
    request = ChatCompletion.parse(
        {"model": "r", "messages": [{"role": "user", "content": "Hi"}], "logprobs": True, "top_logprobs": 2}
    )

    with pytest.raises(RequestError, match="top_logprobs"):
        planned.request_for(request)


nodes = st.recursive(
    st.sampled_from(["a/1", "a/2", "b/1", "b/2", "b/3"]),
    lambda inner: st.fixed_dictionaries({"chain": st.lists(inner, min_size=1, max_size=4)}),
    max_leaves=12,
)


@given(st.lists(nodes, min_size=1, max_size=4))
def test_however_chains_nest_each_target_is_planned_once_in_the_order_of_first_mention(
    chain: list[Any],
) -> None:
    def leaves(node: Any) -> list[str]:
        return [node] if isinstance(node, str) else [leaf for one in node["chain"] for leaf in leaves(one)]

    expected = list(dict.fromkeys(leaves({"chain": chain})))

    assert names(planner({"r": chain}).plan("r")) == expected


def pool(*members: Any, **said: Any) -> dict[str, Any]:
    return {"pool": list(members), **said}


def test_a_pool_is_a_step_and_its_targets_are_listed_as_they_are_written() -> None:
    members = ["a/2", {"chain": ["a/3", "a/4"], "weight": 3}, {"route": "inner"}]
    routes = {"r": ["a/1", pool(*members, strategy="weighted"), "b/9"], "inner": [pool("b/5", "b/6")]}

    plan = planner(routes).plan("r")

    first, step, last = plan.steps
    assert (plan.pooled, names(plan)) == (True, ["a/1", "a/2", "a/3", "a/4", "b/5", "b/6", "b/9"])
    assert (first, last) == (plan.targets[0], plan.targets[-1])
    assert isinstance(step, Pool)
    assert [(one.name, one.weight, len(one.leaves)) for one in step.members] == [
        ("a/2", 1, 1),
        ("a/3", 3, 2),
        ("b/5", 1, 2),
    ]
    assert step.members[1].steps == plan.targets[2:4]
    assert [planned.why for planned in plan.targets] == [
        "route r",
        "route r, weighted pool, weight 1 of 5",
        "route r, weighted pool, weight 3 of 5",
        "route r, weighted pool, weight 3 of 5",
        "route r > inner, weighted pool, weight 1 of 5, ordered pool",
        "route r > inner, weighted pool, weight 1 of 5, ordered pool",
        "route r",
    ]


def test_a_plan_without_pools_has_no_steps_to_walk() -> None:
    plan = planner({"r": ["a/1", {"chain": ["a/2"]}]}).plan("r")

    assert (plan.pooled, plan.steps) == (False, ())


def test_members_whose_weight_is_0_are_not_planned_wherever_they_stand() -> None:
    drained = {"target": "a/1", "weight": 0}
    routes = {"r": {"chain": [pool(drained, "a/2"), "b/3"], "content_policy": [pool(drained, "b/4")]}}

    plan = planner(routes).plan("r")

    assert names(plan) == ["a/2", "b/3"]
    assert [late.name for late in plan.targets[0].branches["content_policy"]] == ["b/4"]
    assert {one.name for one in plan.everything} == {"a/2", "b/3", "b/4"}


def test_members_of_the_same_target_keep_names_of_their_own() -> None:
    cold, warm = ({"target": "a/1", "request": {"temperature": heat}} for heat in (0, 1))
    [step] = planner({"r": [pool("a/1", cold, warm, strategy="sticky")]}).plan("r").steps

    assert isinstance(step, Pool)
    assert [one.name for one in step.members] == ["a/1", "a/1#2", "a/1#3"]


def test_pools_that_nothing_could_check_before_are_refused() -> None:
    drained = pool({"target": "a/1", "weight": 0})
    unknown = PoolNode.model_construct(
        pool=(TargetNode(target="a/1"),), strategy="wieghted", by="user", max_price=None, weight=1
    )
    made = planner_for(
        Settings.model_validate({"providers": {"a": PROVIDER}}).model_copy(
            update={
                "routes": {
                    "drained": Route.model_validate([drained]),
                    "unknown": Route.model_construct(chain=(unknown,)),
                }
            }
        )
    )

    with pytest.raises(ConfigError) as caught:
        made.compile_all()

    told = str(caught.value)
    assert "route drained: the weight of every member of a pool is 0" in told
    assert "route unknown: unknown strategy 'wieghted'; did you mean 'weighted'?" in told


def test_each_target_may_come_as_early_as_its_pools_allow() -> None:
    inner = pool("b/4", {"chain": ["b/5", "b/6"]})
    plan = planner({"r": ["a/1", pool("a/2", "a/3", inner, strategy="weighted"), "b/9"]}).plan("r")

    orders = {one.name: [each.name for each in plan.foremost(one)] for one in plan.targets}

    assert orders["a/1"] == orders["a/2"] == orders["b/9"] == names(plan)
    assert orders["a/3"] == ["a/1", "a/3", "a/2", "b/4", "b/5", "b/6", "b/9"]
    assert orders["b/6"] == ["a/1", "b/5", "b/6", "b/4", "a/2", "a/3", "b/9"]


@given(st.lists(nodes, min_size=1, max_size=4))
def test_pools_list_the_same_targets_as_chains_do(chain: list[Any]) -> None:
    def pooled(node: Any) -> Any:
        return node if isinstance(node, str) else {"pool": [pooled(one) for one in node["chain"]]}

    plain = planner({"r": chain}).plan("r")
    plan = planner({"r": [pooled({"chain": chain})]}).plan("r")

    assert names(plan) == names(plain)
    assert plan.max_attempts == plain.max_attempts
