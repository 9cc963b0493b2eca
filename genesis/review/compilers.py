"""Which compiler two states of a project pin: another version may compile every report to other SQL.

The pins are looked for in the files where Python projects keep them, and in those of CI that install genesis.
The surprise: no format is parsed. A pin is known by its words, so that one expression reads a requirement
wherever it stands; a pin that is an address (`genesis-trackers @ https://...`) is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

PACKAGES = ("genesis-trackers", "sqlglot")
FILES = (
    "requirements*.txt", "requirements*.in", "constraints*.txt", "pyproject.toml", "uv.lock", "poetry.lock",
    "pdm.lock", "pylock*.toml", "Pipfile", "Pipfile.lock", "Dockerfile", "Jenkinsfile", ".gitlab-ci.yml",
    "requirements/*.txt", "requirements/*.in", ".github/workflows/*.yml", ".github/workflows/*.yaml",
)  # fmt: skip

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)


class Repin(NamedTuple):
    """A pin of one file that is another now; without one there, None."""

    package: str
    file: str
    before: str | None
    after: str | None


def repins(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Repin, ...]:
    """The pins that differ between the files of two states, those of genesis first."""
    return tuple(_repins(before, after))


def _repins(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Repin]:
    for package in PACKAGES:
        for file in sorted({*before, *after}):
            was, now = (_pin(side.get(file, ""), package) for side in (before, after))
            if was != now:
                yield Repin(package, file, was, now)


def _pin(text: str, package: str) -> str | None:
    """What a file asks of a package, `==` left out: `0.8.0`, `>=30,<31`."""
    name = r"[-_.]".join(map(re.escape, package.split("-")))
    version = r"[=~!<>]=?=?\s*[\w.*+!-]+"
    forms = (
        rf"(?<![\w./-]){name}(?:\[[^\]\n]*\])?\s*\(?({version}(?:\s*,\s*{version})*)",  # a requirement
        rf'^name = "{name}"\s+version = "([^"\n]+)"',  # a lock file in TOML
        rf'^"?{name}"?\s*=\s*(?:\{{[^}}\n]*?version\s*=\s*)?"([^"\n]+)"',  # Pipfile, and Poetry's table
        rf'"{name}":\s*\{{[^}}]*?"version":\s*"([^"\n]+)"',  # Pipfile.lock
    )
    plain = _COMMENT.sub("", text)
    found = (re.findall(form, plain, re.IGNORECASE | re.MULTILINE) for form in forms)
    pins = dict.fromkeys(
        re.sub(r"\s", "", pin).removeprefix("==") for each in found for pin in each
    )
    return " and ".join(pins) or None


def said(repin: Repin, compiler: str) -> str:
    """What another pin means for all trackers, in a sentence."""
    what, was = f"`{repin.package}` in `{repin.file}`", f"was `{repin.before}`"
    if repin.before is None:
        edit = f"{what} is pinned to `{repin.after}`, and was not pinned there"
    elif repin.after is None:
        edit = f"{what} is not pinned any more, and {was}"
    else:
        edit = f"{what} is `{repin.after}`, and {was}"
    return (
        f"{edit}: every tracker may get other SQL by it. That is not part of this comparison, which compiles"
        f" both sides with {compiler}"
    )


# What shows it, since what the other version gave is written nowhere.
SEE_IT = "`genesis compile --all --out DIR` with either version, then `git diff --no-index` of the two folders"
