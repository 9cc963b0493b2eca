"""Google's own description of its APIs: which calls there are, and what a body may hold.

The documents are those inside `google-api-python-client` (Apache-2.0), read from the installed
package, so what is accepted here is what Google publishes. Like Google's JSON, null means unset, a
number may come as text, and a name may be written in snake_case.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from genesis.testing.sheets.answers import Json, bad
from genesis.testing.sheets.masks import Mask, camel

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}


@dataclass(frozen=True, slots=True)
class Method:
    """A call that an API has, such as `sheets.spreadsheets.get`."""

    id: str
    verb: str
    pattern: re.Pattern[str]
    parameters: Json
    request: str | None
    response: str | None


class Api:
    """One discovery document."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["schemas"]
        self._common: Json = document["parameters"]
        self._base: str = document["servicePath"]
        # Drive lets names pass that it does not know: gspread sends one that it had in v2.
        self.lenient: bool = document["name"] == "drive"
        found = sorted(_methods(document), key=lambda method: -len(method["path"]))
        # The longest path first: `values/{range}:append` must be tried before `values/{range}`.
        self.methods = tuple(self._method(method) for method in found)

    def _method(self, method: Json) -> Method:
        return Method(
            id=method["id"],
            verb=method["httpMethod"],
            pattern=_pattern(self._base + method["path"]),
            parameters=self._common | method.get("parameters", {}),
            request=method.get("request", {}).get("$ref"),
            response=method.get("response", {}).get("$ref"),
        )

    def body(self, schema: str, value: Any) -> Json:
        """A body as Google reads it: unset members gone. Raises `ApiError` for what it refuses."""
        return self._object(self._schemas[schema], value, "")

    def check_mask(self, schema: str, mask: Mask) -> str | None:
        """The first path of a mask that the schema has no field for, or None."""
        return self._stray(self._schemas[schema], mask, "")

    def _stray(self, schema: Json, mask: Mask, path: str) -> str | None:
        schema = self._target(schema)
        for name, deeper in mask.items():
            if name == "*" or "additionalProperties" in schema:
                continue
            inner = schema.get("properties", {}).get(name)
            if inner is None:
                return path + name
            if stray := self._stray(inner, deeper, f"{path}{name}."):
                return stray
        return None

    def _target(self, schema: Json) -> Json:
        while "$ref" in schema or "items" in schema:
            schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
        return schema

    def _value(self, schema: Json, value: Any, path: str) -> Any:
        if "$ref" in schema:
            return self._object(self._schemas[schema["$ref"]], value, path)
        kind = schema.get("type", "any")
        if kind == "array":
            if not isinstance(value, list):
                raise _invalid(path, "list", value)
            inner = schema["items"]
            if inner.get("items", inner).get("type") == "any":
                # Plain values, a million of them perhaps, with nothing to check about them.
                return value
            return [self._value(inner, item, f"{path}[{at}]") for at, item in enumerate(value)]
        if kind == "object":
            return self._object(schema, value, path)
        return value if kind == "any" else _scalar(schema, kind, value, path)

    def _object(self, schema: Json, value: Any, path: str) -> Json:
        if not isinstance(value, dict):
            raise _invalid(path, schema.get("id", "object"), value)
        properties = schema.get("properties")
        result: Json = {}
        for name, item in value.items():
            if properties is None:
                inner = schema.get("additionalProperties", {})
            else:
                inner = properties.get(name)
                if inner is None:
                    name = camel(name)
                    inner = properties.get(name)
                if inner is None and self.lenient:
                    continue
                if inner is None:
                    raise _unknown(name, path)
            if item is not None:
                below = f"{path}.{_snake(name)}" if path else _snake(name)
                result[name] = self._value(inner, item, below)
        return result


@cache
def api(name: str) -> Api:
    """The document of an API, such as `sheets.v4`."""
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or not spec.submodule_search_locations:
        message = "the emulator of Google Sheets needs `google-api-python-client`: it has Google's description of the API"
        raise ModuleNotFoundError(message + " (pip install 'genesis-trackers[emulators]')")
    folder = Path(spec.submodule_search_locations[0]) / "discovery_cache" / "documents"
    return Api(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def _methods(resource: Json) -> list[Json]:
    found = list(resource.get("methods", {}).values())
    for inner in resource.get("resources", {}).values():
        found += _methods(inner)
    return found


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{\+?(\w+)\}", path)
    text = "".join(
        f"(?P<{part}>[^/]+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )
    return re.compile(text)


def _scalar(schema: Json, kind: str, value: Any, path: str) -> Any:
    match kind, value:
        case "boolean", bool():
            return value
        case "string", str():
            if "enum" in schema and value not in schema["enum"]:
                raise _invalid(path, "enum", value)
            return value
        case "integer", (int() | float() | str()) if not isinstance(value, bool):
            return _integer(schema.get("format", "int32"), value, path)
        case "number", (int() | float() | str()) if not isinstance(value, bool):
            try:
                return float(value)
            except ValueError:
                raise _invalid(path, "TYPE_DOUBLE", value) from None
    raise _invalid(path, f"TYPE_{kind.upper()}", value)


def _integer(size: str, value: Any, path: str) -> int:
    low, high = _INTEGERS.get(size, (-(2**63), 2**63 - 1))
    try:
        number = float(value)
    except ValueError:
        raise _invalid(path, f"TYPE_{size.upper()}", value) from None
    if not number.is_integer() or not low <= number <= high:
        raise _invalid(path, f"TYPE_{size.upper()}", value)
    return int(value) if isinstance(value, (int, str)) else int(number)


def _invalid(path: str, kind: str, value: Any) -> Exception:
    shown = json.dumps(value) if not isinstance(value, (dict, list)) else "a list or an object"
    return bad(f"Invalid value at '{path}' ({kind}), {shown}")


def _unknown(name: str, path: str) -> Exception:
    place = f" at '{path}'" if path else ""
    return bad(f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", lambda match: "_" + match[1].lower(), name)
