"""YAML text -> values and places: YAML 1.2's core values, exact offsets, and files that mean harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genesis.document import (
    MAX_ALIASES,
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_NODES,
    Document,
    Path,
    read_documents,
)
from genesis.errors import MAX_MISTAKES, Location, Problems


def read(text: str | bytes) -> Document:
    """The one document of a text that is right."""
    problems = Problems()
    (document,) = read_documents("file.yaml", text, problems)
    assert list(problems) == []
    return document


def told(text: str | bytes) -> list[tuple[str, int, int]]:
    """What is told of a text: codes with line and column."""
    problems = Problems()
    read_documents("file.yaml", text, problems)
    return [(p.code, p.at.line, p.at.column) for p in problems if p.at]


def values_of(document: Document) -> Iterator[tuple[Path, Any]]:
    """Every value of a document, with its path."""
    waiting: list[tuple[Path, Any]] = [((), document.data)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())  # fmt: skip
        waiting += [((*path, step), inner) for step, inner in pairs]


def shown(text: str, at: Location) -> str:
    """The characters that a place in one line spans."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert at.line == at.end_line
    return lines[at.line - 1][at.column - 1 : at.end_column - 1]


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
        ("yes", "yes"), ("no", "no"), ("NO", "NO"), ("on", "on"), ("off", "off"), ("y", "y"), ("n", "n"), ("tRUE", "tRUE"),
        ("null", None), ("Null", None), ("NULL", None), ("~", None), ("nULL", "nULL"), ("none", "none"),
        ("0", 0), ("-12", -12), ("+7", 7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("0b11", "0b11"),
        ("-0x1F", "-0x1F"), ("12e03", 12e3), ("1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("+.5e-2", 0.005), (".", "."),
        (".inf", float("inf")), ("-.INF", float("-inf")), ("inf", "inf"), ("nan", "nan"), ("1e400", float("inf")),
        ("10:30", "10:30"), ("190:20:30", "190:20:30"), ("2026-11-23", "2026-11-23"), ("2026-11-23T09:30:00Z", "2026-11-23T09:30:00Z"),
        ("=", "="), ("<<", "<<"), ("a: b", {"a": "b"}), ("'12'", "12"), ('"true"', "true"), ("'~'", "~"), ("|\n  12", "12"),
        ("12 # dozen", 12), ("a#b", "a#b"), ("[]", []), ("{}", {}), ("[a, 1, ~]", ["a", 1, None]),
        ("日本", "日本"), ("🎬", "🎬"), ('"\\U0001F3AC\\x41\\u00e9"', "🎬Aé"), ("é\u2028ü", "é\u2028ü"), ('"a\x85b"', "a\x85b"),
    ],
)  # fmt: skip
def test_plain_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    """PyYAML alone reads YAML 1.1, in which Norway is false and half past ten is 630."""
    found = read(f"key: {text}" if not text.startswith("a:") else text).data
    assert found == (value if text.startswith("a:") else {"key": value})
    assert type(found) is dict


def test_not_a_number_is_read() -> None:
    """The one value that is not equal to itself."""
    assert str(read("key: .nan").data["key"]) == "nan"


@pytest.mark.parametrize(
    "key", ["on", "no", "12", "1.5", "true", "~", "2026-11-23", "10:30", "'<<'"]
)
def test_keys_are_always_text(key: str) -> None:
    """A field may be called `on`, a label may be for `true`."""
    assert list(read(f"{key}: 1").data) == [key.strip("'")]


def test_aliases_repeat_a_value_and_know_where_it_stands() -> None:
    """A problem in a repeated value is told where it is written."""
    document = read("usual: &usual {format: usd}\nbudget: *usual\nrevenue: *usual\n")
    assert document.data["budget"] == document.data["revenue"] == {"format": "usd"}
    assert document.locate("revenue", "format").line == 1
    assert document.locate_key("revenue").line == 3


def test_documents_of_one_file_are_apart() -> None:
    """Anchors, keys and places start anew after `---`."""
    problems = Problems()
    first, second = read_documents("f.yaml", "a: &x 1\n---\na: 2\nb: 3\n", problems)
    assert (first.data, second.data) == ({"a": 1}, {"a": 2, "b": 3})
    assert second.locate("b").line == 4
    assert told("a: &x 1\n---\na: *x\n") == [("invalid-yaml", 3, 4)]


