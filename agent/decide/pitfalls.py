"""Where YAML reads something else than the person meant: one plain sentence and what to type instead.

libyaml and PyYAML's own parser word their errors differently, so both are recognised by what they have in
common.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import yaml

from agent.errors import Problem

if TYPE_CHECKING:
    from yaml._yaml import Mark as LibyamlMark

    from agent.decide.yaml_source import TextNode

    Mark: TypeAlias = yaml.Mark | LibyamlMark

LONGEST_EXCERPT = 200
TOO_DEEP = ("this is nested more than 20 levels deep", "Check the brackets on this line.")

_COMPARISON = re.compile(r"^\s*(?:- )?(?P<name>[A-Za-z_]\w*):\s+(?P<rest>(?:>=|<=|!=|>|<|=).*\S)\s*$")
_CUT = re.compile(r"\s+(#[^\s#].*)")
_FLOW_END = re.compile(r"[,\]}]|\s#|$")


def in_plain_words(file: str, lines: tuple[str, ...], error: yaml.MarkedYAMLError) -> Problem:
    """What a parser's error means for somebody who has never programmed."""
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark or mark
    if mark is None or opened is None:
        return Problem(file, 1, 1, "this file is not valid YAML")
    context, problem = error.context or "", error.problem or ""
    if "nesting depth" in problem:
        return _at(file, lines, mark, *TOO_DEEP)
    if "flow" in context:
        return _at(file, lines, opened, *_unclosed_bracket(lines, opened))
    if "quoted scalar" in context:
        return _at(file, lines, opened, *_bad_quotes(problem))
    message, advice = _explained(lines, mark, context, problem)
    place = opened if "block scalar" in context or "alias" in context or "anchor" in context else mark
    return _at(file, lines, place, message, advice)


def refused_node(event: yaml.Event, lines: tuple[str, ...]) -> tuple[str, str] | None:
    """(message, advice) for anchors, aliases and tags, which are most often values that begin with & * or !."""
    is_alias = isinstance(event, yaml.AliasEvent)
    if not is_alias and getattr(event, "anchor", None) is None and getattr(event, "tag", None) is None:
        return None
    line, column = place_of(event.start_mark)
    sign = "*" if is_alias else "&" if getattr(event, "anchor", None) is not None else "!"
    return f"a value cannot begin with `{sign}` unless it is in quotes", _quote_from(excerpt(lines, line), column - 1)


def cut_by_comment(node: TextNode, lines: tuple[str, ...]) -> str | None:
    """What was lost of ``Team #1``: the text behind an unquoted value that YAML took for a comment."""
    if not node.is_plain or not node.text or node.end_line > len(lines):
        return None
    match = _CUT.match(lines[node.end_line - 1], node.end_column - 1)
    return match[1].rstrip() if match else None


def place_of(mark: Mark | None) -> tuple[int, int]:
    """(line, column), 1-based."""
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def excerpt(lines: tuple[str, ...], line: int) -> str:
    """The source line, cut when it is very long."""
    return lines[line - 1][:LONGEST_EXCERPT] if 0 < line <= len(lines) else ""


def _at(file: str, lines: tuple[str, ...], mark: Mark, message: str, advice: str) -> Problem:
    line = min(mark.line + 1, max(len(lines), 1))
    return Problem(file, line, mark.column + 1, message, excerpt(lines, line), advice)


def _explained(lines: tuple[str, ...], mark: Mark, context: str, problem: str) -> tuple[str, str]:
    line = excerpt(lines, mark.line + 1)
    if "tab character" in problem:
        return _bad_start("\t", 0)
    if "mapping values are not allowed" in problem:
        return _stray_colon(line, mark.column)
    if "cannot start any token" in problem or "node content" in problem:
        return _bad_start(line, mark.column)
    if "block scalar" in context:
        return _block_text(line)
    if "alias" in context or "anchor" in context:
        sign = "*" if "alias" in context else "&"
        return f"a value cannot begin with `{sign}` unless it is in quotes", _quote_from(line, line.find(sign))
    if "sequence entries are not allowed" in problem:
        return (
            "a list cannot begin on the same line as its name",
            "Put `- ` on a new line below, or write `[a, b]`.",
        )
    if "directive" in context:
        return "a line cannot begin with `%` unless it is in quotes", "Put the text in quotes."
    if "block" in context:
        return _broken_indentation(line)
    if "document start" in problem:
        return "this does not belong to what stands above", "Separate two policies by a line with `---` only."
    return (
        "this file is not valid YAML from here on",
        "Compare this line and the one above with a working policy.",
    )


