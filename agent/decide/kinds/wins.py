"""What stands behind ``wins``: a side, ``newest`` with its ``else``, or a list of cases with an ``otherwise``.

Conditions speak of names that are only known once all lines were read, so a list is read twice: first for its
words, then for its conditions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.decide.conditions_names import Names
from agent.decide.conditions_read import parse_condition
from agent.decide.kinds.header import BOTH, CONDITION
from agent.decide.policy import Case, Winner
from agent.decide.reading import Block, Key, Reader, Shape
from agent.decide.suggest import did_you_mean
from agent.decide.yaml_source import ListNode, MapNode, Node, TextNode
from agent.systems import Systems

NEWEST = "newest"
ASK = "ask"
ALONE = (NEWEST, "first value", ASK, "opt-out")
"""Words behind ``wins`` that name no system."""

TWO_WAY = "two-way"

_OLDEST = {"oldest": "Use `first value`."}


def winners(systems: Systems) -> dict[str, Winner]:
    """What may stand behind ``wins`` where a thing lives in these systems."""
    sides = {system: Winner(system) for system in systems}
    fillable = {f"{system} unless blank": Winner(system, unless_blank=True) for system in systems}
    return {**sides, **fillable, **{word: Winner(word) for word in ALONE}}


def presets(systems: Systems) -> dict[str, Said]:
    """The rules of HubSpot's own Salesforce integration by their names there, and those it lacks: for the other side.

    A deliberate clear travels under each of them; where the newest cannot be known, a person is asked.
    """
    prefer = {f"prefer {key} unless blank": Said(Winner(key, unless_blank=True), may_clear=True) for key in systems}
    always = {f"always use {key}": Said(Winner(key), may_clear=True) for key in systems}
    return {**prefer, **always, TWO_WAY: Said(Winner(NEWEST), Winner(ASK), may_clear=True), "don't sync": Said()}


def fallbacks(systems: Systems) -> tuple[str, ...]:
    """What may stand behind ``else``: where nobody can tell which side is newer."""
    return (*(word for word in winners(systems) if word not in ALONE), ASK)


def in_cases(systems: Systems) -> tuple[str, ...]:
    """What may stand in a list of cases."""
    return tuple(word for word in winners(systems) if word != "opt-out")


def case_shape(systems: Systems) -> Shape:
    """One line of a list of cases."""
    words = list(in_cases(systems))
    return Shape(
        "a case of `wins`",
        (
            Key("when", "conditions under which this case holds", CONDITION),
            Key("wins", "who wins then", {"enum": words}),
            Key("otherwise", "who wins where no case holds; the last line", {"enum": words}),
            _else(systems),
        ),
    )


def keys(systems: Systems) -> tuple[Key, ...]:
    """The keys of a line that say who wins."""
    cases = {"type": "array", "minItems": 2, "items": case_shape(systems).schema()}
    allowed = {"anyOf": [{"enum": [*winners(systems), *presets(systems)]}, cases]}
    return (Key("wins", "which side is right when both differ", allowed), _else(systems))


def _else(systems: Systems) -> Key:
    text = "for `newest`: who wins where nobody can tell which side is newer"
    return Key("else", text, {"enum": list(fallbacks(systems))})


def _example(systems: Systems) -> str:
    here, there = (*systems, "…", "…")[:BOTH]
    return f"Write `- {{when: [country is DE], wins: {there}}}` and, last, `- otherwise: {here}`."


@dataclass(frozen=True, slots=True)
class Said:
    """Who wins where no case holds; None where the line is wrong or only read. ``undecided`` belongs to newest.

    ``may_clear``: what holds where the line does not say ``may_clear`` itself.
    """

    winner: Winner | None = None
    undecided: Winner | None = None
    may_clear: bool = False


def read_wins(name: TextNode, block: Block, systems: Systems, reader: Reader) -> Said:
    """The words of one line about ``systems``, all mistakes noted but those in conditions."""
    node = block.get("wins")
    sides = [system for system in systems if system in block]
    if node is None:
        if len(sides) == BOTH:
            reader.error(
                name, f"`{name.text}` does not say who wins", f"Add `wins: …`. Allowed: {', '.join(winners(systems))}."
            )
        return Said()
    if len(sides) == 1:
        other = systems.other(sides[0])
        reader.error(
            node, f"`{name.text}` is only in {sides[0]}, so nobody can win", f"Add `{other}: …` or remove `wins`."
        )
        return Said()
    if isinstance(node, ListNode):
        if "else" in block:
            reader.error(block["else"], "`else` belongs to the case that says `newest`", "Move it there.")
        return _otherwise(node, systems, reader)
    if isinstance(node, MapNode):
        reader.error(node, "`wins` must be one word or a list of cases", _example(systems))
        return Said()
    preset = presets(systems).get(folded(node.text))
    if preset is None or (folded(node.text) == TWO_WAY and "else" in block):
        said = _said(node, block, (*winners(systems), TWO_WAY), systems, reader)
        return replace(said, may_clear=preset is not None)
    if "else" in block:
        reader.error(block["else"], f"`else` belongs to `{NEWEST}` and `{TWO_WAY}`", "Remove it.")
    return preset


def read_cases(node: Node | None, names: Names, systems: Systems, reader: Reader) -> tuple[Case, ...]:
    """The cases of a list with their conditions; words that are wrong were noted before."""
    found = []
    for item in node.items if isinstance(node, ListNode) else ():
        if not isinstance(item, MapNode):
            continue
        when, wins = item.find("when"), item.find("wins")
        condition = parse_condition(when, names, reader) if when is not None else None
        winner = _winner(wins, systems)
        if condition is not None and winner is not None:
            found.append(Case(condition, winner, _winner(item.find("else"), systems), reader.place(item)))
    return tuple(found)


def _otherwise(node: ListNode, systems: Systems, reader: Reader) -> Said:
    """Check every case; what is said for all the rest is the answer."""
    said: Said | None = None
    for item in node.items:
        if said is not None:
            reader.error(item, "nothing can follow `otherwise`", "Make `otherwise` the last line.")
        block = reader.block(item, case_shape(systems))
        if not isinstance(item, MapNode) or not block:
            continue
        if "otherwise" in block:
            said = _said(block["otherwise"], block, in_cases(systems), systems, reader)
            if "when" in block or "wins" in block:
                reader.error(item, "`otherwise` stands alone on its line", _example(systems))
        elif "when" not in block or "wins" not in block:
            reader.error(item, "a case needs `when` and `wins`", _example(systems))
        else:
            _said(block["wins"], block, in_cases(systems), systems, reader)
    if said is None:
        reader.error(node, "it is not said who wins where no case holds", "Add `- otherwise: …` as the last line.")
    return said or Said()


def _said(node: Node, block: Block, allowed: tuple[str, ...], systems: Systems, reader: Reader) -> Said:
    text = reader.text(node, "wins")
    if text is None:
        return Said()
    word = folded(text)
    if word not in allowed:
        options = (*allowed, *(preset for preset in presets(systems) if TWO_WAY in allowed and preset not in allowed))
        advice = _OLDEST.get(word) or did_you_mean(text, options)
        reader.error(node, f"`wins` cannot be `{text}`", advice)
        return Said()
    word = NEWEST if word == TWO_WAY else word
    given = block.get("else")
    if word != NEWEST and given is not None:
        reader.error(given, f"`else` belongs to `newest`, not to `{word}`", "Remove it.")
    if word == NEWEST and given is None:
        reader.error(
            node,
            "`newest` does not say what holds where nobody can tell which side is newer",
            f"Add `else: ask`. Allowed: {', '.join(fallbacks(systems))}.",
        )
    undecided = reader.text(given, "else") if word == NEWEST and given is not None else None
    if undecided is not None and given is not None and folded(undecided) not in fallbacks(systems):
        reader.error(given, f"`else` cannot be `{undecided}`", did_you_mean(undecided, fallbacks(systems)))
        undecided = None
    known = winners(systems)
    return Said(known[word], known[folded(undecided)] if undecided is not None else None)


def _winner(node: Node | None, systems: Systems) -> Winner | None:
    return winners(systems).get(folded(node.text)) if isinstance(node, TextNode) else None


def folded(text: str) -> str:
    """Words as they are compared: ``Two-Way`` and ``two-way``, ``Don’t sync`` and ``don't sync`` are one."""
    return " ".join(text.replace("’", "'").split()).casefold()