# --- places ---------------------------------------------------------------------------------------

NESTED = """\
# a comment
fields:
  - title
  - {field: "a, b", sort: ['x', y]}
joins: {movie:   {by:  &key  movie_id}}
note: |
  two
  lines
text: >-
  folded
  too
"""


def test_every_value_and_key_has_its_place() -> None:
    """The characters between a place's start and end are the ones that were written."""
    document = read(NESTED)
    for path, text in {
        ("fields", 0): "title",
        ("fields", 1): "{",
        ("fields", 1, "field"): '"a, b"',
        ("fields", 1, "sort", 0): "'x'",
        ("fields", 1, "sort", 1): "y",
        ("joins", "movie", "by"): "movie_id",
    }.items():
        assert shown(NESTED, document.locate(*path)) == text
    for path, _ in values_of(document):
        if path and isinstance(path[-1], str):
            assert shown(NESTED, document.locate_key(*path)) == path[-1]
    assert (document.locate("note").line, document.locate("note").end_line) == (6, 9)


def test_what_is_missing_is_told_at_the_first_key_of_what_lacks_it() -> None:
    """The first key of a mapping, the collection itself where it is empty, else the nearest value."""
    document = read("a: {c: 1, b: {}}\nd: [x]\ne:\n")
    assert document.locate("a", "missing") == document.locate_key("a", "c")
    assert document.locate("a", "b", "missing") == document.locate("a", "b")
    assert document.locate("d", 5) == document.locate("d")
    assert document.locate("a", "missing", "deeper") == document.locate("a")
    assert document.locate("missing") == document.locate_key("a")
    assert document.locate("e") == document.locate_key("e")


SCALARS = {
    "plain": "sql: amount * budget / days",
    "plain with a comment": "sql: amount * budget # of the movie",
    "single quotes": "sql: 'status = ''PREP'' and budget > 5'",
    "double quotes": r'sql: "status = \"PREP\" and\tbudget > \x35 or \u0062 > 1"',
    "after an anchor": "sql: &shared amount * budget",
    "quoted after an anchor": "sql: &shared 'amount * budget'",
    "multi-line plain": "sql: amount\n  * budget\n\n  + budget\nnext: 1",
    "multi-line quoted": "sql: 'amount\n  * budget\n\n\n  + budget'\nnext: 1",
    "escaped line end": 'sql: "amount \\\n  * budget"',
    "flow": "{list: [amount, budget], sql: amount + budget}",
    "literal": "sql: |\n  amount\n    * budget\n\n  + budget\nnext: 1",
    "literal, indentation stated": "a:\n  sql: |2\n      amount\n    * budget\n",
    "literal, stripped": "sql: |-\n    amount * budget\n",
    "literal, kept": "sql: |+\n    amount * budget\n\n\n",
    "literal after blank lines": "sql: |\n\n\n    amount\n    * budget\n",
    "literal with longer blank lines": "sql: |1\n     \n amount * budget\n",
    "literal, commented": "sql: | # why\n  amount * budget\n",
    "literal, separators": "sql: |\n  'a\u2028b\x85c' =\n  budget\n",
    "CRLF": "other: 1\r\nsql: amount\r\n  * budget\r\n",
    "CRLF literal": "sql: |\r\n  amount\r\n  * budget\r\nnext: 1\r\n",
    "CR": "other: 1\rsql: 'amount\r  * budget'\r",
    "tabs": "sql:\tamount *\tbudget\t# money",
    "astral": "{título: '🎬🎬', sql: \"'🎬' <> 日本 and budget > 1\"}",
    "astral literal": "sql: |\n  '🎬' <> 日本\n  and budget > 1\n",
    "separators": "{a: é\u2028ü, sql: \"'x\u2029y\x85' <> budget\"}",
    "second document": "a: 1\n---\nsql: amount * budget",
}


@pytest.mark.parametrize("name", SCALARS)
def test_offsets_into_a_scalar_lead_to_the_characters_written(name: str) -> None:
    """Every character of the value is found where it was written, escapes and folds apart."""
    text = SCALARS[name]
    document = read_documents("file.yaml", text, problems := Problems())[-1]
    assert list(problems) == []
    path: tuple[str, ...] = ("a", "sql") if text.startswith("a:\n") else ("sql",)
    value = document.value(path)
    for offset in range(len(value) - len("budget") + 1):
        if value.startswith("budget", offset):
            at = document.locate(*path, offset=offset, length=len("budget"))
            assert shown(text, at) == "budget"
    for offset, character in enumerate(value):
        at = document.locate(*path, offset=offset)
        written = shown(text, at)
        assert written in (character, "\\", "", " ", "\t") or name == "multi-line plain"


