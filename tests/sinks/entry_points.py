"""The plug-ins of this project as they stand in its `pyproject.toml`, for tests of whole commands."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def installed(tmp_path: Path) -> str:
    """The project's own entry points, whether or not it was installed since they were written."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = tmp_path / "site" / "genesis_trackers-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n"
    )
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items())
        for group, points in groups
    ]
    (folder / "entry_points.txt").write_text("".join(lines))
    return str(folder.parent)
