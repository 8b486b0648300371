"""Policy files are untrusted input: what is refused, how it is said, and that words stay what was typed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decide.pitfalls import cut_by_comment
from agent.decide.yaml_source import MapNode, TextNode, YamlProblem, load_plain, plain_value, read_source
from agent.errors import Problem


def problem_of(text: str) -> Problem:
    source = read_source("person.yaml", text)
    assert not source.is_readable
    assert source.documents == ()
    (problem,) = source.problems
    return problem


def said(text: str) -> tuple[int, int, str, str]:
    problem = problem_of(text)
    return problem.line, problem.column, problem.message, problem.advice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "score: >= 60",
            (1, 8, "YAML cannot read `>= 60` behind a `:`",
             'A condition has no colon: `score >= 60`. If it is a value, put it in quotes: `">= 60"`.'),
        ),
        (
            "when:\n  - >= 60",
            (2, 5, "a value cannot begin with `>` or `|` unless it is in quotes", 'Quote this: `">= 60"`.'),
        ),
        ("a: [>= 60]", (1, 5, "a value cannot begin with `>` unless it is in quotes", 'Quote this: `">= 60"`.')),
        ("a: != x", (1, 4, "a value cannot begin with `!` unless it is in quotes", 'Quote this: `"!= x"`.')),
        ("a: *", (1, 4, "a value cannot begin with `*` unless it is in quotes", 'Quote this: `"*"`.')),
        ("a: *all", (1, 4, "a value cannot begin with `*` unless it is in quotes", 'Quote this: `"*all"`.')),
        ("a: &b c", (1, 4, "a value cannot begin with `&` unless it is in quotes", 'Quote this: `"&b c"`.')),
        ("a: @sales", (1, 4, "a value cannot begin with `@` unless it is in quotes", 'Quote this: `"@sales"`.')),
        ("a: %done", (1, 4, "a value cannot begin with `%` unless it is in quotes", 'Quote this: `"%done"`.')),
        ("a: {b: @c, d: e}", (1, 8, "a value cannot begin with `@` unless it is in quotes", 'Quote this: `"@c"`.')),
        ("a: Head: Sales", (1, 8, "a second `: ` on one line", 'Quote this: `"Head: Sales"`.')),
        ('a: Head: "S"', (1, 8, "a second `: ` on one line", "Quote this: `'Head: \"S\"'`.")),
        ("a: !!python/object/apply:os.system [ls]",
         (1, 4, "a value cannot begin with `!` unless it is in quotes",
          'Quote this: `"!!python/object/apply:os.system [ls]"`.')),
        (
            "a: b\n\tc: d",
            (2, 1, "this line is indented with a tab", "Use spaces; YAML does not allow tabs."),
        ),
        (
            "a: b\n  c: d",
            (2, 4, "this line cannot follow the line above: the indentation or a `:` is wrong",
             "Give lines that belong together the same indentation; a line that has others under it ends with `:`."),
        ),
        (
            "a:\n  b: c\n d: e",
            (3, 2, "this line does not fit the lines above: its indentation or a missing `:` breaks the list",
             "Give lines that belong together the same indentation; every name ends with `:`."),
        ),
        (
            "a: - b",
            (1, 4, "a list cannot begin on the same line as its name",
             "Put `- ` on a new line below, or write `[a, b]`."),
        ),
        (
            "a: [b, c",
            (1, 4, "the `[` is not closed by `]`, or something inside is not separated by commas",
             "Put values that hold `:`, `,`, brackets or quotes in quotes."),
        ),
        (
            "a: [Team #1, b]\nc: d",
            (1, 4, "the `[` is never closed: everything behind ` #` is a comment",
             "Put a value that holds `#` in quotes."),
        ),
        ('a: "b', (1, 4, "this quote is never closed", "Add the closing quote.")),
        (
            'a: "b" c',
            (1, 8, "there is text behind a closing quote", "Put the whole value in quotes, or none of it."),
        ),
        (
            'a: "C:\\queue"',
            (1, 4, "a `\\` inside double quotes has a special meaning",
             "Use single quotes around text that holds a backslash."),
        ),
        ("%YAML 1.1\n---\na: b", (1, 1, "a line that begins with `%` is not allowed here", "Remove it.")),
        (
            "a: b\n...\nc: d",
            (3, 1, "this does not belong to what stands above", "Separate two policies by a line with `---` only."),
        ),
        ("<<: b", (1, 1, "`<<` is not allowed", "Write out the lines themselves.")),
        ("[a, b]: c", (1, 1, "a list cannot stand before a `:`", "Put it behind the `:`.")),
        (
            "a: \u202eb",
            (1, 4, "this line holds an invisible or control character (U+202E)",
             "Type the line again; such characters come with text copied from web pages or documents."),
        ),
        (
            'a: "\\x07"',
            (1, 4, "this text holds an invisible or control character (U+0007)",
             "Remove the escape that makes it."),
        ),
    ],
)  # fmt: skip
def test_a_pitfall_is_explained_in_plain_words(text: str, expected: tuple[int, int, str, str]) -> None:
    assert said(text) == expected


def test_the_source_line_is_shown() -> None:
    assert problem_of("a: b\nc: @d").excerpt == "c: @d"
    assert problem_of("a: \u200bb").excerpt == "a: ?b"
    assert len(problem_of("a: @" + "x" * 5000).excerpt) == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "this is nested more than 20 levels deep"),
        ("[{" * 200, "this is nested more than 20 levels deep"),
        ("- " * 100_000 + "a", "this is nested more than 20 levels deep"),
        ("a: [" + "x, " * 20_001 + "]", "this file holds more than 20,000 words"),
        ("a: " + "x" * 9000, "this text is longer than 8 KB"),
        ("#" + "x" * 262_144, "this file is larger than 256 KB"),
        ("#" + "ü" * 140_000, "this file is larger than 256 KB"),
        ("a: &a [x]\nb: [*a, *a]", "a value cannot begin with `&` unless it is in quotes"),
        ("a: \x00", "this line holds an invisible or control character (U+0000)"),
        ("a: \ud800", "this line holds an invisible or control character (U+D800)"),
    ],
    ids=lambda value: str(value)[:12].encode("unicode_escape").decode(),
)
def test_bombs_are_refused(text: str, message: str) -> None:
    assert problem_of(text).message == message


def test_twenty_levels_are_allowed() -> None:
    assert read_source("a.yaml", "[" * 20 + "]" * 20).is_readable


def test_bombs_are_refused_quickly_and_in_little_memory() -> None:
    """Measured as bytes and calls, not seconds: a process with a small address space and a few seconds of CPU."""
    script = """
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        from agent.decide.yaml_source import read_source
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        levels = "\\n".join(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10 if n else ["x"]) + "]" for n in range(30))
        merges = "a0: &a0 {x: 1}\\n" + "\\n".join(
            f"a{n}: &a{n} {{<<: [" + ", ".join([f"*a{n - 1}"] * 10) + "]}" for n in range(1, 10)
        )
        bombs = [
            levels, merges, "[" * 262_144, "{a: " * 60_000, "- " * 130_000, "? " * 130_000, "a: 0x" + "f" * 200_000,
            '"' + "\\\\x41" * 60_000 + '"', "a\\n" * 130_000, "!" * 262_144, "- a: b\\n  " * 20_000,
            "'" * 262_143,
        ]
        for bomb in bombs:
            source = read_source("bomb.yaml", bomb)
            assert source.problems and not source.documents, bomb[:40]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
        assert grown < 64 * 1024, grown
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_copies_of_a_duplicate_key_are_named_and_reading_goes_on() -> None:
    source = read_source("a.yaml", "a: 1\nb: 2\na: 3\nb: 4")
    assert [(problem.line, problem.message, problem.advice) for problem in source.problems] == [
        (3, "`a` stands here twice, first on line 1", "Keep one of the two."),
        (4, "`b` stands here twice, first on line 2", "Keep one of the two."),
    ]
    assert source.is_readable
    assert plain_value(source.documents[0]) == {"a": 1, "b": 2}