def test_an_offset_into_a_folded_scalar_is_its_start() -> None:
    """A folded line's characters are not where a person would look for them."""
    document = read("sql: >\n  amount\n  * budget\n")
    assert document.locate("sql", offset=9, length=6) == document.locate("sql")


def test_an_offset_past_the_end_is_the_whole_scalar() -> None:
    """A parser may point behind the last character."""
    document = read("sql: amount")
    assert document.locate("sql", offset=6) == document.locate("sql")
    assert shown("sql: amount", document.locate("sql", offset=4, length=99)) == "nt"


def test_a_byte_order_mark_is_no_character() -> None:
    """Columns are counted without it, whether the text comes as bytes or not."""
    for text in ("\ufeffa: 1\nb: x", "\ufeffa: 1\nb: x".encode()):
        document = read(text)
        assert document.data == {"a": 1, "b": "x"}
        assert document.locate_key("a") == Location("file.yaml", 1, 1, 1, 2)


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", [("duplicate-key", 2, 1)]),
        ("a: {b: 1, c: 2, b: 3}", [("duplicate-key", 1, 17)]),
        ("a: 1\n'a': 2\n\"a\": 3", [("duplicate-key", 2, 1), ("duplicate-key", 3, 1)]),
        ("a: {<<: {b: 1}}", [("merge-key", 1, 5)]),
        ("x: &x {a: 1}\ny: {<<: *x}\nz: {<<: *x}", [("merge-key", 2, 5), ("merge-key", 3, 5)]),
        ("a: !!python/object:os.system x", [("yaml-tag", 1, 4)]),
        ("a: [!x 1, &y !z 2]", [("yaml-tag", 1, 5), ("yaml-tag", 1, 14)]),
        ("? [a, b]\n: c", [("wrong-key", 1, 3)]),
        ("a: {{b: 1}: 2}", [("wrong-key", 1, 5)]),
        ("x: &x a\n*x : b", [("wrong-key", 2, 1)]),
        ("a: &a [*a]", [("invalid-yaml", 1, 8)]),
        ("a: &a {b: *a}", [("invalid-yaml", 1, 11)]),
        ("a: *nowhere", [("invalid-yaml", 1, 4)]),
        ("a:\n\tb: 1", [("invalid-yaml", 2, 1)]),
        ("a: b: c", [("invalid-yaml", 1, 5)]),
        ("a: 1\n  b: 2", [("invalid-yaml", 2, 3)]),
        ("a:\n   b: 1\n  c: 2", [("invalid-yaml", 3, 3)]),
        ("a\nb: 1", [("invalid-yaml", 1, 1)]),
        ("a: 1\nb", [("invalid-yaml", 2, 1)]),
        ("a: [1, 2\nb: 3", [("invalid-yaml", 1, 4)]),
        ("a: 'x\nb: 1", [("invalid-yaml", 1, 4)]),
        ("a: 'it's'", [("invalid-yaml", 1, 8)]),
        ("a: [b]c", [("invalid-yaml", 1, 7)]),
        ("a: > 5", [("invalid-yaml", 1, 4)]),
        ("a: - b", [("invalid-yaml", 1, 4)]),
        ("a: @b", [("invalid-yaml", 1, 4)]),
        ("a: %b", [("invalid-yaml", 1, 4)]),
        ("a: * b", [("invalid-yaml", 1, 4)]),
        ('a: "\\d"', [("invalid-yaml", 1, 5)]),
        ("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x", [("invalid-yaml", 1, 1)]),
        ("a: x\x00", [("invalid-yaml", 1, 5)]),
        ("a: \x1b[31m", [("invalid-yaml", 1, 4)]),
        ("", [("empty-file", 1, 1)]),
        ("# nothing\n---\n", [("empty-file", 1, 1)]),
        (b"a: \xff", [("not-utf8", 1, 4)]),
        ("é: 1\n日: ü".encode() + b"\xe9", [("not-utf8", 2, 5)]),
        ("a: 1".encode("utf-16"), [("not-utf8", 1, 1)]),
        ("a: " + "9" * 401, [("yaml-limit", 1, 4)]),
    ],
)
def test_a_mistake_is_told_once_at_its_token(
    text: str | bytes, expected: list[tuple[str, int, int]]
) -> None:
    """Codes and places; the folders of `fixtures/errors` show the words."""
    assert told(text) == expected


