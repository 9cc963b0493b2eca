"""Airtable over HTTP: who may call, how often, what goes wrong on the way, and the routes.

Calls are answered one at a time. The surprise: a fault is told by the number of the call it happens
to, and what it does to a write is up to it: `503` and `drop` come before the write, `500-after` and
`drop-after` when it is done already.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self, TypeGuard
from urllib.parse import parse_qs, unquote, urlsplit

from genesis.interfaces import Clock
from genesis.testing.airtable.model import Base, Record, Table
from genesis.testing.airtable.refusals import (
    Refusal,
    bad_body,
    bad_records,
    invalid,
    lost_place,
    month_spent,
    no_token,
    not_done,
    not_found,
    not_permitted,
    too_fast,
    unavailable,
    wrong_token,
)
from genesis.testing.clock import HandClock

Fault = Literal["429", "503", "500-after", "drop", "drop-after", "lost-place"]
_SCOPES = ("data.records:read", "data.records:write", "schema.bases:read", "schema.bases:write")


@dataclass(frozen=True)
class Limits:
    """What the plan and the service allow."""

    calls: int = 5
    per: timedelta = timedelta(seconds=1)
    locked: timedelta = timedelta(seconds=30)
    calls_a_month: int | None = None
    records: int = 125_000
    body: int = 2_000_000


@dataclass(frozen=True)
class Token:
    """Whom a token lets in."""

    bases: Sequence[str]
    scopes: Sequence[str] = _SCOPES


@dataclass(frozen=True)
class Call:
    """A request, as it came."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    body: Any
    token: str | None
    at: datetime
    size: int = 0


