"""Every folder of `fixtures/changes` is one edit of one project, and what is told of it.

_base/           the project, before
edit.yaml        `why` it is here, and what is edited: texts of files, new files, files that are gone;
                 what stands under `before` is edited on both sides
expected.txt     what `genesis diff -v` says; `--accept` writes it anew
expected.json    the same as `genesis/diff@1`
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from genesis.errors import Problems
from genesis.load import load_texts
from genesis.review.change_facts import diff_facts
from genesis.review.change_words import diff_text
from genesis.review.changed import Diff
from genesis.review.comment import comment
from genesis.review.diff import diff_projects
from genesis.review.page import page
from genesis.review.reviewed import Review
from genesis.spec.project import Project

CHANGES = Path(__file__).parents[1] / "fixtures" / "changes"
FOLDERS = sorted(folder for folder in CHANGES.iterdir() if folder.name != "_base")
# Nothing may be told of these: no tracker and no report is another one.
SILENT = {
    "comment",
    "default_written_out",
    "dialect_of_project",
    "file_moved",
    "formatting",
    "keys_in_another_order",
    "labels_in_another_order",
    "retries_and_alerts",
    "target_changed",
    "unused_field_added",
    "unused_field_edited",
    "unused_join_added",
    "words_for_people",
}

Texts = dict[str, bytes]

edit = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


@cache
def base() -> Texts:
    files = (CHANGES / "_base").rglob("*.yaml")
    return {file.relative_to(CHANGES / "_base").as_posix(): file.read_bytes() for file in files}


def edited(texts: Texts, edits: list[dict[str, Any]]) -> Texts:
    found = dict(texts)
    for one in edits:
        file = one["file"]
        if one.get("gone"):
            del found[file]
        elif "text" in one:
            found[file] = one["text"].encode()
        else:
            old = one["old"].encode()
            assert found[file].count(old) == 1, f"`{one['old']}` is not once in {file}"
            found[file] = found[file].replace(old, one["new"].encode())
    return found


def sides(folder: Path) -> tuple[Project, Project]:
    said = yaml.safe_load((folder / "edit.yaml").read_text("utf-8"))
    before = edited(base(), said.get("before", []))
    after = edited(before if folder.name != "base_broken" else base(), said.get("after", []))
    return load_texts(before, Problems()), load_texts(after, Problems())


@cache
def told(folder: Path) -> Diff:
    return diff_projects(*sides(folder), "duckdb")


@edit
def test_an_edit_is_told_as_expected(folder: Path, accept: bool) -> None:
    """Texts and facts are diffs that a person reads."""
    texts = {
        "expected.txt": diff_text(
            Review("main", "the work tree", told(folder)), "what was before", detailed=True
        ),
        "expected.json": json.dumps(
            diff_facts(Review("main", "the work tree", told(folder))), indent=2, ensure_ascii=False
        ),
    }
    for name, text in texts.items():
        if accept:
            (folder / name).write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == (folder / name).read_text("utf-8")


@edit
def test_every_risk_is_told_in_every_format(folder: Path) -> None:
    """With the same words, marks of code and escapes left aside."""
    review = Review("main", "the work tree", told(folder))
    texts = {
        "text": diff_text(review, "what was before", detailed=True),
        "json": "\n".join(_strings(diff_facts(review))),
        "markdown": re.sub(r"\\(.)", r"\1", comment(review, "nowhere")),
        "html": re.sub(r"<[^>]*>", "", page(review)),
    }
    plain = {name: _plain(html.unescape(text)) for name, text in texts.items()}
    for change in review.diff.changes:
        for mark in review.marks(change):
            assert [name for name, text in plain.items() if _plain(mark.said) not in text] == []


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for one in data.values() if isinstance(data, dict) else data:
            yield from _strings(one)


@edit
def test_what_counts_is_told_and_nothing_else(folder: Path) -> None:
    """Comments, formatting, order and what no report uses are no change."""
    assert (told(folder).changes == ()) == (folder.name in SILENT)


@edit
def test_undone_it_comes_from_the_other_side(folder: Path) -> None:
    """Who changes does so in both directions; what is new one way is gone the other."""
    before, after = sides(folder)
    back = diff_projects(after, before, "duckdb")
    turned = {"added": "removed", "removed": "added"}
    there = {
        (one.old_name or one.name, turned.get(one.kind, one.kind)) for one in told(folder).changes
    }
    assert there == {(one.name, one.kind) for one in back.changes}


@edit
def test_to_compile_everything_finds_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not compiled, since no edit reaches it, would have been the same."""
    monkeypatch.setattr("genesis.review.diff._Comparison._is_reached", lambda *_: True)
    whole = diff_projects(*sides(folder), "duckdb")
    assert [one for one in whole.changes if one.kind != "unknown"] == [
        one for one in told(folder).changes if one.kind != "unknown"
    ]
