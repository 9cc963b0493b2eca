"""Files that are replaced whole or not at all: written aside, then given the name.

What was read is known by its hash; a file that changed since is left alone. A kill at any moment
leaves the old file and perhaps a temporary one beside it, which the next refresh removes. The
surprise: the temporary file is locked while it is written, so that nobody takes it for a stale one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from genesis.errors import Problem, SinkBusy, SinkError

try:
    import fcntl
except ImportError:  # Windows has no such locks; there a file that is open cannot be removed
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".genesis-tmp"
ABSENT = "absent"


def read_file(path: Path) -> bytes | None:
    """The bytes of a file, or `None` where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SinkError(
            Problem("tracker-unreadable", f"cannot read `{path.name}`: {_reason(error)}")
        ) from error


def fence_of(data: bytes | None) -> str:
    """What a file's state is known by."""
    return ABSENT if data is None else hashlib.sha256(data).hexdigest()


def replace_file(path: Path, data: bytes, *, fence: str) -> None:
    """Give `path` new content, if it is still what `fence` says; on any failure it stays as it was."""
    target = path.resolve()  # of a link, the file it leads to
    _refuse_open(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_read_only(target)
        with _temporary(target) as temporary:
            temporary.write(data)
            temporary.flush()
            os.fsync(temporary.fileno())
            with _locked(target.parent):
                _refuse_changed(target, fence)
                Path(temporary.name).replace(target)
                _sync_folder(target.parent)
    except OSError as error:
        raise SinkError(
            Problem(
                "tracker-unwritable",
                f"cannot write `{path.name}`: {_reason(error)}; it is as it was",
                hint=_way_out(error),
            )
        ) from error


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[BinaryIO]:
    """A locked file beside the target, gone at the end unless it took the target's name."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    with _locked(target.parent):
        _remove_stale(target)
        file = temporary.open("xb")
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
    try:
        with file:
            if target.exists():
                temporary.chmod(target.stat().st_mode & 0o7777)
            yield file
    finally:
        temporary.unlink(missing_ok=True)


def _remove_stale(target: Path) -> None:
    """Remove what killed refreshes left; a lock dies with its process."""
    for path in target.parent.glob(f".{_literal(target.name)}.*{_SUFFIX}"):
        with contextlib.suppress(OSError), path.open("rb") as stale:
            if fcntl:
                fcntl.flock(stale, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _literal(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _sync_folder(folder: Path) -> None:
    """Wait until the new name is on the disk."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One refresh at a time may compare and swap in a folder: it takes milliseconds."""
    if not fcntl:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _refuse_changed(target: Path, fence: str) -> None:
    if fence_of(read_file(target)) != fence:
        raise changed(target)


def changed(path: Path) -> SinkBusy:
    return SinkBusy(
        Problem(
            "tracker-changed",
            f"`{path.name}` changed while it was being refreshed; it is as its writer left it",
            hint="the next refresh starts from what is there now",
        )
    )


def _refuse_open(target: Path) -> None:
    for lock, program in (
        (target.with_name(f"~${target.name}"), "Excel"),
        (target.with_name(f".~lock.{target.name}#"), "LibreOffice"),
    ):
        if lock.exists():
            raise SinkBusy(
                Problem(
                    "tracker-locked",
                    f"`{target.name}` is open in {program}{_opened_by(lock)}",
                    hint=f"close it, or remove `{lock.name}` if nobody has it open",
                )
            )


def _opened_by(lock: Path) -> str:
    """Who has the file open, as far as the lock says: a length and a name, or `user,login,host`."""
    with contextlib.suppress(OSError):
        data = lock.read_bytes()
        excel = lock.name.startswith("~$")
        name = data[1 : 1 + data[0]] if excel and data else data.split(b",")[0]
        who = name.decode("utf-8", "replace").strip()
        return f" by {who}" if who.isprintable() and 0 < len(who) < 60 else ""
    return ""


def _refuse_read_only(target: Path) -> None:
    # A new name for the file would pass over its owner's wish; its mode counts even for root.
    if target.exists() and not (target.stat().st_mode & 0o222 and os.access(target, os.W_OK)):
        raise PermissionError(errno.EACCES, "it is read-only")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _way_out(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room on the disk"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the refresh needs to write to the file and to its folder"
    return None
