"""Reports taken over in a test: a project of definitions, an engine, and SQL."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from genesis.engines.copies import CopiesEngine
from genesis.errors import Problems
from genesis.folders import yaml_files
from genesis.interfaces import Engine
from genesis.load import load_files
from genesis.run.importing import Imported, Importer, Script
from genesis.spec.project import Project


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
    texts = {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in own}
    with tempfile.TemporaryDirectory() as folder:

        def overlay(files: Mapping[str, str]) -> Project:
            for name, text in files.items():
                if name not in texts:
                    place = Path(folder, name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(text, encoding="utf-8")
            changed = {name: text for name, text in files.items() if name in texts}
            return load_files(root, [*own, Path(folder)], Problems(), texts=changed)

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
