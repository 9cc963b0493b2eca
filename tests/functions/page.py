"""`docs/functions.md`, from the list of portable functions and the rows that show them."""

from __future__ import annotations

from pathlib import Path

from genesis.compile.functions.portable import GROUPS, LIST, Portable
from tests.functions.rows import Row, all_rows, heading

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"

_HEAD = f"""# Portable functions

These {len(LIST)} functions and operators give the same on DuckDB and on Trino, whichever engine a report is compiled for.
They are written in the project's `dialect` and mean what stands here in both. The page is made from
`genesis/compile/functions/portable.py` and from `tests/functions/rows`, whose {{rows}} calls are tried on both engines.

* Unless it says otherwise, a function of NULL is NULL.
* Another function passes to its engine as it is, with the warning `unportable-function`; so does a listed one
  with a pattern, format, unit, zone or path that is not written as a literal, or that engines read differently.
* A function that no engine has is the error `unknown-function`. So is one that the engine compiled for lacks;
  `genesis check`, which compiles for none, warns of it.
* Functions that give another result every time (`random`, `uuid`, the engine's clock) are errors: `nondeterministic`.
"""

_TAIL = """## What engines do not agree on

{differences}

Not listed, since the two could not be made equal, or not at a price worth paying: `cbrt` (27 has the cube root
3.0000000000000004 on DuckDB), `levenshtein_distance` (bytes and characters), `repeat` (text and arrays), `json_value`
and `json_extract` (how JSON is written), `from_iso8601_date` (ISO's weeks), `date_diff` in milliseconds (rounding), `soundex`,
`width_bucket`, `normalize` and `parse_datetime` (Trino alone), floats and timestamps cast to text (how they are written),
`timestamp(p)` with other than six digits, timestamps cast to times (Trino 476 takes a second from those before 1970), patterns that are not literals.

Integers have 64 bits: what does not fit is an error on both engines, but a sum over rows, which is exact. Decimals have 38
digits, and products of decimals are exact to them on both; a product whose scales add up to more than 38 is an error on both.
Two integer literals of 32 bits overflow at 32 bits on both engines: `2147483647 + 1` is an error.
"""


def page() -> str:
    """The page's text."""
    rows = all_rows()
    parts = [_HEAD.format(rows=len(rows))]
    for title, group in GROUPS.items():
        table = [_line(listed, rows) for listed in group]
        header = ["| function | gives | result | example |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {title}", "", *header, *table, ""]))
    left = [f"| `{one.signature}` | {_cell(one.beware)} |" for one in LIST if one.beware]
    table = "\n".join(["| function | left over |", "|---|---|", *left])
    return "\n".join([*parts, _TAIL.format(differences=table)])


def _line(listed: Portable, rows: tuple[Row, ...]) -> str:
    shown = next(row for row in rows if row.call == listed.example and row.name == heading(listed))
    also = "".join(f"; `{name}`" for name in listed.also)
    example = _cell(f"`{shown.call}` is `{shown.value}`")
    return f"| `{_cell(listed.signature)}`{also} | {_cell(listed.gives)} | {listed.result} | {example} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