@dataclass
class Airtable:
    """The emulator; within `with` it answers at `url`.

    Without `tokens` any token will do. `calls` are all that came; `faults` happen to the calls whose
    numbers they have, counted from 1; `before` is called with each one before it is answered.
    """

    limits: Limits = Limits()
    clock: Clock = field(default_factory=HandClock)
    latency: timedelta = timedelta()
    tokens: dict[str, Token] = field(default_factory=dict)
    faults: dict[int, Fault] = field(default_factory=dict)
    before: Callable[[Call], None] | None = None
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    bases: dict[str, Base] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._lock = threading.RLock()
        self._recent: dict[str, deque[datetime]] = {}
        self._locked_until: dict[str, datetime] = {}
        self._lists: dict[str, list[str]] = {}
        self._server = _Server(("127.0.0.1", self.port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def base(self, id_: str, name: str = "") -> Base:
        """The base with an id; it is made where there is none."""
        if id_ not in self.bases:
            new = Base(id_, name or id_, self.limits.records, self._ids, self._now)
            self.bases[id_] = new
        return self.bases[id_]

    # ---- one call

    def answer(self, call: Call) -> tuple[int, Any]:
        """The status and the body for a request; `None` for a reply that is dropped."""
        with self._lock:
            self.calls.append(call)
            fault = self.faults.get(len(self.calls))
            if self.before:
                self.before(call)
            self.clock.sleep(self.latency)
            try:
                return self._answer(call, fault)
            except Refusal as refusal:
                return refusal.status, refusal.body

    def _answer(self, call: Call, fault: Fault | None) -> tuple[int, Any]:
        if fault == "503":
            raise unavailable()
        if fault == "drop":
            return 0, None
        if fault == "lost-place":
            self._lists.clear()
        base, rest = self._base_of(call)
        self._check_pace(base, fault)
        done = self._do(call, base, rest)
        if fault == "500-after":
            return 500, {"error": {"type": "SERVER_ERROR", "message": "Unexpected error"}}
        return (0, None) if fault == "drop-after" else (200, done)

    def _base_of(self, call: Call) -> tuple[Base | None, list[str]]:
        """The base that a request is about, and the rest of its path. Raises `Refusal`."""
        version, *parts = [unquote(part) for part in call.path.strip("/").split("/")]
        if version != "v0" or not parts:
            raise not_found()
        is_meta = parts[0] == "meta"
        if is_meta and parts[1:2] != ["bases"]:
            raise not_done(call.path)
        parts = parts[2:] if is_meta else parts
        scope = ("schema.bases" if is_meta else "data.records") + _access(call, parts)
        known = self._check_token(call, scope)
        if not parts:
            return None, ["meta"]
        if parts[0] not in self.bases or (known is not None and parts[0] not in known.bases):
            raise not_permitted()
        return self.bases[parts[0]], [*(["meta"] if is_meta else []), *parts[1:]]

    def _check_token(self, call: Call, scope: str) -> Token | None:
        if not call.token:
            raise no_token()
        if not self.tokens:
            return None
        known = self.tokens.get(call.token)
        if known is None:
            raise wrong_token()
        if scope not in known.scopes:
            raise not_permitted()
        return known

    def _check_pace(self, base: Base | None, fault: Fault | None) -> None:
        allowed = self.limits.calls_a_month
        if allowed is not None and len(self.calls) > allowed:
            raise month_spent()
        if base is None:
            return
        now = self.clock.now()
        recent = self._recent.setdefault(base.id, deque(maxlen=self.limits.calls))
        if now < self._locked_until.get(base.id, now):
            raise too_fast()
        is_full = len(recent) == self.limits.calls and now - recent[0] < self.limits.per
        if is_full or fault == "429":
            self._locked_until[base.id] = now + self.limits.locked
            raise too_fast()
        recent.append(now)

    # ---- routes

    def _do(self, call: Call, base: Base | None, rest: list[str]) -> Any:
        match call.method, rest:
            case "GET", ["meta"]:
                return {
                    "bases": [
                        {"id": b.id, "name": b.name, "permissionLevel": "create"}
                        for b in self.bases.values()
                    ]
                }
            case _ if base is None:
                raise not_done(f"{call.method} {call.path}")
            case "GET", ["meta", "tables"]:
                return {"tables": [table.to_json() for table in base.tables]}
            case "POST", ["meta", "tables"]:
                return base.create_table(call.body).to_json()
            case "PATCH", ["meta", "tables", table]:
                return _update(base.table(table), call.body)
            case "POST", ["meta", "tables", table, "fields"]:
                return base.table(table).create_field(call.body).to_json()
            case "PATCH", ["meta", "tables", table, "fields", field_]:
                return _update(base.table(table).field(field_), call.body)
            case "GET", [table]:
                return self._list(base.table(table), _listing(call.query))
            case "POST", [table, "listRecords"]:
                return self._list(base.table(table), call.body)
            case "GET", [table, record]:
                return _get(base.table(table), record)
            case "POST", [table]:
                return _create(base.table(table), call.body)
            case (("PATCH" | "PUT"), [table, *record]):
                return _write(base.table(table), record, call)
            case "DELETE", [table, *record]:
                return _delete(base.table(table), record, call)
        raise not_done(f"{call.method} {call.path}")

    def _list(self, table: Table, asked: Mapping[str, Any]) -> Any:
        known = ("fields", "pageSize", "offset", "returnFieldsByFieldId")
        if unknown := set(asked) - set(known):
            raise not_done(f"listing with `{min(unknown)}`")
        size = int(asked.get("pageSize", 100))
        if not 1 <= size <= 100:
            raise invalid("pageSize must be between 1 and 100")
        fields = [table.field(name) for name in asked["fields"]] if asked.get("fields") else None
        rest = self._rest(table, asked.get("offset"))
        page, rest = rest[:size], rest[size:]
        told = {
            "records": [
                table.record_to_json(
                    table.by_id[id_], fields, by_id=bool(asked.get("returnFieldsByFieldId"))
                )
                for id_ in page
                if id_ in table.by_id
            ]
        }
        return told | ({"offset": self._remember(rest)} if rest else {})

    def _rest(self, table: Table, offset: str | None) -> list[str]:
        if offset is None:
            return list(table.by_id)
        if offset not in self._lists:
            raise lost_place()
        return self._lists.pop(offset)

    def _remember(self, rest: list[str]) -> str:
        offset = f"itr{next(self._ids):014d}/{rest[0]}"
        self._lists[offset] = rest
        return offset

    def _now(self) -> str:
        return self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _access(call: Call, parts: Sequence[str]) -> str:
    reads = call.method == "GET" or parts[-1:] == ["listRecords"]
    return ":read" if reads else ":write"


def _listing(query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    asked: dict[str, Any] = {key.removesuffix("[]"): values[-1] for key, values in query.items()}
    if "fields[]" in query:
        asked["fields"] = query["fields[]"]
    if "returnFieldsByFieldId" in asked:
        asked["returnFieldsByFieldId"] = asked["returnFieldsByFieldId"] in ("1", "true")
    return asked


def _update(thing: Any, body: Mapping[str, Any]) -> Any:
    """New names and descriptions; Airtable's API changes nothing else of a table or field."""
    if unknown := set(body) - {"name", "description"}:
        raise not_done(f"changing `{min(unknown)}` of a table or field")
    for key, value in body.items():
        setattr(thing, key, value or "")
    return thing.to_json()


def _get(table: Table, id_: str) -> Any:
    if id_ not in table.by_id:
        raise not_permitted()
    return table.record_to_json(table.by_id[id_], None, by_id=False)


def _create(table: Table, body: Mapping[str, Any]) -> Any:
    single = "fields" in body
    asked = [body] if single else body.get("records")
    if not _is_batch(asked) or not all("fields" in one for one in asked):
        raise bad_records('objects, each with a "fields" object for cell values')
    made = table.create([one["fields"] for one in asked], typecast=bool(body.get("typecast")))
    told = _told(table, made, body)
    return told[0] if single else {"records": told}


def _write(table: Table, record: list[str], call: Call) -> Any:
    body, replace = call.body, call.method == "PUT"
    typecast = bool(body.get("typecast"))
    if record:
        changed = table.update([(record[0], body["fields"])], typecast=typecast, replace=replace)
        return _told(table, changed, body)[0]
    asked = body.get("records")
    if not _is_batch(asked):
        raise bad_records(
            'objects, each with an "id" ID field and a "fields" object for cell values'
        )
    if "performUpsert" in body:
        return _upsert(table, asked, body, replace=replace)
    if not all("id" in one and "fields" in one for one in asked):
        raise bad_records(
            'objects, each with an "id" ID field and a "fields" object for cell values'
        )
    pairs = [(one["id"], one["fields"]) for one in asked]
    return {"records": _told(table, table.update(pairs, typecast=typecast, replace=replace), body)}


def _upsert(table: Table, asked: Sequence[Any], body: Mapping[str, Any], *, replace: bool) -> Any:
    merge_on = body["performUpsert"].get("fieldsToMergeOn") or []
    if not 1 <= len(merge_on) <= 3:
        raise invalid("fieldsToMergeOn must have 1 to 3 fields")
    if any("id" in one for one in asked):
        raise not_done("an upsert of records that are told by their ids")
    typecast = bool(body.get("typecast"))
    matches = table.matches([one["fields"] for one in asked], merge_on)
    new = [one["fields"] for one, match in zip(asked, matches, strict=True) if match is None]
    pairs = [(m.id, one["fields"]) for one, m in zip(asked, matches, strict=True) if m]
    for _, fields in pairs:
        table.check(fields, typecast=typecast)
    created = table.create(new, typecast=typecast)
    updated = table.update(pairs, typecast=typecast, replace=replace)
    return {
        "records": _told(table, [*created, *updated], body),
        "createdRecords": [record.id for record in created],
        "updatedRecords": [record.id for record in updated],
    }


def _delete(table: Table, record: list[str], call: Call) -> Any:
    ids = record or list(call.query.get("records[]", ()))
    if not 1 <= len(ids) <= 10:
        raise bad_records("IDs")
    table.delete(ids)
    told = [{"id": id_, "deleted": True} for id_ in ids]
    return told[0] if record else {"records": told}


def _is_batch(asked: Any) -> TypeGuard[list[Any]]:
    return isinstance(asked, list) and 1 <= len(asked) <= 10


def _told(table: Table, records: Sequence[Record], body: Mapping[str, Any]) -> list[Any]:
    by_id = bool(body.get("returnFieldsByFieldId"))
    return [table.record_to_json(record, None, by_id=by_id) for record in records]


# ---- HTTP


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], airtable: Airtable) -> None:
        self.airtable = airtable
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without these every answer waits 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self._reply(data)
        if not status:
            self.close_connection = True  # and no answer: it is lost on the way
            return
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _reply(self, data: bytes) -> tuple[int, Any]:
        airtable = self.server.airtable
        address = urlsplit(self.path)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        try:
            body = json.loads(data, parse_constant=_no_constant) if data else {}
        except ValueError:
            return bad_body().status, bad_body().body
        if not isinstance(body, dict) or len(data) > airtable.limits.body:
            return 413 if len(data) > airtable.limits.body else 422, bad_body().body
        call = Call(
            self.command,
            address.path,
            parse_qs(address.query, keep_blank_values=True),
            body,
            token if scheme == "Bearer" else None,
            airtable.clock.now(),
            len(data),
        )
        return airtable.answer(call)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815  # the names are http.server's

    def log_message(self, *_: Any) -> None:
        """Nothing: `calls` has it."""


def _no_constant(name: str) -> Any:
    raise ValueError(name)
