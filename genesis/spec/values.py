"""The small values of definitions: names, types, lengths of time, zones, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from genesis.errors import Meant, did_you_mean, nearest
from genesis.spec.types import MAX_PRECISION, PLAIN, Type, parse_type

T = TypeVar("T")


def mistake(
    code: str,
    message: str,
    hint: str | None = None,
    *,
    key: str | None = None,
    lacks: tuple[str, ...] = (),
) -> PydanticCustomError:
    """An error for a validator to raise: it becomes a problem at the validated value's place.

    `{it}` at the start of a message is what stands there. In a mapping `key` says whose value is
    meant; `lacks` names keys, one of which is missing.
    """
    # The message travels beside the template, since braces in it would be read as placeholders.
    context = {"message": message, "hint": hint, "key": key, "lacks": lacks}
    return PydanticCustomError(code, "{message}", context)


def lacking(*keys: str, hint: str | None = None) -> PydanticCustomError:
    """The error of a mapping that needs one of some keys and has none."""
    return mistake("missing-key", "", hint, lacks=keys)


def exactly_one(data: Mapping[str, Any], *keys: str) -> Iterator[PydanticCustomError]:
    """The error, if any, of a mapping that needs just one of some keys."""
    given = [key for key in keys if key in data]
    if not given:
        yield lacking(*keys)
    elif len(given) > 1:
        yield from exclusive(data, *keys)


def exclusive(data: Mapping[str, Any], *keys: str) -> Iterator[PydanticCustomError]:
    """The error, if any, of a mapping with several of some keys."""
    first, *more = [key for key in data if key in keys] or [""]
    if more:
        message = f"`{first}` and `{more[0]}` exclude one another"
        yield mistake("conflicting-keys", message, "remove one of them", key=more[0])


def together(data: Mapping[str, Any], key: str, other: str) -> Iterator[PydanticCustomError]:
    """The error, if any, of a mapping with a key that says nothing without another."""
    if key in data and other not in data:
        yield mistake("conflicting-keys", f"`{key}` goes with `{other}`", key=key)


def describe(value: Any) -> str:
    """A value as messages show it."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str() if len(value) > _WIDEST:
            return f"`{value[:_WIDEST]}…`"
        case _:
            return f"`{value}`"


_WIDEST = 60  # characters of a value in a message


def either(names: Iterable[str]) -> str:
    """Names as one of them is to be chosen: `a`, `b` or `c`."""
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} or {last}" if most else last


def listed(names: Iterable[str]) -> str:
    return "one of " + ", ".join(f"`{name}`" for name in sorted(names))


def _name(value: Any) -> Any:
    if not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, int | float) else None
        raise mistake("wrong-type", f"a name should be text, not {describe(value)}", hint)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        message = (
            f"{describe(value)} is no name: lower case letters, digits and `_`, a letter first"
        )
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", value)
        suggestion = words.lower().strip("_")
        hint = f"for example `{suggestion}`" if suggestion[:1].isalpha() else None
        raise mistake("wrong-name", message, hint)
    return value


@dataclass(frozen=True)
class ShortForm:
    """What brings the text that may stand for a mapping, and is its `key`, to that mapping."""

    key: str

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str | dict):
            message = f"{{it}} should be text or a mapping (`key: value`), not {describe(value)}"
            raise mistake("wrong-type", message)
        return {self.key: value} if isinstance(value, str) else value


def short_form(key: str) -> BeforeValidator:
    """The validator of what may be written as a mapping, or as the text that is its `key`."""
    return BeforeValidator(ShortForm(key))


def _type(value: Any) -> Any:
    if not isinstance(value, str):
        raise mistake("wrong-type", f"{{it}} should be a type, not {describe(value)}")
    parsed = parse_type(value)
    if parsed is None:
        raise mistake("unknown-type", f"unknown type {describe(value)}", _type_hint(value))
    return parsed


_OTHER_NAMES = {
    **dict.fromkeys(("varchar", "char", "text", "str"), "string"),
    **dict.fromkeys(("int", "bigint", "smallint", "number", "long"), "integer"),
    **dict.fromkeys(("double", "real"), "float"),
    **dict.fromkeys(("decimal", "numeric"), "decimal(18,2)"),
    **dict.fromkeys(("bool", "logical"), "boolean"),
    **dict.fromkeys(("datetime", "timestamp without time zone"), "timestamp"),
    **dict.fromkeys(("instant", "timestamp with time zone"), "timestamptz"),
}


# Whole numbers or not, how many digits, with a zone or without: a person knows.
_GUESSES = frozenset({"number", "decimal", "numeric", "datetime", "instant"})