def test_a_mistake_leaves_the_documents_before_it() -> None:
    """What was read is kept, what means something else without its broken part is not."""
    problems = Problems()
    found = read_documents("f.yaml", "a: 1\n---\nb: {<<: {}}\n---\nc: 1\nc: 2\n---\nd: [", problems)
    assert [document.data for document in found] == [{"a": 1}, {"c": 1}]
    assert [problem.code for problem in problems] == ["merge-key", "duplicate-key", "invalid-yaml"]


# --- files that mean harm -------------------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP_BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
HARMFUL = {
    "long": "a: " + "x" * MAX_CHARACTERS,
    "many bytes": ("a: " + "é" * MAX_CHARACTERS * 3).encode(),
    "brackets": "[" * 60_000,
    "braces": "{a: " * 60_000,
    "nested lists": "- " * 60_000,
    "nested keys": "".join(f"{' ' * n}a:\n" for n in range(400)),
    "questions": "? " * 60_000,
    "values": "[" + "1," * (MAX_NODES + 1) + "]",
    "documents": "--- 1\n" * 40_000 + "--- 1\n" * 2_000,
    "aliases": "a: &a 1\nb: [" + "*a," * (MAX_ALIASES + 1) + "]",
    "alias bomb": BOMB,
    "deep alias bomb": DEEP_BOMB,
    "digits": "a: " + "9" * 200_000,
    "anchors": "[" + ",".join(f"&a{n} 1" for n in range(25_000)) + "]",
    "tags": "[" + "!x 1," * 40_000 + "]",
    "repeated keys": "a: 1\n" * 40_000,
}


WITHIN = {"documents", "anchors", "tags", "repeated keys"}  # long, and yet within the limits


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_file_is_refused_with_little_work(name: str) -> None:
    """Sizes, depths and repetitions end before they cost anything."""
    problems = Problems()
    found = read_documents("f.yaml", HARMFUL[name], problems)
    paths = [path for document in found for path, _ in values_of(document)]
    assert len(paths) <= MAX_NODES
    assert max(map(len, paths), default=0) <= MAX_DEPTH
    if name not in WITHIN:
        assert [p.code for p in problems if p.code != "wrong-key"] == ["yaml-limit"]
        assert len(problems) <= MAX_DEPTH + 1


