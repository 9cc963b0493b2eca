"""What differs between two compilations of one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class Run:
    """One reading of a report.

    `moment` fixes `now()` and `today()`, which are the engine's clock without it; with `as_of`,
    newest records are those of that moment too. `parameters` are values by name, as text or typed;
    `None` where an input is only checked. `limit` caps the rows beyond the input's own. `staged` says that the engine runs setup statements,
    `views` that newest records are read from the engine's views of them, which know of no `as_of`.
    Where it `repeats`, a record of nothing but its key may come several times, for whoever makes a set of them.
    `dialect` is the engine's, where it is known: what it lacks is an error then.
    """

    parameters: Mapping[str, Any] | None = field(default_factory=dict)
    moment: datetime | None = None
    as_of: bool = False
    render: Literal["native", "text"] = "native"
    limit: int | None = None
    staged: bool = False
    views: bool = False
    repeats: bool = False
    dialect: str | None = None
