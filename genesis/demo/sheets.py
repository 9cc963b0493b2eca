"""A project of the studio's whose trackers are tabs of one Google spreadsheet.

It has the studio's definitions and inputs, and two trackers of its own: what a person keeps an eye on
is few columns wide, with a place for decisions and remarks.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from genesis.demo.events import Wave, waves, write_wave
from genesis.demo.studio import SEED, studio_files

WORKFLOW = Path("workflows") / "sheets.yaml"
# What the two trackers read; the other half of the studio's events would only be waited for.
SOURCES = ("location", "movie", "person", "production", "note", "task")

_SLATE = """\
input: slate
title: Slate
description: What is in preparation or shooting, in the columns that a producer looks at.
source: production
fields:
  - code
  - {field: movie.title, label: Film}
  - status
  - start_date
  - {field: line_producer.full_name, label: Line producer}
  - budget
  - open_tasks
  - {field: last_note.text, label: Last note}
filters:
  - status in ('PREP', 'SHOOT')
sort: [start_date, code]
"""

_URGENT = """\
input: urgent
title: Urgent tasks
source: task
fields:
  - task_id
  - title
  - status
  - due_date
  - {field: assignee.full_name, label: Assigned to}
  - {field: production.code, label: Production}
filters:
  - status <> 'DONE'
  - priority = 1
  - production.status in ('PREP', 'SHOOT')
sort: [due_date, task_id]
"""

_WORKFLOW = """\
workflow: sheets
owner: production@studio.example.com
jobs:
  - refresh: slate
    to: {{google_sheets: {{spreadsheet: {spreadsheet}, tab: Slate}}}}
    annotations: # columns for people: genesis makes them, reads them, and never writes into them
      decision: {{type: string, values: [go, wait, stop]}}
      remarks: string
  - refresh: urgent
    to: {{google_sheets: {{spreadsheet: {spreadsheet}, tab: Urgent}}}}
    max_deletes: 40% # tasks get done; fewer rows are no reason to ask
    annotations: {{remarks: string}}
"""


def is_sheets_project(folder: Path) -> bool:
    """Whether `write_project` has been here."""
    return (folder / WORKFLOW).is_file()


def write_project(folder: Path, *, anchor: date) -> None:
    """Write all but what only the emulator knows: `point_at` does that."""
    source = studio_files()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("definitions", "inputs"):
        shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    (folder / "inputs" / "slate.yaml").write_text(_SLATE, encoding="utf-8")
    (folder / "inputs" / "urgent.yaml").write_text(_URGENT, encoding="utf-8")
    (folder / ".gitignore").write_text(".genesis/\nevents/\n", encoding="utf-8")
    history, _ = waves(SEED, anchor)
    wanted = {source: history.lines[source] for source in SOURCES}
    write_wave(Wave(history.name, wanted), folder / "events" / history.name)


def point_at(folder: Path, *, endpoint: str, spreadsheet: str) -> None:
    """Point the project's trackers at a spreadsheet."""
    settings = (studio_files() / "genesis.yaml").read_text(encoding="utf-8").rstrip()
    sinks = (
        f"sinks:\n  google_sheets: {{endpoint: {endpoint}}} # the emulator; without it, Google\n"
    )
    (folder / "genesis.yaml").write_text(f"{settings}\n{sinks}", encoding="utf-8")
    (folder / WORKFLOW).parent.mkdir(exist_ok=True)
    workflow = _WORKFLOW.format(spreadsheet=spreadsheet)
    (folder / WORKFLOW).write_text(workflow, encoding="utf-8")
