"""What goes wrong between us and a Trino server, as problems with the query's id and link."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import requests
from trino import exceptions

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.spec.project import TrinoTarget

# Trino's names for what another try may not meet again.
_PASSING = frozenset(
    [
        "ADMINISTRATIVELY_PREEMPTED",
        "CLUSTER_OUT_OF_MEMORY",
        "NO_NODES_AVAILABLE",
        "PAGE_TRANSPORT_ERROR",
        "PAGE_TRANSPORT_TIMEOUT",
        "QUERY_QUEUE_FULL",
        "REMOTE_HOST_GONE",
        "REMOTE_TASK_ERROR",
        "REMOTE_TASK_MISMATCH",
        "SERVER_SHUTTING_DOWN",
        "SERVER_STARTING_UP",
        "TOO_MANY_REQUESTS_FAILED",
    ]
)

MISSING = frozenset(["SCHEMA_NOT_FOUND", "TABLE_NOT_FOUND"])
"""What Trino calls a table that is not there."""

OUTGROWN = frozenset(["INVALID_VIEW", "VIEW_IS_STALE"])
"""What it calls a view that its table has outgrown."""

_CODES = {
    **dict.fromkeys(MISSING, "unknown-table"),
    "CATALOG_NOT_FOUND": "unknown-table",
    "COLUMN_NOT_FOUND": "unknown-column",
    "PERMISSION_DENIED": "access-refused",
}

_UNREADABLE = "Trino has to find the files of the target's `warehouse` under the same names: `fs.*` and `local.location` of its catalog say what it reads"
_ANOTHER_CATALOG = "Trino's catalog is to be the one of the target's `catalog`: both have one `catalog-name` in one database, and no table there has capitals in its name"
_WAYS_OUT = {
    **dict.fromkeys(MISSING, _ANOTHER_CATALOG),
    **dict.fromkeys(
        ["ICEBERG_CANNOT_OPEN_SPLIT", "ICEBERG_FILESYSTEM_ERROR", "ICEBERG_MISSING_METADATA"],
        _UNREADABLE,
    ),
    **dict.fromkeys(OUTGROWN, "`genesis views apply` writes views of newest records anew"),
    "CATALOG_NOT_FOUND": "`catalog` of the target's `engine` in `genesis.yaml` is to be what the server calls it: `SHOW CATALOGS` there lists them",
    **dict.fromkeys(
        ["EXCEEDED_GLOBAL_MEMORY_LIMIT", "EXCEEDED_LOCAL_MEMORY_LIMIT"],
        "`query.max-memory` and `query.max-memory-per-node` of the server are more, or ask for less",
    ),
    "EXCEEDED_TIME_LIMIT": "`timeout` of the target in `genesis.yaml` is longer, or ask for less",
    "PERMISSION_DENIED": "`user` of the target in `genesis.yaml` is who asks: whoever runs the server says what it may do",
    "QUERY_HAS_TOO_MANY_STAGES": "`query.max-stage-count` of the server is more, or the report has fewer joins",
}

# What the client raises over an answer that is none of Trino's, or over a package that it lacks.
_STRANGE = (
    exceptions.Error,
    AttributeError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
)


@contextmanager
def told_as_problem(config: TrinoTarget) -> Iterator[None]:
    """What the server or the way to it refuses, as a problem."""
    server = f"{config.host}:{config.port}"
    try:
        yield
    except exceptions.TrinoQueryError as error:
        raise _refused(
            error, f"{config.scheme}://{server}/ui/query.html?{error.query_id}"
        ) from error
    except (exceptions.TrinoConnectionError, requests.ConnectionError, requests.Timeout) as error:
        raise _silent(server, error) from error
    except (exceptions.Http502Error, exceptions.Http503Error, exceptions.Http504Error) as error:
        raise _silent(server, error) from error
    except exceptions.HttpError as error:
        raise _turned_away(server, str(error)) from error
    except RuntimeError as error:  # a way to sign in that wants a package
        hint = "pip install 'trino[all]'"
        raise EngineError(Problem("query-failed", str(error), hint=hint)) from error
    except _STRANGE as error:
        said = (
            f"the server `{server}` does not answer as Trino does: {error or type(error).__name__}"
        )
        hint = "`host` and `port` of the target in `genesis.yaml` name it"
        raise EngineError(Problem("query-failed", said, hint=hint)) from error


def trinos_name(error: EngineError) -> str | None:
    """What Trino calls an error; `None` for those that are not its own."""
    return getattr(error.__cause__, "error_name", None)


def _refused(error: exceptions.TrinoQueryError, link: str) -> EngineError:
    name = error.error_name or ""
    said = next(iter(error.message.splitlines()), "") or name
    # Files of a kind that its catalog has no `fs.*` for are an internal error to it.
    is_unreadable = said.startswith("Error processing metadata for table")
    way_out = _UNREADABLE if is_unreadable else _WAYS_OUT.get(name)
    hint = "; ".join(filter(None, [way_out, f"query {error.query_id}, {link}"]))
    # Newer ones have taken its place meanwhile.
    is_gone = "snapshot id does not exist" in said.lower()
    problem = Problem(_CODES.get(name, "query-failed"), said, hint=hint)
    return EngineBusy(problem) if name in _PASSING or is_gone else EngineError(problem)


def _silent(server: str, error: Exception) -> EngineError:
    if doubt := re.search(r"certificate verify failed: ([^(\"]*[^(\" .])", str(error)):
        message = f"the certificate of the Trino server `{server}` is not trusted: {doubt[1]}"
        hint = "`REQUESTS_CA_BUNDLE` in the environment names a file with the certificate of who vouches for it"
        return EngineError(Problem("access-refused", message, hint=hint))
    reason = "it took too long" if "timed out" in str(error).lower() else _reason(error)
    message = f"the Trino server `{server}` does not answer: {reason}"
    hint = "try again; `host` and `port` of the target in `genesis.yaml` name it"
    return EngineBusy(Problem("query-failed", message, hint=hint))


def _reason(error: BaseException) -> str:
    """The last of what a chain of errors says, which is the system's own word."""
    text = str(error)
    for words in ("Connection refused", "Name or service not known", "No route to host", "SSL"):
        if words.lower() in text.lower():
            return words.lower() if words != "SSL" else "no https there"
    return text.splitlines()[0] if text else type(error).__name__


def _turned_away(server: str, error: str) -> EngineError:
    said = _read(error)
    if said.startswith(("error 401", "error 403")):
        message = f"the Trino server `{server}` does not let us in: {said}"
        hint = "`auth` and `user` of the target in `genesis.yaml` say who we are"
        return EngineError(Problem("access-refused", message, hint=hint))
    message = f"the server `{server}` does not answer as Trino does: {said}"
    hint = "`host`, `port` and `http_scheme` of the target in `genesis.yaml` name it"
    return EngineError(Problem("query-failed", message, hint=hint))


def _read(error: str) -> str:
    """An error of the client's with the answer's first line; it brings the bytes as Python writes them."""
    status, _, written = error.partition(": b")
    with suppress(SyntaxError, ValueError):
        content: bytes = ast.literal_eval(f"b{written}")
        first = next(iter(content.decode(errors="replace").strip().splitlines()), "")
        return f"{status}: {first}" if first else status
    return error
