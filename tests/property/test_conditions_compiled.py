"""The compiled function and the walk over the tree say the same, whatever the conditions and values."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from agent.decide.conditions import AllOf, AnyOf, Condition, Leaf, Not, compile_conditions, explain, holds
from agent.decide.durations import UNITS, Span
from agent.decide.policy import Place

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
STAGES = ("Lead", "MQL", "Customer")
NAMES = ("alpha", "beta", "lifecycle", "suspected duplicate")
PLACE = Place("person.yaml", 1)

words = st.sampled_from(["VP", "vp ", "Straße", "true", "no", "60", "MQL", "customer", "x", "ſ", "İ"])
numbers = st.sampled_from([0, 1, -3, 60, 60.5, 1e300])
days = st.sampled_from([date(2026, 11, 24), date(2026, 11, 10), date(2000, 1, 1), date(2199, 12, 31)])
spans = st.builds(Span, st.integers(0, 40), st.sampled_from(UNITS))
values = st.one_of(
    st.none(),
    st.booleans(),
    words,
    numbers,
    st.text(max_size=4),
    st.sampled_from(["", " ", "60.0", "1e3", "nan", "inf", "2026-11-24", "2026-11-10T10:30:00Z", "1764000000000"]),
    st.just(float("nan")),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.tuples(words, words),
)
records = st.dictionaries(st.sampled_from(NAMES), values)


def leaf(operators: list[str], value: st.SearchStrategy[object], **more: object) -> st.SearchStrategy[Leaf]:
    return st.builds(
        Leaf,
        st.sampled_from(NAMES[:3]),
        st.sampled_from(operators),
        value,
        st.just(PLACE),
        st.just("line"),
        st.booleans(),
        **{name: st.just(option) for name, option in more.items()},
        type=st.sampled_from([None, "text", "boolean"]),
    )


ordering = ["=", "!=", "<", "<=", ">", ">="]
leaves = st.one_of(
    leaf(["is", "is not", "was", "contains", "starts with"], words),
    leaf(["is one of", "is not one of"], st.lists(words, min_size=1, max_size=3).map(tuple)),
    leaf(["is blank", "is filled", "changed", "was"], st.none()),
    leaf([*ordering, "crossed"], numbers),
    leaf([*ordering, "crossed"], st.sampled_from(STAGES), order=STAGES),
    leaf(ordering, days),
    leaf(["more than ago", "less than ago", "within", "within last", "within next"], spans),
    st.builds(Leaf, st.just(NAMES[3]), st.just("holds"), st.none(), st.just(PLACE), st.just(NAMES[3])),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)


@given(st.lists(conditions, min_size=1, max_size=5), records, records)
def test_compiled_equals_walked(trees: list[Condition], live: dict[str, object], previous: dict[str, object]) -> None:
    named = {str(index): tree for index, tree in enumerate(trees)}
    walked = {name for name, tree in named.items() if holds(tree, live, NOW, previous)}
    assert compile_conditions(named)(live, NOW, previous) == walked


@given(conditions, records, records)
def test_explaining_agrees_with_deciding(tree: Condition, live: dict[str, object], previous: dict[str, object]) -> None:
    explained = explain(tree, live, NOW, previous)
    assert explained.holds is holds(tree, live, NOW, previous)
    assert (explained.leaf is None) is explained.holds


@given(conditions, records, records)
def test_a_condition_and_its_negation_never_both_hold(
    tree: Condition, live: dict[str, object], previous: dict[str, object]
) -> None:
    assert not (holds(tree, live, NOW, previous) and holds(Not(tree), live, NOW, previous))