def _type_hint(text: str) -> str:
    """The type that is meant, in whatever words."""
    if match := re.fullmatch(r"array[(<](.+)[)>]", text):
        close = nearest(match[1], PLAIN) or _OTHER_NAMES.get(match[1])
        return f"did you mean `array({close or 'string'})`?"
    if re.fullmatch(r"decimal\(.*", text):
        return f"`decimal(p,s)` has p digits, at most {MAX_PRECISION}, s of them after the point"
    known = _OTHER_NAMES.get(text.lower())
    if known and text.lower() not in _GUESSES:
        return Meant(text, known)
    hint = f"did you mean `{known}`?" if known else did_you_mean(text.lower(), PLAIN)
    return hint or listed([*PLAIN, "decimal(p,s)", "array(T)"])


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"(\d{1,6})([smhdw])", value) if isinstance(value, str) else None
    if match is None:
        message = f"{{it}} should be a length of time, not {describe(value)}"
        raise mistake("wrong-type", message, "a number and a unit: `30s`, `15m`, `2h`, `7d`")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def short_duration(length: timedelta) -> str:
    """A length of time as definitions write it, in the largest unit that is whole."""
    units = (("w", 7 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    seconds = int(length.total_seconds())
    unit, size = next((unit, size) for unit, size in units if seconds % size == 0)
    return f"{seconds // size}{unit}"


def parse_moment(text: str) -> datetime:
    """An ISO moment in UTC; without a zone it is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _time_of_day(value: Any) -> Any:
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        message = f"{{it}} should be a time of day, not {describe(value)}"
        raise mistake("wrong-type", message, "hours and minutes: `09:00`, `17:30`")
    return time(int(match[1]), int(match[2]))


def _timezone(value: Any) -> Any:
    if not isinstance(value, str):
        raise mistake("wrong-type", f"{{it}} should be a time zone, not {describe(value)}")
    if not _is_timezone(value):
        hint = _zone_hint(value) or "a name of the IANA database, such as `America/Los_Angeles`"
        raise mistake("unknown-timezone", f"unknown time zone {describe(value)}", hint)
    return value


def _zone_hint(text: str) -> str | None:
    """The zone that is meant, by its name or its city's."""
    zones = sorted(zone for zone in available_timezones() if "/" in zone)
    city = text.strip().replace(" ", "_").lower()
    found = next((zone for zone in zones if zone.lower().endswith(f"/{city}")), None)
    return did_you_mean(text, [found] if found else zones, cutoff=0 if found else 0.8)


def _is_timezone(name: str) -> bool:
    """Whether there is such a zone. To list them all walks hundreds of files: only a hint is worth that."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return not name.startswith(("posix", "right"))


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise mistake("wrong-type", f"{{it}} should be one value, not {describe(value)}")
    return value


def _one_or_many(value: Any) -> Any:
    if not isinstance(value, str | list | tuple):
        raise mistake(
            "wrong-type", f"{{it}} should be text or a list (`- item`), not {describe(value)}"
        )
    return [value] if isinstance(value, str) else value


REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
_PASSWORD = re.compile(r"://[^/@:]*:[^/@]+@")


def _reference(value: Any) -> Any:
    """A text that may hold references to secrets, each of an allowed form, and no password."""
    if not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, int | float) else None
        raise mistake("wrong-type", f"{{it}} should be text, not {describe(value)}", hint)
    for match in re.finditer(r"\$\{([^}]*)\}?", value):
        reference = REFERENCE.fullmatch(match.group())
        if reference is None:
            is_name = re.fullmatch(r"[A-Za-z_]\w*", match[1])
            hint = f"did you mean `${{env:{match[1]}}}`?" if is_name else _FORMS
            raise mistake("wrong-reference", f"`{match.group()}` refers to nothing", hint)
        if reference[1] == "file" and ".." in reference[2].split("/"):
            message = f"`{match.group()}` leads out of the project"
            hint = "an absolute path, or one below the project's root"
            raise mistake("wrong-reference", message, hint)
    if _PASSWORD.search(REFERENCE.sub("", value)):
        raise clear_secret("a password")
    return value


_FORMS = "`${env:NAME}` or `${file:PATH}`"


def clear_secret(what: str, *, key: str | None = None) -> PydanticCustomError:
    """The error of a secret that stands in a file."""
    return mistake("clear-secret", f"{what} stands in clear", f"refer to it: {_FORMS}", key=key)


def _secret(value: Any) -> Any:
    if not REFERENCE.search(_reference(value)):
        raise clear_secret("{it}")
    if not REFERENCE.fullmatch(value):
        raise mistake(
            "wrong-reference", "{it} should be a reference alone", "put all of it in the secret"
        )
    return value


Scalar = Annotated[str | int | float | bool | None, BeforeValidator(_scalar)]
Name = Annotated[str, BeforeValidator(_name)]
TypeName = Annotated[Type, BeforeValidator(_type)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Timezone = Annotated[str, BeforeValidator(_timezone)]
Items = Annotated[tuple[T, ...], Field(strict=False)]
OneOrMany = Annotated[tuple[T, ...], Field(strict=False), BeforeValidator(_one_or_many)]
OneOrMore = Annotated[
    tuple[T, ...], Field(strict=False, min_length=1), BeforeValidator(_one_or_many)
]
Reference = Annotated[str, BeforeValidator(_reference)]
Secret = Annotated[str, BeforeValidator(_secret)]