def test_words_stay_what_was_typed() -> None:
    (node,) = read_source("a.yaml", "a: NO\nb: 007\nc: 12:30\nd: 1.50\ne: yes\nf: 005E000\nNO: x").documents
    assert isinstance(node, MapNode)
    texts = {key.text: value.text for key, value in node.pairs if isinstance(value, TextNode)}
    assert texts == {"a": "NO", "b": "007", "c": "12:30", "d": "1.50", "e": "yes", "f": "005E000", "NO": "x"}


def test_every_word_knows_its_place() -> None:
    (node,) = read_source("a.yaml", "\ufeffä: {ü: 'x y',\r\n  z: [p, q]}\r\n").documents
    assert isinstance(node, MapNode)
    inner = node.pairs[0][1]
    assert isinstance(inner, MapNode)
    assert [(key.text, key.line, key.column) for key, _ in inner.pairs] == [("ü", 1, 5), ("z", 2, 3)]
    quoted = inner.find("ü")
    assert isinstance(quoted, TextNode)
    assert (quoted.line, quoted.column, quoted.end_column, quoted.is_plain) == (1, 8, 13, False)


def test_several_documents_and_empty_ones() -> None:
    source = read_source("a.yaml", "---\na: 1\n---\n# nothing\n---\nb: 2\n---\n")
    assert [plain_value(node) for node in source.documents] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("team: Team #1", "#1"),
        ("team: Team # a comment", None),
        ('team: "Team #1"', None),
        ("team: Team#1", None),
        ("team: {a: Team #1\n  }", "#1"),
        ("team: #1", None),
    ],
)
def test_a_value_cut_by_a_comment_is_noticed(text: str, lost: str | None) -> None:
    source = read_source("a.yaml", text)
    node = source.documents[0]
    while isinstance(node, MapNode):
        node = node.pairs[0][1]
    assert isinstance(node, TextNode)
    assert cut_by_comment(node, source.lines) == lost


