"""The parameters of an input: each one's value, as given or by default, checked against its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from genesis.compile.compare import typed_literal
from genesis.compile.run import Run
from genesis.errors import Location, Problems, nearest, suggest
from genesis.spec.input import Input, Parameter


def parameter_values(definition: Input, run: Run, problems: Problems) -> Mapping[str, Any] | None:
    """Each parameter's value; `None` where the input is only checked, or one of them is wrong."""
    given = dict(run.parameters or {})
    values = {}
    for name, parameter in definition.parameters.items():
        at = partial(definition.locate_key, "parameters", name)
        if not _is_of_one_value(name, parameter, definition, problems):
            continue
        if parameter.default is not None:
            default_at = partial(definition.locate, "parameters", name, "default")
            check_value(name, parameter.default, parameter, default_at, problems)
        value = given.pop(name, parameter.default)
        if value is None and run.parameters is not None:
            way_out = (
                f"`--param {name}=...`, or `parameters:` of the job; a `default` serves everywhere"
            )
            problems.add("wrong-parameter", f"parameter `{name}` has no value", at(), hint=way_out)
        elif value is not None and value is not parameter.default:
            check_value(name, value, parameter, at, problems)
        values[name] = value
    for name in given.keys() - definition.parameters.keys():
        message = f"input `{definition.name}` has no parameter `{name}`"
        hint = suggest(name, definition.parameters)
        problems.add("unknown-parameter", message, definition.locate_name(), hint=hint)
    return None if run.parameters is None or problems.errors else values


def _is_of_one_value(
    name: str, parameter: Parameter, definition: Input, problems: Problems
) -> bool:
    if parameter.type.name not in ("array", "json"):
        return True
    message = f"parameter `{name}` is one value, and {parameter.type} is none"
    at = definition.locate("parameters", name, "type")
    problems.add("wrong-parameter", message, at)
    return False


def check_value(
    name: str, value: Any, parameter: Parameter, at: Callable[[], Location], problems: Problems
) -> None:
    """Tell where a value is none that the parameter may have."""
    try:
        literal = typed_literal(value, parameter.type)
        allowed = [typed_literal(choice, parameter.type) for choice in parameter.values or ()]
    except ValueError:
        message = f"`{value}` is no {parameter.type} for parameter `{name}`"
        problems.add("wrong-parameter", message, at())
        return
    if parameter.values is not None and literal not in allowed:
        listed = ", ".join(f"`{choice}`" for choice in parameter.values)
        close = nearest(str(value), map(str, parameter.values))
        hint = f"did you mean `{close}`?" if close else f"one of {listed}"
        message = f"`{value}` is none of parameter `{name}`'s values"
        problems.add("wrong-parameter", message, at(), hint=hint)
