"""What names say of keys: which column looks like one, and of which table. PURE.

The values of small whole numbers are among those of any table that counts from 1, so that a join needs a
name that speaks for it. The surprise: a prefix that all columns of a table share (`l_orderkey`) says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from genesis.introspect.facts import Table

_KEY_WORDS = ("id", "key", "sk", "pk", "fk", "uuid", "guid", "code", "no", "nr", "num", "number")
_GENERIC = frozenset(_KEY_WORDS)
_NO_KEYS = frozenset(
    (
        "paid",
        "unpaid",
        "prepaid",
        "valid",
        "invalid",
        "void",
        "avoid",
        "grid",
        "solid",
        "rapid",
        "liquid",
        "hybrid",
        "fluid",
        "turkey",
        "monkey",
    )
)


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: `orderID` is `order`, `id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", " ", name)
    return tuple(spaced.lower().split())


def stem(table: Table, column: str) -> tuple[str, ...]:
    """A column's words without the prefix that all columns of its table share; a key's word stands apart."""
    return _apart(column[len(prefix(column.name for column in table.columns)) :])


def _apart(name: str) -> tuple[str, ...]:
    *before, last = words(name) or ("",)
    for key in ("number", "key", "uuid", "id"):
        if last.endswith(key) and len(last) > len(key) + 1 and last not in _NO_KEYS:
            return (*before, last[: -len(key)], key)
    return (*before, last)


def prefix(names: Iterable[str]) -> str:
    """What all names start with, up to a `_`; nothing where there is but one name."""
    listed = [name.lower() for name in names]
    least, most = (min(listed), max(listed)) if len(listed) > 1 else ("", "")
    same = next(
        (n for n, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least)
    )
    return least[: least.rfind("_", 0, same) + 1]


def is_key_like(table: Table, column: str) -> bool:
    """Whether a column is called as keys are."""
    return _subject(stem(table, column)) is not None


def key_rank(table: Table, column: str) -> int:
    """How much a column's name speaks for it as the key of its own table: 0 the most."""
    found = stem(table, column)
    subject = _subject(found)
    if subject == () or (subject and _names(subject, table)):
        return 0
    return 2 if subject is None else 1


def says(table: Table, column: str, target: Table) -> int:
    """How clearly a key's name says the name of a table: 2 wholly, 1 by its start, 0 not at all."""
    subject = _subject(stem(table, column))
    return _names(subject, target) if subject else 0


def evidence(table: Table, column: str, target: Table, key: str) -> int:
    """How much names speak for a column as naming a row of `target` by its `key`: 0 not at all, 5 the most."""
    stems = {(stem(table, column), stem(target, key)), (_apart(column), _apart(key))}
    return max(_evidence(here, there, target) for here, there in stems)


def _evidence(here: tuple[str, ...], there: tuple[str, ...], target: Table) -> int:
    subject, other = _subject(here), _subject(there)
    if subject is None or other is None:  # a word of its own, such as `country`
        return 3 if here == there and _names(here, target) else 0
    if not subject:
        return 0
    if subject == other or not other:
        named = _names(subject, target)
        return 3 + named if subject == other or named else _by_role(subject, other, target)
    return _by_role(subject, other, target)


def _by_role(subject: tuple[str, ...], other: tuple[str, ...], target: Table) -> int:
    """What speaks for it with a role before it: `home_location_id`."""
    ends = [subject[n:] for n in range(1, len(subject))]
    named = max((_names(end, target) for end in ends if end == other or not other), default=0)
    return named if named or other not in ends else 1


def _subject(found: tuple[str, ...]) -> tuple[str, ...] | None:
    """What a key's name says that it is the key of; nothing of what is not called as keys are."""
    return found[:-1] if found and found[-1] in _GENERIC else None


def _names(subject: tuple[str, ...], table: Table) -> int:
    """Whether words are those of a table's name, in the singular: 2; or start it, as `cust` does `customers`: 1."""
    one, other = (_singular("".join(found)) for found in (subject, words(table.name)))
    return 2 if one == other else int(len(one) >= 4 and other.startswith(one))


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if re.search(r"(s|x|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def role(table: Table, column: str) -> str:
    """What a column calls the row that it names: `home_location_id` a `home_location`."""
    found = stem(table, column)
    return "_".join(found[:-1] if len(found) > 1 and found[-1] in _GENERIC else found)


def snake(name: str) -> str:
    """A name as definitions take it; nothing where none can be made of it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).lower().strip("_")
    if spaced in ("true", "false", "null"):  # YAML reads them as something else
        return f"{spaced}_"
    return f"n{spaced}" if spaced[:1].isdecimal() else spaced