def test_plain_data_follows_yaml_1_2_and_keeps_codes() -> None:
    text = "a: no\nb: 007\nc: 12:30\nd: 1.5\ne: true\nf: ~\ng: [1, 0x1F, 1e3, '1', .5, -3, 1_000, .inf]\nh:\n"
    assert load_plain("config.yaml", text) == {
        "a": "no",
        "b": "007",
        "c": "12:30",
        "d": 1.5,
        "e": True,
        "f": None,
        "g": [1, "0x1F", 1000.0, "1", 0.5, -3, "1_000", ".inf"],
        "h": None,
    }
    assert load_plain("config.yaml", "") is None


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2", 2, "`a` stands here twice, first on line 1"),
        ("a: 1\n---\nb: 2", 3, "this file must hold one document only"),
        ("a: @b", 1, "a value cannot begin with `@` unless it is in quotes"),
    ],
)
def test_plain_data_is_refused_with_a_place(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlProblem) as raised:
        load_plain("config.yaml", text)
    assert (raised.value.problem.line, raised.value.problem.message) == (line, message)


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{},#&*!|>'\"%@`? \n\t\\~<=0")), max_size=60))
def test_no_text_makes_reading_fail(text: str) -> None:
    source = read_source("a.yaml", text)
    assert source.is_readable or (source.problems and not source.documents)
    for problem in source.problems:
        assert 1 <= problem.line <= len(source.lines)
        assert problem.message


@given(st.text(max_size=80))
def test_no_unicode_makes_reading_fail(text: str) -> None:
    source = read_source("a.yaml", text)
    assert source.is_readable or source.problems
