"""References to secrets (`${env:NAME}`, `${file:PATH}`) -> their values, as late as can be.

What was resolved once is hidden from then on in all that leaves the process.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from genesis.errors import DefinitionError, Problem
from genesis.redaction import hide

_REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")


def resolve_references(text: str, root: Path) -> str:
    """The text with each reference's value. Raises `DefinitionError` where one is not there."""

    def value(match: re.Match[str]) -> str:
        kind, name = match.groups()
        found = _variable(name) if kind == "env" else _file(name, root)
        hide(found)
        return found

    resolved = _REFERENCE.sub(value, text)
    if resolved != text:
        hide(resolved)  # an address whose path or password was a reference
    return resolved


def _variable(name: str) -> str:
    if name not in os.environ:
        message = f"the environment has no `{name}`"
        raise DefinitionError(Problem("wrong-reference", message, hint=f"export {name}=..."))
    return os.environ[name]


def _file(name: str, root: Path) -> str:
    path = root / name
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"`{path}` cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}"
        hint = f"put the secret there, and keep it out of the repository; or let `${{file:{name}}}` name another path"
        raise DefinitionError(Problem("wrong-reference", message, hint=hint)) from error
