"""The comment of a pull request: whole, small enough whatever changes, and harmless whatever names say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from genesis.review.changed import Change
from genesis.review.comment import LIMIT, MARKER, comment
from genesis.review.page import page
from genesis.review.reviewed import Looked, Review
from genesis.review.row_changes import Cell, RowChange, Sample
from tests.review.films import INPUT, TEXTS, WORKFLOW, edited, review, warehouse

WHOLE = "`genesis diff --format html`"
EDIT = ("inputs/films.yaml", "  - status\n", "")


def test_a_person_knows_which_sheet_changes_and_whom_to_ask() -> None:
    """By its title, its place, its owner, and what will happen there."""
    said = comment(review(TEXTS, edited(EDIT)), WHOLE)
    for part in (
        "Films in the making", "google_sheets 1AbC, In the making", "ask `films@studio.example.com`",
        "column `Status` goes", "held until `genesis approve films.refresh_films`", "inputs/films.yaml",
    ):  # fmt: skip
        assert part in said


def test_trackers_of_one_title_are_told_apart() -> None:
    """By their names, where somebody is asked about one of them."""
    told = review(TEXTS, edited(EDIT))
    (one,) = told.diff.changes
    told = replace(told, diff=replace(told.diff, changes=(one, replace(one, name="films.emea"))))
    assert "`Films in the making` `films.emea`, ask `films@studio.example.com`" in comment(
        told, WHOLE
    )
    assert "Films in the making films.emea</a>" in page(told)


def test_what_threatens_several_trackers_alike_is_said_once() -> None:
    filters = """filters: ["status in ('PREP', 'SHOOT')"]\n"""
    told = review(TEXTS, edited(("inputs/films.yaml", filters, "")))
    (one,) = told.diff.changes
    told = replace(told, diff=replace(told.diff, changes=(one, replace(one, name="films.emea"))))
    said = comment(told, WHOLE)
    first, _, _ = said.partition("| tracker |")
    assert first.count("is gone: records may come") == 1
    assert "⚠️ risk, 2 trackers: " in said
    assert said.count("\n  - `Films in the making` `films.") == 2


def test_what_becomes_of_a_tracker_is_told_in_words_of_every_day() -> None:
    """Who has never seen a workflow knows no sinks and schedules."""
    moved = WORKFLOW.replace("In the making", "Films").replace("0 7", "0 9")
    said = comment(review(TEXTS, {**TEXTS, "workflows/films.yaml": moved}), WHOLE)
    assert "| moves elsewhere, runs at other times |" in said
    other_table = edited(("definitions/film.yaml", "studio.film", "studio.cinema"))
    assert "| other records count |" in comment(review(TEXTS, other_table), WHOLE)


def test_a_script_finds_it_by_its_first_line() -> None:
    assert comment(review(TEXTS, TEXTS), WHOLE).splitlines()[0] == MARKER == "<!-- genesis diff -->"


def test_a_change_without_effect_says_so() -> None:
    """With what was edited, and why it changes nothing."""
    said = comment(
        review(TEXTS, edited(("inputs/films.yaml", "title: Films", "# now\ntitle: Films"))), WHOLE
    )
    assert "no tracker changes, 1 stays as it is" in said
    assert "input `films` in `inputs/films.yaml:1`: only comments or formatting differ" in said


def test_a_tracker_that_cannot_be_compared_is_no_change() -> None:
    """What is broken is told with its place; its SQL is not shown as if it went."""
    told = review(TEXTS, edited(("inputs/films.yaml", "  - status\n", "  - sttus\n")))
    said = comment(told, WHOLE)
    assert "genesis: 1 tracker cannot be told, 0 stay as they are" in said
    assert "unknown field `sttus` in data source `film` (`inputs/films.yaml:" in said
    assert "SELECT" not in said
    assert "genesis: 1 cannot be told, 0 changed, 0 as they were" in page(told)


# --- size ---------------------------------------------------------------------------------------


def large(changes: int, sql: int) -> Review:
    """Many changes with much SQL, and rows for each."""
    told = review(TEXTS, edited(EDIT))
    (one,) = told.diff.changes
    assert one.before is not None
    assert one.after is not None

    def named(n: int) -> Change:
        after = replace(one.after, sql="\n".join(f"line {n} {line}" for line in range(sql)))
        return replace(one, name=f"films.job_{n}", after=after)

    found = tuple(map(named, range(changes)))
    cells = tuple(Cell(f"c{n}", "x" * 50) for n in range(8))
    rows = RowChange(5, 5, 5, 5, 0, samples=(Sample("comes", cells),) * 5)
    return replace(
        told,
        diff=replace(told.diff, changes=found),
        looked={one.name: Looked(rows) for one in found},
    )


@pytest.mark.parametrize(
    ("changes", "sql", "dropped"),
    [
        (3, 10, []),
        (20, 40, ["rows"]),
        (20, 400, ["rows", "SQL"]),
        (220, 40, ["rows", "SQL", "explanations"]),
        (1000, 5, ["rows", "SQL", "explanations", "lines of the table", "risks"]),
        (1, 100_000, ["rows", "SQL"]),
    ],
)  # fmt: skip
def test_detail_is_dropped_in_one_order(changes: int, sql: int, dropped: list[str]) -> None:
    """No more of it than must be, and what was dropped is said."""
    said = comment(large(changes, sql), WHOLE)
    assert len(said.encode()) <= LIMIT
    note = re.search(r"_Left out, since a comment holds no more: (.*)\. The whole: (.*)_", said)
    assert ([part.rpartition(" (")[0] for part in note[1].split(", ")] if note else []) == dropped
    assert note is None or note[2] == WHOLE
    assert said.startswith(f"{MARKER}\n### genesis: {changes:,} ")


def test_characters_of_many_bytes_count_as_such() -> None:
    """Services count differently, and none counts a byte as more than a character."""
    told = large(200, 5)
    found = tuple(replace(one, name=f"{'片' * 60}.{n}") for n, one in enumerate(told.diff.changes))
    assert (
        len(comment(replace(told, diff=replace(told.diff, changes=found)), WHOLE).encode()) <= LIMIT
    )


# --- names that would be more than names --------------------------------------------------------

HOSTILE = [
    "@everyone",
    "<img src=x onerror=alert(1)>",
    "</details>",
    "</code></td><script>",
    "a | b \\| c",
    "`@team`",
    "```",
    "[click](https://example.com)",
    "<!-- genesis diff -->",
    "**bold** _it_ ~~no~~",
    "new\nline",
    "\u202eright to left",
    "# title",
    "$x$ :smile: #12",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_more_than_a_name(name: str, tmp_path: Path) -> None:
    """As a title, an owner, a label, a tab, a file's text, a value: it stands in code, and nowhere else."""
    quoted = (
        '"'
        + name.replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
        .replace("\u202e", "\\u202e")
        + '"'
    )
    in_sql = "\"title || '" + quoted[1:-1] + "'\""
    change = {
        **TEXTS,
        "inputs/films.yaml": INPUT.replace("Films in the making", quoted)
        .replace("films@studio.example.com", quoted)
        .replace("  - status\n", f"  - {{field: {in_sql}, name: odd, label: {quoted}}}\n"),
        "workflows/films.yaml": WORKFLOW.replace("tab: In the making", f"tab: {quoted}"),
    }  # fmt: skip
    warehouse(tmp_path)
    told = review(TEXTS, change, tmp_path)
    for here in (told, replace(told, base=name, head=name)):
        _assert_harmless(comment(here, WHOLE), name)
    tags = set(re.findall(r"</?([a-z0-9]+)", page(told)))
    assert tags <= {*re.findall(r"</?([a-z0-9]+)", page(review(TEXTS, edited(EDIT)))), "ins", "del"}


def _assert_harmless(said: str, name: str) -> None:
    """Read as Markdown with tables and HTML: tags are ours, and the name stands in code."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(said)
    text, tags, depth = [], set(), 0
    for token in tokens:
        if token.type == "html_block":
            tags |= set(re.findall(r"<[^>]*>", token.content))
            text.append(re.sub(r"<code>.*?</code>|<[^>]*>", "", token.content))
        for child in token.children or ():
            if child.type == "html_inline":
                tags.add(child.content)
                depth += {"<code>": 1, "</code>": -1}.get(child.content, 0)
            elif child.type == "text" and depth == 0:
                text.append(child.content)
            assert child.type not in ("link_open", "image", "strong_open") or "Look" in said
    assert tags <= {MARKER, "<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<sub>", "</sub>", "<br>"}  # fmt: skip
    assert " ".join(name.split()) not in "\n".join(text)
    assert [
        token.content.strip()
        for token in tokens
        if MARKER in token.content and token.type == "html_block"
    ] == [MARKER]
    assert "@" not in "".join(text)
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in ("td_open", "th_open")]
    assert len(cells) == 6 * len(rows)
