"""Reports taken over in a test: a project of definitions, an engine, and SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from genesis.engines.copies import CopiesEngine
from genesis.errors import Problems
from genesis.folders import yaml_files
from genesis.interfaces import Engine
from genesis.load import load_files
from genesis.run.importing import Imported, Importer, Script, overlaid


def take_over(
    scripts: Sequence[Script],
    engine: Engine | None,
    *,
    definitions: Path | None = None,
    dialect: str = "trino",
    parameters: Mapping[str, str] | None = None,
    most_copied: int = 400,
) -> Imported:
    """What becomes of reports."""
    root = definitions.parent if definitions else Path("/nowhere")
    own = list(yaml_files(definitions)) if definitions else []
    with overlaid(root, own) as (overlay, texts):
        importer = Importer(
            load_files(root, own, Problems()),
            overlay,
            texts,
            engine,
            CopiesEngine.of_tables,
            dialect,
            datetime(2026, 11, 23, 12, tzinfo=UTC),
            parameters or {},
            most_copied=most_copied,
        )
        return importer.run(scripts, lambda _: None)