def _stray_colon(line: str, column: int) -> tuple[str, str]:
    first = re.search(r":\s+", line[:column])
    if first is None:
        return (
            "this line cannot follow the line above: the indentation or a `:` is wrong",
            "Give lines that belong together the same indentation; a line that has others under it ends with `:`.",
        )
    return "a second `: ` on one line", _quote_from(line, first.end())


def _bad_start(line: str, column: int) -> tuple[str, str]:
    character = line[column : column + 1]
    if character == "\t":
        return "this line is indented with a tab", "Use spaces; YAML does not allow tabs."
    sign = "a backtick" if character == "`" else f"`{character}`"
    return f"a value cannot begin with {sign} unless it is in quotes", _quote_from(line, column)


def _block_text(line: str) -> tuple[str, str]:
    """``score: >= 60``: YAML takes ``>`` for the start of a folded text."""
    match = _COMPARISON.match(line)
    if match is None:
        start = re.search(r"[|>]", line)
        return "a value cannot begin with `>` or `|` unless it is in quotes", _quote_from(
            line, start.start() if start else 0
        )
    return (
        f"YAML cannot read `{match['rest']}` behind a `:`",
        f"A condition has no colon: `{match['name']} {match['rest']}`. "
        f'If it is a value, put it in quotes: `"{match["rest"]}"`.',
    )


def _broken_indentation(line: str) -> tuple[str, str]:
    if re.match(r"^\s*(- )?[^:]*:?\s*([\"']).*\2\s*[^\s#]", line):
        return "there is text behind a closing quote", "Put the whole value in quotes, or none of it."
    return (
        "this line does not fit the lines above: its indentation or a missing `:` breaks the list",
        "Give lines that belong together the same indentation; every name ends with `:`.",
    )


def _unclosed_bracket(lines: tuple[str, ...], opened: Mark) -> tuple[str, str]:
    line = excerpt(lines, opened.line + 1)
    sign = line[opened.column : opened.column + 1]
    if sign not in ("[", "{"):
        return "this file ends in the middle of a list", "Close every `[` with `]` and every `{` with `}`."
    closing = "]" if sign == "[" else "}"
    cut = re.search(r"\s#", line[opened.column :])
    if cut is not None:
        return (
            f"the `{sign}` is never closed: everything behind ` #` is a comment",
            "Put a value that holds `#` in quotes.",
        )
    return (
        f"the `{sign}` is not closed by `{closing}`, or something inside is not separated by commas",
        "Put values that hold `:`, `,`, brackets or quotes in quotes.",
    )


def _bad_quotes(problem: str) -> tuple[str, str]:
    if "escape" in problem:
        return (
            "a `\\` inside double quotes has a special meaning",
            "Use single quotes around text that holds a backslash.",
        )
    return "this quote is never closed", "Add the closing quote."


def _quote_from(line: str, start: int) -> str:
    """Advice that shows the value in quotes; inside brackets the value ends at the next comma or bracket."""
    rest = line[max(start, 0) :]
    if re.search(r"[\[{]", line[: max(start, 0)]):
        end = _FLOW_END.search(rest, 1)
        rest = rest[: end.start()] if end else rest
    rest = re.sub(r"\s+#.*$", "", rest).strip()
    if not rest:
        return "Put the value in quotes."
    quote = "'" if '"' in rest else '"'
    return f"Quote this: `{quote}{rest}{quote}`."
