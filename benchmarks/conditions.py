"""Conditions per record (goal G3): the compiled set against a function written by hand, and against other engines.

30 conditions of 91 lines over 40 fields, in records with every eighth value blank; then 300 conditions. Every engine
must find the same conditions true in the same records, or the benchmark is broken. Seconds of this process's own work.

Other engines take part when they are installed (``pip install --group bench``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from agent.decide.conditions import AllOf, AnyOf, Condition, Leaf, compile_conditions
from agent.decide.policy import Place
from benchmarks.harness import Run, ratio, spread

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
TEXTS = tuple(f"text_{number}" for number in range(30))
NUMBERS = tuple(f"number_{number}" for number in range(10))
WORDS = ("gold", "silver", "germany", "austria", "vp sales", "engineer", "web", "partner")
PLACE = Place("person.yaml", 1)

Values = Mapping[str, Any]
Engine = Callable[[Values], frozenset[str]]


def measure(run: Run) -> None:
    rng = random.Random(30)
    records = [record_of(rng) for _ in range(run.sized(4_000, 100))]
    conditions = conditions_of(rng, 30)
    engines = {"Truce": truce(conditions), "by hand": by_hand(conditions), **installed(conditions)}
    few = records[: run.sized(100, 20)]
    expected = [engines["by hand"](record) for record in records]
    for name, engine in engines.items():
        if [engine(record) for record in few] != expected[: len(few)]:
            raise AssertionError(f"{name} finds other conditions true than the function written by hand")
    if [engines["Truce"](record) for record in records] != expected:
        raise AssertionError("Truce finds other conditions true than the function written by hand")

    taken = run.in_turn({name: over(engine, records) for name, engine in engines.items() if name in OURS}, repeats=9)
    rates = [len(records) / each for each in taken["Truce"]]
    aside = f"{spread(rates)} records a second"
    run.add("G3", "speed against a function by hand, 30 conditions", ratio(taken["Truce"], taken["by hand"]), "x",
            least=0.8, aside=aside)  # fmt: skip
    for name in engines.keys() - OURS:
        pair = run.in_turn({"Truce": over(engines["Truce"], few * 20), name: over(engines[name], few)}, repeats=5)
        run.add("G3", f"speed against {name}", 20 * ratio(pair["Truce"], pair[name]), "x", least=PEERS[name])
    for name in PEERS.keys() - engines.keys():
        run.say(f"{name} is not installed, so it is not compared")
    _many(run, rng, records)


def _many(run: Run, rng: random.Random, records: Sequence[Values]) -> None:
    conditions = conditions_of(rng, 300)
    engines = {"Truce": truce(conditions), "by hand": by_hand(conditions)}
    for record in records[:100]:
        if engines["Truce"](record) != engines["by hand"](record):
            raise AssertionError("Truce finds other conditions true than the function written by hand")
    some = records[: run.sized(1_000, 50)]
    taken = run.in_turn({name: over(engine, some) for name, engine in engines.items()})
    run.add("G3", "speed against a function by hand, 300 conditions", ratio(taken["Truce"], taken["by hand"]), "x",
            least=0.8)  # fmt: skip
    compiling = run.in_turn({"compile": lambda: compile_conditions(conditions)})["compile"]
    run.add("G3", "compiling 300 conditions", 1e3 * min(compiling), " ms", most=50.0)


def over(engine: Engine, records: Sequence[Values]) -> Callable[[], None]:
    def work() -> None:
        for record in records:
            engine(record)

    return work


# --- what is asked ---


def record_of(rng: random.Random) -> Values:
    """40 values; every eighth is blank."""
    values: dict[str, Any] = {name: rng.choice(WORDS) for name in TEXTS}
    values |= {name: float(rng.randrange(100)) for name in NUMBERS}
    return {name: None if rng.random() < 0.125 else value for name, value in values.items()}


def conditions_of(rng: random.Random, count: int) -> dict[str, Condition]:
    """Named conditions of three lines and one of four in ten; a third of them ask for any of the lines."""
    found: dict[str, Condition] = {}
    for number in range(count):
        lines = [leaf_of(rng) for _ in range(3)]
        if number == 0:
            lines.append(leaf_of(rng))
        kind = AnyOf if number % 3 == 2 else AllOf
        found[f"rule-{number}"] = kind((lines[0], AnyOf(tuple(lines[1:])))) if number % 5 == 4 else kind(tuple(lines))
    return found


def leaf_of(rng: random.Random) -> Leaf:
    if rng.random() < 0.3:
        operator, limit = rng.choice(("<", "<=", ">", ">=")), float(rng.randrange(100))
        return Leaf(rng.choice(NUMBERS), operator, limit, PLACE, "line", type="number")
    name, operator = rng.choice(TEXTS), rng.choice(tuple(TEXT_LINES))
    value: Any = rng.choice(WORDS)
    if operator.endswith("one of"):
        value = tuple(rng.sample(WORDS, 3))
    elif operator in ("contains", "starts with"):
        value = value[:3]
    elif operator in ("is blank", "is filled"):
        value = None
    return Leaf(name, operator, value, PLACE, "line", type="text")


TEXT_LINES = {
    "is": "({v} is not None and {v} == {x})",
    "is not": "({v} is not None and {v} != {x})",
    "is one of": "({v} is not None and {v} in {x})",
    "is not one of": "({v} is not None and {v} not in {x})",
    "contains": "({v} is not None and {x} in {v})",
    "starts with": "({v} is not None and {v}.startswith({x}))",
    "is blank": "({v} is None)",
    "is filled": "({v} is not None)",
}


# --- who answers ---


def truce(conditions: Mapping[str, Condition]) -> Engine:
    match = compile_conditions(conditions)
    return lambda record: match(record, NOW)


def by_hand(conditions: Mapping[str, Condition]) -> Engine:
    """What a programmer would write for exactly these lines: no table of operators, no care for other types.

    Upper and lower case are the same, as in Truce.
    """
    fields = sorted({leaf.field for condition in conditions.values() for leaf in leaves_of(condition)})
    lines = ["def matches(record):", " get = record.get"]
    for name in fields:
        lines.append(f" {name} = get({name!r})")
        if name in TEXTS:
            lines.append(f" if {name} is not None: {name} = {name}.casefold()")
    lines.append(" found = []")
    for key, condition in conditions.items():
        lines.append(f" if {_by_hand(condition)}: found.append({key!r})")
    lines.append(" return frozenset(found)")
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)
    return namespace["matches"]  # type: ignore[no-any-return]


def _by_hand(condition: Condition) -> str:
    return rendered(condition, TEXT_LINES, "({v} is not None and {v} {op} {x})", " and ", " or ", set_of=repr)


def installed(conditions: Mapping[str, Condition]) -> dict[str, Engine]:
    """The other engines that this computer has."""
    found: dict[str, Engine] = {}
    if find_spec("cel_expr_python"):
        found["cel-expr-python"] = google_cel(conditions)
    if find_spec("rule_engine"):
        found["rule-engine"] = rule_engine(conditions)
    if find_spec("simpleeval"):
        found["simpleeval"] = simple_eval(conditions)
    return found


def google_cel(conditions: Mapping[str, Condition]) -> Engine:
    """Values are declared dynamic: a declared text may not be null there."""
    from cel_expr_python import cel

    lines = {
        "is": "({v} != null && {v} == {x})",
        "is not": "({v} != null && {v} != {x})",
        "is one of": "({v} != null && {v} in {x})",
        "is not one of": "({v} != null && !({v} in {x}))",
        "contains": "({v} != null && {v}.contains({x}))",
        "starts with": "({v} != null && {v}.startsWith({x}))",
        "is blank": "({v} == null)",
        "is filled": "({v} != null)",
    }
    environment = cel.NewEnv(variables=dict.fromkeys((*TEXTS, *NUMBERS), cel.Type.DYN))
    number = "({v} != null && {v} {op} {x})"
    compiled = {
        key: environment.compile(rendered(condition, lines, number, " && ", " || ", set_of=_json_list))
        for key, condition in conditions.items()
    }

    def engine(record: Values) -> frozenset[str]:
        activation = environment.Activation(dict(record))
        return frozenset(key for key, program in compiled.items() if program.eval(activation).value() is True)

    return engine


def rule_engine(conditions: Mapping[str, Condition]) -> Engine:
    import rule_engine as library

    lines = {
        **TEXT_LINES,
        "is": "({v} != null and {v} == {x})",
        "is not": "({v} != null and {v} != {x})",
        "is one of": "({v} != null and {v} in {x})",
        "is not one of": "({v} != null and not ({v} in {x}))",
        "contains": "({v} != null and {x} in {v})",
        "starts with": "({v} != null and {v}.starts_with({x}))",
        "is blank": "({v} == null)",
        "is filled": "({v} != null)",
    }
    number = "({v} != null and {v} {op} {x})"
    compiled = {
        key: library.Rule(rendered(condition, lines, number, " and ", " or ", set_of=_json_list))
        for key, condition in conditions.items()
    }
    return lambda record: frozenset(key for key, rule in compiled.items() if rule.matches(record))


def simple_eval(conditions: Mapping[str, Condition]) -> Engine:
    from simpleeval import EvalWithCompoundTypes

    evaluator = EvalWithCompoundTypes()
    parsed = {
        key: (text, evaluator.parse(text))
        for key, text in ((key, _by_hand(condition)) for key, condition in conditions.items())
    }

    def engine(record: Values) -> frozenset[str]:
        evaluator.names = {**record, "None": None}
        return frozenset(key for key, (text, tree) in parsed.items() if evaluator.eval(text, tree))

    return engine


OURS = {"Truce", "by hand"}
PEERS = {"cel-expr-python": 20.0, "rule-engine": 100.0, "simpleeval": None}
"""Other engine → how many times faster Truce should be."""


def rendered(
    condition: Condition,
    lines: Mapping[str, str],
    number: str,
    all_of: str,
    any_of: str,
    *,
    set_of: Callable[[Any], str],
) -> str:
    """A condition in another language: ``lines`` by operator, ``number`` for the orderings."""
    if isinstance(condition, Leaf):
        value = set_of(condition.value) if isinstance(condition.value, tuple) else repr(condition.value)
        form = lines.get(condition.operator, number)
        return form.format(v=condition.field, op=condition.operator, x=value)
    parts = [rendered(part, lines, number, all_of, any_of, set_of=set_of) for part in parts_of(condition)]
    return "(" + (all_of if isinstance(condition, AllOf) else any_of).join(parts) + ")"


def leaves_of(condition: Condition) -> list[Leaf]:
    if isinstance(condition, Leaf):
        return [condition]
    return [leaf for part in parts_of(condition) for leaf in leaves_of(part)]


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, AllOf | AnyOf) else ()


def _json_list(values: Any) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"
