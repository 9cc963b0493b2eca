"""YAML as a person would write it: plain where that is safe, in one line where that is short."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w.()*/+ %-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def scalar(value: Any) -> str:
    """A value, in quotes where YAML would read another."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text == text.strip():
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A mapping or list in one line; a mapping of one field is the field."""
    if isinstance(value, Mapping):
        if list(value) == ["field"]:
            return scalar(value["field"])
        return "{" + ", ".join(f"{key}: {_inner(one)}" for key, one in value.items()) + "}"
    return _inner(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_inner(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inner, value))}]"
    return scalar(value)
