"""Plug-ins by kind and name, through entry points; our own engines and sinks use the same door."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from genesis.errors import GenesisError, Problem, did_you_mean


def find_plugin(kind: str, name: str) -> Any:
    """What the entry point `name` of the group `genesis.<kind>` names. Raises `GenesisError`."""
    found = {point.name: point for point in entry_points(group=f"genesis.{kind}")}
    if name not in found:
        hint = did_you_mean(name, found) or _install(name)
        raise GenesisError(
            Problem("unknown-plugin", f"no {kind[:-1]} is called `{name}`", hint=hint)
        )
    return _load(found[name])


def _install(name: str) -> str:
    return f"a package that brings `{name}` is not installed, or this version has none yet"


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except ImportError as error:
        message = f"`{point.name}` cannot be loaded: {error}"
        hint = _EXTRAS.get(str(error.name)) or _install(point.name)
        raise GenesisError(Problem("unknown-plugin", message, hint=hint)) from error


# What some plug-ins of ours need and only some people want.
_EXTRAS = {"trino": "pip install 'genesis-trackers[trino]'"}
