"""YAML as nobody should write it, from YAML that people wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[Random, str, Sequence[str]], str]

WORDS = re.compile(r"[A-Za-z0-9_]+|[^A-Za-z0-9_\s]")
HOSTILE = [
    # YAML
    "&a", "*a", "<<: *a", "!!python/object:os.system", "!t", "---", "...", "? ", "- ", ": ", "|", ">", "|2-", "%YAML 1.1",
    "{", "}", "[", "]", "'", '"', "#", "\t", "\r", "\n", "\n\n  ", "~", "null", "true", "on", "0x1F", "0o17", "1e999", "-.inf",
    ".nan", "1_000", "2024-01-01", "10:30", "'' ", '"\\x41\\u0042"', "@", "`", "\ufeff", "\u2028", "\x85", "\x00", "\x07",
    "\ud7ff", "\ue000", "\U0001f600", "e\u0301", "\u202e", "\u200b", "İ", "ß", "\xa0",
    # SQL
    "select 1", "(select a from b)", "; drop table x", "--", "/*", "*/", "'it''s'", '"a""b"', "a.b.c.d.e", "::int", "x'ff'",
    "interval '1' day", "case when", "end", "not", "- - -", "null", "count(*)", "sum(", "any(", "all(tasks.", "*", "x -> x",
    "array[1]", "row(1, 2)", ":p", ":", "?", "$1", "%s", "{id}", "today()", "cast(a as", "over (partition by a)", "in ()", "between",
    "is distinct from", "like '%'", "extract(year from", "at time zone 'UTC'", "date '2024-13-45'", "1/0", "1e400", "9" * 40,
    "values (1)", "union all", "with a as", "a[1]", "a.*", "try(", "@x", "#1", "E'\\n'", "U&'\\0041'", "genesis_list(a)",
    # keys of definitions
    "extends: ", "where: ", "pick: {sort: a}", "as_of: {at: a, from: b}", "latest: true", "required: true", "sql: ", "by: ",
    "values: [1]", "labels: {a: b}", "sort: ", "type: ", "format: ", "shape: summary", "having: ", "limit: 0", "default: ",
]  # fmt: skip


def mutated(random: Random, text: str, corpus: Sequence[str]) -> str:
    """A text that is changed in one to four ways."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        text = random.choice(MUTATIONS)(random, text, corpus)
    return text


def _span(random: Random, text: str, most: int = 40) -> tuple[int, int]:
    start = random.randrange(len(text) + 1)
    return start, min(len(text), start + random.randrange(most))


def _without(random: Random, text: str, _: Sequence[str]) -> str:
    start, end = _span(random, text)
    return text[:start] + text[end:]


def _twice(random: Random, text: str, _: Sequence[str]) -> str:
    start, end = _span(random, text)
    return text[:end] + text[start:end] + text[end:]


def _with_hostile(random: Random, text: str, _: Sequence[str]) -> str:
    start, _end = _span(random, text)
    return text[:start] + random.choice(HOSTILE) + text[start:]


def _with_character(random: Random, text: str, _: Sequence[str]) -> str:
    start, end = _span(random, text, 3)
    code = random.choice(
        (random.randrange(128), random.randrange(0x3000), random.randrange(0x110000))
    )
    return text[:start] + chr(code) + text[end:]


def _word_replaced(random: Random, text: str, corpus: Sequence[str]) -> str:
    """One word becomes another's, a hostile one's, or nothing."""
    words = list(WORDS.finditer(text))
    if not words:
        return text
    word = random.choice(words)
    other = list(WORDS.finditer(random.choice(corpus))) or words
    new = random.choice([random.choice(other).group(), random.choice(words).group(), random.choice(HOSTILE), ""])  # fmt: skip
    return text[: word.start()] + new + text[word.end() :]


def _lines_changed(random: Random, text: str, corpus: Sequence[str]) -> str:
    """A line goes, comes twice, moves, is indented, or comes from another file."""
    lines = text.splitlines(keepends=True) or [""]
    here, there = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[here]
        case 1:
            lines.insert(there, lines[here])
        case 2:
            lines[here], lines[there] = lines[there], lines[here]
        case 3:
            lines[here] = random.choice((" ", "  ", "    ", "\t")) + lines[here]
        case _:
            lines.insert(
                there, random.choice(random.choice(corpus).splitlines(keepends=True) or [""])
            )
    return "".join(lines)


def _value_replaced(random: Random, text: str, corpus: Sequence[str]) -> str:
    """What stands behind a key becomes another key's, or something strange."""
    keys = list(re.finditer(r"(?m)[:,\[{-] +([^\n,\]}]+)", text))
    if not keys:
        return text
    key = random.choice(keys)
    others = list(re.finditer(r"(?m)[:,\[{-] +([^\n,\]}]+)", random.choice(corpus))) or keys
    new = random.choice([random.choice(others)[1], random.choice(keys)[1], random.choice(HOSTILE), _huge(random)])  # fmt: skip
    return text[: key.start(1)] + new + text[key.end(1) :]


def _huge(random: Random) -> str:
    """Deep, long, or often repeated."""
    times = random.choice((10, 33, 100, 1_000, 10_000, 60_000))
    part, end = random.choice([
        ("[", ""), ("{a: ", ""), ("[", "]"), ("(", ""), ("(", ")"), ("not ", "a"), ("-", "1"), ("a + ", "a"), ("a.", "a"), ("upper(", "a)"),
        ("case when a then ", "b"), ("a and ", "a"), ("x", ""), ("9", ""), ("*a ", ""), ("- ", "a"), ("any(", ")"), ("a, ", "a"), ("''", ""),
        ("é", ""), ("a: ", ""), ("coalesce(a, ", "b"), ("1 in (", ")"), ("a = ", "a"), ("? ", ""), ("!", ""), ("&a ", ""), ("a -> ", "a"),
    ])  # fmt: skip
    return part * times + (end * times if end in ("]", ")", "a)") else end)


def _aliased(random: Random, text: str, _: Sequence[str]) -> str:
    """Something is marked, and repeated elsewhere."""
    values = list(re.finditer(r"(?m)(?<=: )[^\n]+", text))
    if len(values) < 2:
        return text
    first, second = sorted(random.sample(values, 2), key=lambda found: found.start())
    middle = text[first.start() : second.start()]
    return f"{text[: first.start()]}&m {middle}*m{text[second.end() :]}"


def _spliced(random: Random, text: str, corpus: Sequence[str]) -> str:
    other = random.choice(corpus)
    return text[: random.randrange(len(text) + 1)] + other[random.randrange(len(other) + 1) :]


MUTATIONS: list[Mutation] = [
    _without, _twice, _with_hostile, _with_hostile, _with_character, _word_replaced, _word_replaced, _word_replaced,
    _lines_changed, _lines_changed, _value_replaced, _value_replaced, _value_replaced, _aliased, _spliced,
]  # fmt: skip
