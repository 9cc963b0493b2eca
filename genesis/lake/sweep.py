"""Delete the files of a table that nothing refers to any more, in two passes.

A pass writes down what it finds unreferenced, with the time; a later one deletes what it finds so
still, once that is longer ago than the longest reader or writer takes: files of a commit on its way
are unreferenced too. Only files of a lake's kinds in the table's own folders are looked at. The
surprise: what was written down is in the project's state folder, and losing it merely means waiting again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlparse

from pyarrow import fs
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from genesis.errors import EngineError, Problem
from genesis.lake.batches import lists_location
from genesis.lake.catalog import STATE_FOLDER, load_table, table_identifier, tables, told_as_problem
from genesis.lake.references import referenced_files
from genesis.lake.staging import stagings_location

_KINDS = (".parquet", ".avro", ".orc", ".puffin", ".stats", ".metadata.json", ".metadata.json.gz")


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a pass did, or would do: files deleted, and those that are found unreferenced and wait."""

    deleted: int
    bytes: int
    waiting: int

    def to_json(self) -> dict[str, int]:
        """The sweep as receipts have it."""
        return {"deleted": self.deleted, "bytes": self.bytes, "waiting": self.waiting}


def sweep(
    catalog: Catalog,
    log: Table,
    *,
    root: Path,
    now: datetime,
    older_than: timedelta,
    dry_run: bool = False,
) -> Sweep:
    """One pass over a table's files. Raises `EngineError` where it is not certain whose they are."""
    _refuse_shared_folders(catalog, log)
    with told_as_problem("the warehouse"):
        # Listed first: what is committed in between is referenced then.
        present = _listed(log)
        _refuse_unlisted(log, present)
        log.refresh()
        referenced = set(map(_path, referenced_files(log)))
    seen = _Seen(root, log)
    orphans = {path: seen.since(path, now) for path in sorted(present.keys() - referenced)}
    due = [path for path, since in orphans.items() if since <= now - older_than]
    waiting = {path: since for path, since in orphans.items() if path not in set(due)}
    size = sum(present[path].size or 0 for path in due)
    if not dry_run:
        with told_as_problem("the warehouse"):
            for path in due:
                with suppress(FileNotFoundError):
                    log.io.delete(_location(log, path))
        seen.write(waiting)
    return Sweep(len(due), size, len(waiting))


def _listed(log: Table) -> Mapping[str, fs.FileInfo]:
    """The files in the table's folders, by path."""
    if not isinstance(log.io, PyArrowFileIO):
        message = f"the files of the table `{'.'.join(log.name())}` cannot be listed"
        raise EngineError(Problem("catalog-failed", message))
    found: dict[str, fs.FileInfo] = {}
    for folder in _folders(log):
        scheme, netloc, path = PyArrowFileIO.parse_location(folder)
        selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
        for file in log.io.fs_by_scheme(scheme, netloc).get_file_info(selector):
            if file.type == fs.FileType.File and file.path.endswith(_KINDS):
                found[file.path] = file
    return found


def _folders(log: Table) -> Iterator[str]:
    location = log.location().rstrip("/")
    yield f"{location}/data"
    yield f"{location}/metadata"
    yield lists_location(log)
    yield stagings_location(log)


def _refuse_unlisted(log: Table, present: Iterable[str]) -> None:
    """Refuse where the list names files otherwise than the table does: all would look unreferenced."""
    if _path(log.metadata_location) not in present:
        message = f"the files of the table `{'.'.join(log.name())}` are not where it says"
        raise EngineError(Problem("catalog-failed", message, hint="nothing was swept"))


def _refuse_shared_folders(catalog: Catalog, log: Table) -> None:
    own = f"{_path(log.location()).rstrip('/')}/"
    for name in tables(catalog):
        identifier = table_identifier(name)
        if identifier == tuple(log.name()):
            continue
        other = load_table(catalog, identifier)
        theirs = f"{_path(other.location()).rstrip('/')}/" if other else ""
        if other and (theirs.startswith(own) or own.startswith(theirs)):
            message = f"the tables `{'.'.join(log.name())}` and `{name}` share a folder"
            raise EngineError(Problem("catalog-failed", message, hint="nothing was swept"))


def _path(location: str) -> str:
    """A location as lists of files have it."""
    return PyArrowFileIO.parse_location(location)[2]


def _location(log: Table, path: str) -> str:
    """A path of a list as the table's own locations are written."""
    scheme = urlparse(log.location()).scheme
    return f"{scheme}://{path}" if scheme else path


class _Seen:
    """Since when files are known to be unreferenced, in a file of the project."""

    def __init__(self, root: Path, log: Table) -> None:
        name = quote(f"{'.'.join(log.name())}-{log.metadata.table_uuid}", safe="")
        self._file = root / STATE_FOLDER / "sweep" / f"{name}.json"
        with told_as_problem(f"the file `{self._file}`"):
            text = self._file.read_text("utf-8") if self._file.exists() else "{}"
            self._since = {
                path: datetime.fromisoformat(at) for path, at in json.loads(text).items()
            }

    def since(self, path: str, now: datetime) -> datetime:
        """When a pass first found the file unreferenced; `now`, if this is the first."""
        return self._since.get(path, now)

    def write(self, since: Mapping[str, datetime]) -> None:
        """Write down what waits."""
        said = {path: at.isoformat() for path, at in since.items()}
        with told_as_problem(f"the file `{self._file}`"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(said, indent=1), "utf-8")
            part.replace(self._file)
