"""A column through which a sensitive field can be seen is sensitive, by whatever way it got there."""

from __future__ import annotations

import pytest

from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_files

PEOPLE = """data_source: person
table: person
primary_key: person_id
fields:
  person_id: integer
  email: {type: string, sensitivity: confidential}
  domain: {type: string, sql: lower(email)}
  is_ours: {type: boolean, sql: domain like '%studio.example.com'}
  mails: {type: string, sql: list(reports.email)}
  name: string
  boss_id: integer
joins:
  boss: {data_source: person, by: {boss_id: person_id}}
  reports: {data_source: person, by: {person_id: boss_id}}
measures:
  domains: {sql: count_distinct(domain)}
---
input: people
source: person
fields:
  - name
  - {field: lower(email), name: plain}
  - {field: domain, name: derived}
  - {field: upper(domain), name: again}
  - {field: is_ours, name: further}
  - {field: boss.domain, name: joined}
  - {field: list(reports.domain), name: listed}
  - {field: reports.domains, name: measured}
  - {field: mails, name: mails}
"""


@pytest.fixture(scope="module")
def sensitivity(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    file = tmp_path_factory.mktemp("project") / "people.yaml"
    file.write_text(PEOPLE, encoding="utf-8")
    problems = Problems()
    project = load_files(file.parent, [file], problems)
    return {c.name: c.sensitivity for c in compile_input(project, "people", "duckdb").columns}


@pytest.mark.parametrize(
    "column", ["plain", "derived", "again", "further", "joined", "listed", "measured", "mails"]
)
def test_what_shows_it_is_sensitive(sensitivity: dict[str, str | None], column: str) -> None:
    assert sensitivity[column] == "confidential"


def test_what_stands_beside_it_is_not(sensitivity: dict[str, str | None]) -> None:
    assert sensitivity["name"] is None
    assert sensitivity["_key_person_id"] is None
