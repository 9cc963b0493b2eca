"""`cron:` of a schedule: what is wrong with its five fields, long before it is due.

As Debian's cron reads them, and `H`: a moment that the workflow's name chooses, so that not all start at
once. When it is due is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON_FIELDS: Mapping[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "day": (1, 31, ()),
    "month": (1, 12, _MONTHS),
    "weekday": (0, 7, _WEEKDAYS),
}
# `*`, `H` (spread by the workflow's name), a number or name, a range; each with a step or not.
_CRON_PART = re.compile(
    r"(?:\*|h(?:\((\w+)-(\w+)\))?|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?", re.IGNORECASE
)
_CRON_LAST = {
    "day": re.compile(r"lw?", re.IGNORECASE),
    "weekday": re.compile(r"[0-7](l|#[1-5])", re.IGNORECASE),
}


def cron_fault(text: str) -> str | None:
    """What is wrong with the five fields, or `None`."""
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        return f"`cron` has {len(fields)} field{'' if len(fields) == 1 else 's'}, not five"
    for kind, field in zip(_CRON_FIELDS, fields, strict=True):
        for part in field.split(","):
            if not _is_cron_part(part, kind):
                return f"`{part}` is no {kind} in `cron`"
    return None


def _is_cron_part(part: str, kind: str) -> bool:
    if kind in _CRON_LAST and _CRON_LAST[kind].fullmatch(part):
        return True
    low, high, names = _CRON_FIELDS[kind]
    match = _CRON_PART.fullmatch(part)
    if match is None:
        return False
    ends = [end.lower() for end in match.groups()[:4] if end is not None]
    numbers = [
        names.index(end) + low if end in names else int(end) if end.isdecimal() else -1
        for end in ends
    ]
    return numbers == sorted(numbers) and all(low <= number <= high for number in numbers)
