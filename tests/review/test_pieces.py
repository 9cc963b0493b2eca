"""What a report may rest on is read off names, and misses nothing that its compiled plan comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.compile.run import Run
from genesis.errors import Problems
from genesis.load import load_files, load_project
from genesis.review.lineage import lineages
from genesis.review.pieces import Piece, Pieces

ROOT = Path(__file__).parents[2]
STUDIO = load_project(ROOT, Problems())
CASES = sorted((ROOT / "tests" / "fixtures" / "cases").iterdir())
KINDS = {"field": "field", "measure": "measure", "set": "set", "formatter": "formatter"}


@pytest.mark.parametrize("name", STUDIO.inputs)
def test_a_report_of_the_studio_rests_on_all_that_its_lineage_names(name: str) -> None:
    used = {(piece.kind, str(piece)) for piece in Pieces(STUDIO).used_by(STUDIO.inputs[name])}
    for lineage in lineages(STUDIO, name, Run(None)):
        named = {(step.kind, step.name) for step in lineage.value.walk() if step.kind in KINDS}
        assert {one for one in named if one[1] != "labels"} <= used


def test_every_case_rests_on_all_that_its_lineage_names() -> None:
    for folder in CASES:
        problems = Problems()
        project = load_files(folder, [folder / "definitions", folder / "input.yaml"], problems)
        name = next(iter(project.inputs))
        used = {str(piece) for piece in Pieces(project).used_by(project.inputs[name])}
        for lineage in lineages(project, name, Run(None)):
            columns = {
                step.name for step in lineage.value.walk() if step.kind in ("table column", *KINDS)
            }
            known = {
                f"{one}.{field}"
                for one in project.data_sources
                for field in project.data_sources[one].fields
            }
            assert (columns & known) <= used, folder.name


def test_joins_are_followed_no_further_than_names_lead() -> None:
    used = Pieces(STUDIO).used_by(STUDIO.inputs["film_library"])
    assert {piece.owner for piece in used if piece.kind == "data source"} == {"movie", "production"}
    assert Piece("join", "movie", "productions") in used
    assert not any(piece.kind == "join" and piece.owner == "production" for piece in used)
