"""The right-hand side of a condition line: which value an operator accepts, given what the name holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from agent.decide.conditions_names import Known, Mistake, Names
from agent.decide.conditions_tree import LIFECYCLE, LeafValue
from agent.decide.durations import WORDS, Span, find_span
from agent.decide.normalise import canonical
from agent.decide.reading import NO_WORDS, YES_WORDS, find_day
from agent.decide.suggest import did_you_mean

TEXTUAL = ("contains", "starts with")
EQUALITY = ("is", "is not", "is one of", "is not one of", "was")

_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?")
_AGO = re.compile(r"(?:is\s+(?=\D*\d))?(?P<side>more|less) than (?P<span>.+?)(?P<ago>\s+ago)?", re.IGNORECASE)
_WITHIN = re.compile(r"(?:is\s+(?=\D*\d))?within(?: the)?(?P<side> last| next)? (?P<span>.+)", re.IGNORECASE)
_MOST: Mapping[str, int] = {"weeks": 5_000, "months": 1_200, "days": 36_500, "working days": 25_000}

_IN_WORDS: Mapping[str, str] = {
    "text": "text",
    "choice": "a choice",
    "choices": "several choices",
    "boolean": "yes or no",
    "number": "a number",
    "date": "a date",
    "datetime": "a date and time",
    "reference": "a reference to another record",
    "id": "an id",
}


def is_timed(rest: str) -> bool:
    """Do the words behind a name speak of a length of time?"""
    return bool(_AGO.fullmatch(rest) or _WITHIN.fullmatch(rest))


def operand(names: Names, name: str, operator: str, text: str) -> tuple[str, LeafValue]:
    """(operator, value) for the tree; ``is`` on numbers and dates becomes ``=``.

    Raises:
        Mistake: this name cannot be compared so.
    """
    known = names.known(name)
    if operator in TEXTUAL:
        _must_not_be(known, ("number", "boolean", "date", "datetime"), name, f"`{operator}` compares text")
        return operator, text
    if operator in ("is", "is not") and known.type in ("number", "date", "datetime"):
        operator = "=" if operator == "is" else "!="
    if operator in EQUALITY:
        return operator, equal_value(names, name, text)
    return operator, _limit(names, name, operator, text)


def equal_value(names: Names, name: str, text: str) -> str:
    """The canonical text to be equal to; a stage is checked and spelled as it is defined."""
    known = names.known(name)
    if name == LIFECYCLE:
        return _stage(names, text)
    if known.type == "boolean" and text.casefold() not in YES_WORDS | NO_WORDS:
        raise Mistake(f"`{name}` is yes or no, not `{text}`", f"Write `{name} is yes` or `{name} is no`.")
    if known.meanings:
        found = {meaning.casefold(): meaning for meaning in known.meanings}.get(text.casefold())
        if found is None:
            raise Mistake(f"`{text}` is not a value of `{name}`", did_you_mean(text, known.meanings))
        return found
    return canonical(text, known.clean) or text


def timed(names: Names, name: str, text: str) -> tuple[str, Span]:
    """(operator, span) of ``more than 14 days ago``, ``within 3 working days`` and their like.

    Raises:
        Mistake: not a duration, or the name is no date.
    """
    known = names.known(name)
    ago, within = _AGO.fullmatch(text), _WITHIN.fullmatch(text)
    words = ago["span"] if ago is not None else within["span"] if within is not None else text
    if ago is not None and ago["ago"] is None and _NUMBER.fullmatch(words):
        sign = ">" if ago["side"].casefold() == "more" else "<"
        raise Mistake("a number is compared by a sign", f"Write `{name} {sign} {words}`.")
    if known.type not in (None, "date", "datetime"):
        raise Mistake(f"a duration needs a date, but `{name}` is {_IN_WORDS[known.type]}", _for_type(name, known))
    span = find_span(words)
    if span is None or span.count > _MOST.get(span.unit, 99_999):
        raise Mistake(f"`{words}` is not a duration", f"Write it in words: {WORDS}.")
    if ago is not None and ago["ago"] is None:
        raise Mistake("it is not said from when on", f"Write `{name} {text} ago`.")
    if ago is not None:
        return f"{ago['side'].casefold()} than ago", span
    side = (within["side"] or "") if within is not None else ""
    return f"within{side.casefold()}", span


def _stage(names: Names, text: str) -> str:
    known = {stage.casefold(): stage for stage in names.stages}
    if text.casefold() in known or not names.is_complete:
        return known.get(text.casefold(), text)
    raise Mistake(f"`{text}` is not a stage of {names.entity_type}", did_you_mean(text, names.stages))


def _limit(names: Names, name: str, operator: str, text: str) -> str | float | date:
    """What an ordering operator compares with: a stage, a number or a day."""
    if name == LIFECYCLE:
        return _stage(names, text)
    known, day = names.known(name), find_day(text)
    others = tuple(type_ for type_ in _IN_WORDS if type_ not in ("number", "date", "datetime"))
    _must_not_be(known, others, name, f"`{operator}` compares numbers, dates and stages")
    if known.type not in ("date", "datetime") and not (known.type is None and day is not None):
        return _number(name, operator, text)
    if operator == "crossed":
        raise Mistake("`crossed` compares numbers and stages", f"Write `{name} changed` or `{name} >= {text}`.")
    if day is None:
        advice = f"Write year-month-day: `{name} {operator} 2027-03-01`, or `{name} more than 14 days ago`."
        raise Mistake(f"`{text}` is not a date", advice)
    return day


def _number(name: str, operator: str, text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    digits = re.sub(r"[\s,_'$€£]", "", text)
    if re.fullmatch(r"0\d+", text):
        advice = f"A code with leading zeros is text: `{name} is {text}`."
    elif text.endswith("%"):
        advice = f"Write the number as the field holds it: `{text.rstrip('% ')}` or its hundredth."
    elif _NUMBER.fullmatch(digits):
        advice = f"Write digits only: `{digits}`."
    elif operator in ("=", "!="):
        advice = f"For text write `{name} {'is' if operator == '=' else 'is not'} {text}`."
    else:
        advice = f"For example `{name} {operator} 60` or `{name} {operator} 2027-03-01`."
    raise Mistake(f"`{text}` is not a number", advice)


def _must_not_be(known: Known, types: tuple[str, ...], name: str, because: str) -> None:
    if known.type in types:
        raise Mistake(f"{because}, but `{name}` is {_IN_WORDS[known.type]}", _for_type(name, known))


def _for_type(name: str, known: Known) -> str:
    if known.type == "boolean":
        return f"Write `{name} is yes` or `{name} is no`."
    if known.type in ("date", "datetime"):
        return f"Write `{name} >= 2027-03-01` or `{name} more than 14 days ago`."
    if known.type == "number":
        return f"Write `{name} >= 60`."
    return f"Write `{name} is …`, `{name} contains …` or `{name} is blank`."
