"""What `genesis init --ci` and `--pre-commit` write into a project: files of people's, from then on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

import click

_SCRIPTS = {"ci/genesis.sh": "genesis.sh"}
_COMMENT = {"ci/comment.sh": "comment.sh"}
SERVICES = {
    "github": {".github/workflows/genesis.yml": "github.yml", **_SCRIPTS, **_COMMENT},
    "gitlab": {".gitlab-ci.yml": "gitlab.yml", **_SCRIPTS, **_COMMENT},
    "jenkins": {"Jenkinsfile": "Jenkinsfile", **_SCRIPTS},
}
PRE_COMMIT = {".pre-commit-config.yaml": "pre-commit.yaml"}


def write_templates(folder: Path, wanted: dict[str, str]) -> None:
    """Write files of templates; of one that is there already, say what it would have held."""
    for name, template in wanted.items():
        file, text = folder / name, _text(template)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            click.echo(f"wrote {file}", err=True)
        elif file.read_text(encoding="utf-8") == text:
            click.echo(f"{file} is as it should be", err=True)
        else:
            click.echo(f"{file} is there, and is left as it is; it would have been:", err=True)
            click.echo(text, nl=False)


def _text(template: str) -> str:
    text = (files("genesis") / "templates" / template).read_text(encoding="utf-8")
    return text.replace("REQUIREMENT", _requirement())


def _requirement() -> str:
    """This version: another one may compile other SQL, which would be no change of the pull request's."""
    try:
        return f"genesis-trackers=={version('genesis-trackers')}"
    except PackageNotFoundError:
        return "genesis-trackers"
