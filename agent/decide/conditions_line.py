"""One condition line → one leaf. A line is ``name operator value``; the value is the rest of the line.

So stage names need no quotes. Names and values are checked against what the policies define and, when a
schema is known, against the field's type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from agent.decide.conditions_names import Mistake, Names, NotChecked
from agent.decide.conditions_operand import equal_value, is_timed, operand, timed
from agent.decide.conditions_tree import FLAGS, LIFECYCLE, Leaf, LeafValue
from agent.decide.reading import Reader
from agent.decide.suggest import did_you_mean, in_words
from agent.decide.yaml_source import Node, TextNode

ORDERING = ("=", "!=", "<", "<=", ">", ">=", "crossed")
BARE = ("is blank", "is filled", "changed")
TIMED = "timed"

_WORD_OPERATORS: Mapping[str, str] = {
    "is not one of": "is not one of",
    "is one of": "is one of",
    "is not blank": "is filled",
    "is not filled": "is blank",
    "is at least": ">=",
    "is at most": "<=",
    "is blank": "is blank",
    "is filled": "is filled",
    "at least": ">=",
    "at most": "<=",
    "is not": "is not",
    "is": "is",
    "contains": "contains",
    "starts with": "starts with",
    "crossed": "crossed",
    "changed": "changed",
    "was": "was",
}
"""How an operator may be typed → what the tree calls it; the longer one first."""

_INSTEAD: Mapping[str, str] = {
    "==": "is",
    "equals": "is",
    "equal": "is",
    "isn't": "is not",
    "in": "is one of",
    "has": "contains",
    "includes": "contains",
    "like": "contains",
    "exists": "is filled",
    "empty": "is blank",
    "begins": "starts with",
    "becomes": "changed",
    "over": ">",
    "above": ">",
    "under": "<",
    "below": "<",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
}
"""What people type → the operator they mean."""

_OPERATORS_IN_WORDS = (
    "is, is not, is one of, is blank, is filled, contains, starts with, =, !=, <, <=, >, >=, at least, at most, "
    "crossed, changed, was, more than … ago, less than … ago, within …"
)
_NAME = re.compile(r"(?P<name>[^\W\d]\w*(?:\.\w+)*)(?P<rest>.*)", re.DOTALL)
_SYMBOL = re.compile(r"(?P<sign>[<>=!]{1,2})(?![<>=!])\s*(?P<value>.*)", re.DOTALL)
_OR_BLANK = re.compile(r"\s+or\s+blank$", re.IGNORECASE)
_JOINED = re.compile(r"(?:^|\s)(?P<word>and|or|&&|\|\|)\s", re.IGNORECASE)
_SECOND = re.compile(r",\s*(?P<name>\w+)\s+(?:(?:is|was|contains|starts|changed|crossed|at)\b|[<>=!])", re.IGNORECASE)
_ELSEWHERE = ("company", "account", "deal", "opportunity", "campaign")


def leaf_of(node: TextNode, names: Names, reader: Reader, listed: Node | None = None) -> Leaf | None:
    """The leaf, or None when a mistake was noted. ``listed``: the list behind ``is one of:``."""
    line = _Line(node, names, reader)
    try:
        return line.leaf(listed)
    except Mistake as mistake:
        reader.error(node, mistake.message, mistake.advice)
    except NotChecked:
        pass
    return None


class _Line:
    """One line while it is read; every method raises Mistake for what is wrong with it."""

    def __init__(self, node: TextNode, names: Names, reader: Reader) -> None:
        self.node = node
        self.names = names
        self.reader = reader
        self.text = " ".join(node.text.split())

    def leaf(self, listed: Node | None) -> Leaf:
        if self.text.casefold() in FLAGS:
            return self._made(self.text.casefold(), "holds", None)
        match = _NAME.fullmatch(self.text)
        if match is None:
            raise Mistake("this is not a condition", "A condition is `name operator value`: `score >= 60`.")
        name = self._name(match["name"])
        operator, rest = self._operator(match["name"], match["rest"].strip())
        if operator in ("is one of", "is not one of"):
            return self._one_of(name, operator, rest, listed)
        if operator in BARE:
            if rest:
                raise Mistake(f"`{operator}` takes no value, but `{rest}` follows", "Remove what follows.")
            return self._made(name, operator, None)
        return self._compared(name, operator, rest)

    def _made(self, name: str, operator: str, value: LeafValue, *, or_blank: bool = False) -> Leaf:
        is_ordered = name == LIFECYCLE and operator in ORDERING
        return Leaf(
            name,
            operator,
            value,
            self.reader.place(self.node),
            self.text,
            or_blank,
            self.names.stages if is_ordered else (),
            self.names.known(name).type,
        )

    def _name(self, typed: str) -> str:
        """The name as evaluation knows it; ``stage`` is another word for the lifecycle."""
        if typed in self.names.fields:
            return typed
        if typed in (LIFECYCLE, "stage") and self.names.stages:
            return LIFECYCLE
        if not self.names.is_complete:
            raise NotChecked
        about = self.names.entity_type
        if typed in (LIFECYCLE, "stage"):
            raise Mistake(
                f"`{typed}` is not known: there is no lifecycle policy about {about}",
                f"Add a policy with `kind: lifecycle` and `about: {about}`.",
            )
        if "." in typed or typed in _ELSEWHERE:
            raise Mistake(
                f"conditions about another record (`{typed}`) are not available in this version",
                f"Use what is defined for {about}: {in_words(self.names.all_names())}.",
            )
        raise Mistake(
            f"`{typed}` is not a name under `fields` of {about}",
            did_you_mean(typed, self.names.all_names(), label="Defined"),
        )

    def _operator(self, name: str, rest: str) -> tuple[str, str]:
        """(operator as the tree calls it, the rest of the line); durations keep their words in the rest."""
        if is_timed(rest):
            return TIMED, rest
        lowered = rest.casefold()
        for typed, operator in _WORD_OPERATORS.items():
            if lowered == typed or lowered.startswith((f"{typed} ", f"{typed}:")):
                return operator, rest[len(typed) :].strip()
        match = _SYMBOL.fullmatch(rest)
        if match is not None and match["sign"] in ORDERING:
            return match["sign"], match["value"].strip()
        first = rest.split(" ")[0]
        if not first:
            raise Mistake("this line compares nothing", f"Operators: {_OPERATORS_IN_WORDS}.")
        if first.casefold() in _INSTEAD:
            instead = f"`{name} {_INSTEAD[first.casefold()]} …`"
            raise Mistake(f"`{first}` is not an operator", f"Write {instead}.")
        raise Mistake(f"`{first}` is not an operator", f"Operators: {_OPERATORS_IN_WORDS}.")

    def _one_of(self, name: str, operator: str, rest: str, listed: Node | None) -> Leaf:
        if listed is None:
            given = rest.removeprefix(":").strip() or "a, b"
            raise Mistake(f"`{operator}` needs a list", f"Write `{name} {operator}: [{given}]`.")
        words = self.reader.words(listed, f"{name} {operator}")
        if not words:
            raise NotChecked
        texts = []
        for word in words:
            if word.is_plain and word.text.strip().casefold() == "blank":
                advice = f"Write `any: [{name} {operator}: […], {name} is blank]`."
                raise Mistake("`blank` cannot stand in a list", advice)
            texts.append(equal_value(self.names, name, word.text.strip()))
        self.text = f"{self.text}: [{', '.join(word.text.strip() for word in words)}]"
        return self._made(name, operator, tuple(texts))

    def _compared(self, name: str, operator: str, rest: str) -> Leaf:
        value, is_quoted = _unquoted(rest)
        or_blank = False
        if not is_quoted:
            shortened = _OR_BLANK.sub("", value)
            or_blank = shortened != value
            value, is_quoted = _unquoted(shortened)
        if or_blank and operator in ("was", "crossed"):
            raise Mistake(f"`{operator}` cannot be combined with `or blank`", "Write two lines under `any:`.")
        if not value:
            raise Mistake("this line compares with nothing", f"Write a value behind `{self.text}`.")
        if not is_quoted and (joined := _JOINED.search(value)) is not None:
            _refuse_joined(name, value, joined["word"])
        if not is_quoted and (second := _SECOND.search(value)) and second["name"] in self.names.all_names():
            raise Mistake("two conditions on one line", "Put each condition on its own line; a list means all of them.")
        if operator == "was" and value.casefold() == "blank" and not is_quoted:
            return self._made(name, operator, None)
        if operator == TIMED:
            made, span = timed(self.names, name, value)
            return self._made(name, made, span, or_blank=or_blank)
        operator, limit = operand(self.names, name, operator, value)
        return self._made(name, operator, limit, or_blank=or_blank)


def _refuse_joined(name: str, value: str, word: str) -> NoReturn:
    """``and``/``or`` inside a line: two conditions, or a value that holds the word."""
    if word.casefold() in ("or", "||"):
        how = f"Put each alternative on its own line under `any:`, or write `{name} is one of: [a, b]`."
    else:
        how = "Put each condition on its own line; a list means all of them."
    raise Mistake(f"`{word}` inside one condition", f'{how} If it belongs to the value, quote the value: "{value}".')


def _unquoted(text: str) -> tuple[str, bool]:
    """A value without the quotes around it, and whether it had some."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1], True
    return text, False