def test_a_bomb_of_merge_keys_is_not_lit() -> None:
    """A 4.9 kB file of them cost PyYAML 139 s and 3 GiB; here each is told, and no value is copied."""
    lines = ["a0: &a0 {k0: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 60)]
    problems = Problems()
    assert read_documents("f.yaml", "\n".join(lines), problems) == []
    assert {problem.code for problem in problems} == {"merge-key", "yaml-limit"}


# --- anything at all ------------------------------------------------------------------------------

# PyYAML folds at what ends a line in YAML 1.1 alone.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
styles = st.fixed_dictionaries(
    {
        "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
        "default_flow_style": st.sampled_from([None, True, False]),
        "width": st.sampled_from([20, 80, 1000]),
        "allow_unicode": st.booleans(),
        "line_break": st.sampled_from(["\n", "\r\n", "\r"]),
        "explicit_start": st.booleans(),
        "indent": st.sampled_from([2, 4]),
    }
)


def assert_within(text: str, problems: Problems) -> None:
    """Every problem has a place, and the place is in the file."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        at = problem.at
        assert at is not None
        assert 1 <= at.line <= at.end_line <= len(lines)
        assert 1 <= at.column <= len(lines[at.line - 1]) + 1
        assert (at.end_line, at.end_column) >= (at.line, at.column)


@settings(deadline=None)
@given(tree=trees, style=styles)
def test_what_pyyaml_writes_is_read_as_it_was_meant(tree: Any, style: dict[str, Any]) -> None:
    """Any tree in any style, every value in its place: quoted as text, so both YAMLs agree."""
    tagged = style["default_style"] is not None  # PyYAML then writes `!!int "1"`
    text = yaml.safe_dump({"key": tree}, **style)
    problems = Problems()
    found = read_documents("f.yaml", text, problems)
    assert_within(text, problems)
    if not tagged and not list(problems):
        assert _texts(found[0].data) == _texts({"key": tree})
        for path, value in values_of(found[0]):
            line = found[0].locate(*path).line
            for offset in range(len(value) if isinstance(value, str) else 0):
                assert found[0].locate(*path, offset=offset).line >= line


def _texts(value: Any) -> Any:
    """Values as text: PyYAML writes `1e20` and `~` in ways of YAML 1.1."""
    if isinstance(value, dict):
        return {str(key): _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value if isinstance(value, str) else "?"


@settings(deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=200))
@example(text="\ufeff")
@example(text="a: &a\n  - *a")
@example(text="\x85")
@example(text="a: 'b\u2028c' d")
def test_no_text_is_too_much(text: str) -> None:
    """Reading never fails: it tells problems that lie within the file."""
    problems = Problems()
    read_documents("f.yaml", text, problems)
    assert_within(text.removeprefix("\ufeff"), problems)


PUNCTUATION = st.text("ab:-?[]{}#&*!|>'\"%@`, \n\t0<=~\\", max_size=60)


@settings(deadline=None, max_examples=500)
@given(text=PUNCTUATION | st.text(max_size=40) | trees.map(yaml.safe_dump))
@example(text="&a key: 1\n!b other: 2")
@example(text="<<: {a: 1}")
@example(text="'<<': 1")
@example(text="a: 1\na: 1")
@example(text="1\n---\n---\nb: .nan")
@example(text="a: *b")
@example(text="a: b\u2028c")
@example(text="- " * (MAX_DEPTH - 2) + "1")
@example(text="- " * (MAX_DEPTH - 1) + "1")
@example(text="- " * (MAX_DEPTH - 1) + "[]")
@example(text="- " * MAX_DEPTH + "1")
@example(text="[" + "1," * MAX_NODES + "]")
@example(text="a: 1\n" + "---\n" * MAX_NODES)
@example(text="a: " + "9" * 401)
def test_a_text_is_read_alike_with_its_places_and_without(text: str) -> None:
    """Simple texts are read without them first."""
    quickly, wholly = Problems(), Problems()
    quick = read_documents("f.yaml", text, quickly)
    with patch("genesis.document._simple_values", return_value=[]):
        whole = read_documents("f.yaml", text, wholly)
    assert repr(quick) == repr(whole)
    assert [*quickly] == [*wholly]
    for document in quick:
        for path, _ in values_of(document):
            assert document.spot(*path) is not None


@settings(deadline=None)
@given(text=PUNCTUATION)
def test_no_punctuation_is_too_much(text: str) -> None:
    """Texts made of what YAML's grammar is made of."""
    problems = Problems()
    for document in read_documents("f.yaml", text, problems):
        for path, value in values_of(document):
            assert document.spot(*path)
            at = document.locate(*path, offset=0 if isinstance(value, str) else None)
            assert at.line <= text.count("\n") + 1
    assert_within(text, problems)


@settings(deadline=None)
@given(content=st.binary(max_size=200))
def test_no_bytes_are_too_much(content: bytes) -> None:
    """Neither are bytes that are no text at all."""
    problems = Problems()
    read_documents("f.yaml", content, problems)
    assert all(problem.at for problem in problems)


def test_the_repository_s_own_files_are_read() -> None:
    """Every value of the worked example is found where it is written."""
    root = FilePath(__file__).parents[1]
    for folder in ("definitions", "inputs", "workflows"):
        for file in sorted((root / folder).rglob("*.yaml")):
            text = file.read_text(encoding="utf-8")
            for document in read_documents(file.name, text, Problems()):
                for path, value in values_of(document):
                    spot = document.spot(*path)
                    if isinstance(value, str) and spot and document.style(spot) == "":
                        written = shown(text, document.locate(*path))
                        assert written == value


def test_a_file_of_mistakes_is_left_after_a_thousand():
    """Nobody reads on, and to tell each takes time."""
    problems = Problems()
    assert read_documents("a.yaml", "{" + "a: 1, " * 5_000 + "}", problems) == []
    assert len(problems) == MAX_MISTAKES
