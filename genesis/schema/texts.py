"""What each key means, with an example: the text that stands below it in its model.

`genesis.spec` says it in a string below the attribute, which Python forgets while it compiles, so
that no command pays for it. Here it is read from the source again.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from genesis.spec.model import Model


class Text(NamedTuple):
    """A key's meaning, and YAML that shows it."""

    meaning: str
    example: str


def texts_of(model: type[Model]) -> Mapping[str, Text]:
    """The text of each of a model's attributes, inherited ones included."""
    found: dict[str, Text] = {}
    for part in reversed(model.__mro__):
        if issubclass(part, Model):
            found |= _texts_in(part.__module__).get(part.__name__, {})
    return found


@functools.cache
def _texts_in(module: str) -> Mapping[str, Mapping[str, Text]]:
    """The texts of a module's classes, by class and attribute."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _texts(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _texts(model: ast.ClassDef) -> dict[str, Text]:
    texts = {}
    for attribute, below in zip(model.body, model.body[1:], strict=False):
        match attribute, below:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = _text(text)
    return texts


def _text(written: str) -> Text:
    """`Meaning: `example`.` in its two parts."""
    line = " ".join(written.split())
    parts = re.fullmatch(r"(.+): `([^`]+)`\.", line)
    return Text(f"{parts[1]}.", parts[2]) if parts else Text(line, "")
