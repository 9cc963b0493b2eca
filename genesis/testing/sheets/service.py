"""Google's side of the conversation: a call comes in, is counted, checked, done whole or refused.

The order is fixed: faults that strike before, size, quota, body, permission, the work, faults that
strike after. All state is replaced at once under a lock, so a reader never sees half a batch.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

from genesis.interfaces import Clock
from genesis.testing.sheets import drive, metadata, ranges, render
from genesis.testing.sheets.answers import ApiError, Json, bad, unimplemented
from genesis.testing.sheets.discovery import Method, api
from genesis.testing.sheets.drive import File, Permission
from genesis.testing.sheets.faults import (
    Call,
    Coming,
    Dropped,
    Fault,
    Meanwhile,
    Pending,
    Refused,
    Slow,
)
from genesis.testing.sheets.grid import Book, Tab
from genesis.testing.sheets.limits import Limits, Quota
from genesis.testing.sheets.masks import Mask, below, chosen, parse_mask
from genesis.testing.sheets.requests import (
    Batch,
    add_sheet,
    apply_all,
    set_book_properties,
)

_TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came over HTTP."""

    verb: str
    path: str
    query: str = ""
    authorization: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; without a status the connection just breaks off."""

    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """A call, understood: Google's method, its parameters, its body, and who asks."""

    method: Method
    parameters: Json
    body: Json
    user: str

    @property
    def book(self) -> str:
        """The spreadsheet or file it is about."""
        return str(self.parameters.get("spreadsheetId") or self.parameters.get("fileId") or "")

    @property
    def mask(self) -> Mask:
        """What the answer shall hold."""
        return parse_mask(self.parameters["fields"]) if self.parameters.get("fields") else {}


class Service:
    """All spreadsheets, who may read them, and what is still to go wrong."""

    def __init__(self, *, limits: Limits, clock: Clock, account: str) -> None:
        self.limits, self.clock, self.account = limits, clock, account
        self.url = ""
        self.calls: list[Call] = []
        self.pending: list[Pending] = []
        self._lock = threading.RLock()
        self._quota = Quota(limits)
        self._books: dict[str, Book] = {}
        self._files: dict[str, File] = {}
        self._tokens: dict[str, tuple[str, datetime]] = {}

    # State

    def book(self, id: str) -> Book:
        """A spreadsheet as it is now; it never changes, a change makes another one."""
        return self._books[id]

    def books(self) -> list[Book]:
        """All spreadsheets, the newest last."""
        return list(self._books.values())

    def file(self, id: str) -> File:
        """What Drive knows of a spreadsheet."""
        return self._files[id]

    @contextmanager
    def change(self, id: str) -> Iterator[Book]:
        """A copy to change, put in place of the spreadsheet unless something is raised."""
        with self._lock:
            book = self._books[id].copy()
            yield book
            book.check_size()
            self._books[id] = book
            self._files[id] = self._files[id].touched(self.clock.now())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes anything until the end of the block."""
        with self._lock:
            yield

    def add(self, title: str, owner: str) -> Book:
        """A new spreadsheet with one tab, as Google makes it."""
        with self._lock:
            digest = hashlib.sha256(f"spreadsheet {len(self._files)}".encode()).digest()
            id = base64.urlsafe_b64encode(b"\xd4" + digest).decode().rstrip("=")[:44]
            book = Book(id, title, locale="en_US", time_zone="Etc/GMT", limits=self.limits)
            book.tabs = [Tab(0, "Sheet1", 1000, 26)]
            now = self.clock.now()
            first = Permission("1", "user", "owner", owner)
            self._books[id], self._files[id] = book, File(id, now, now, (first,))
            return book

    def permit(self, id: str, permission: Permission) -> None:
        """Let somebody in; what the same person had before goes."""
        with self._lock:
            others = [p for p in self._files[id].permissions if p.id != permission.id]
            others = [p for p in others if (p.kind, p.who) != (permission.kind, permission.who)]
            self._files[id] = replace(self._files[id], permissions=(*others, permission))

    def forbid(self, id: str, keep: Callable[[Permission], bool]) -> None:
        """Take permissions away, all but those to keep."""
        with self._lock:
            kept = tuple(p for p in self._files[id].permissions if keep(p))
            self._files[id] = replace(self._files[id], permissions=kept)

    def delete(self, id: str) -> None:
        """A spreadsheet is gone for good."""
        with self._lock:
            del self._books[id], self._files[id]

    # Calls

    def answer(self, incoming: Incoming) -> Answer:
        """The answer to a request; it is in `calls` from then on."""
        try:
            user = self._user(incoming)
            method, parameters = _route(incoming)
        except ApiError as error:
            return _refusal(error)
        kind = _kind(method)
        with self._lock:
            faults = [p.fault for p in self.pending if p.hits(Coming(method.id, kind))]
        answer = self._faulty(incoming, method, parameters, user, kind, faults)
        call = Call(
            method.id,
            kind,
            user,
            parameters.get("spreadsheetId"),
            answer.status,
            len(incoming.body),
            len(answer.body),
            self.clock.now(),
        )
        self.calls.append(call)
        return answer

    def _faulty(
        self,
        incoming: Incoming,
        method: Method,
        parameters: Json,
        user: str,
        kind: str,
        faults: list[Fault],
    ) -> Answer:
        for fault in faults:
            match fault:
                case Meanwhile(do):
                    do()
                case Slow(by):
                    self.clock.sleep(by)
                    if by > self.limits.processing:
                        return _refusal(
                            ApiError(504, "Deadline expired before operation could complete.")
                        )
                case Refused(after_commit=False):
                    return _injected(fault)
                case Dropped(after_commit=False):
                    return Answer(None)
        answer = self._guarded(incoming, method, parameters, user, kind)
        for fault in faults:
            match fault:
                case Refused(after_commit=True):
                    return _injected(fault)
                case Dropped(after_commit=True):
                    return Answer(None)
        return answer

    def _guarded(
        self, incoming: Incoming, method: Method, parameters: Json, user: str, kind: str
    ) -> Answer:
        try:
            if len(incoming.body) > self.limits.payload:
                raise ApiError(413, "Request payload size exceeds the limit.")
            if method.id.startswith("sheets."):
                self._quota.spend(user, kind, self.clock.now())
            if method.id not in HANDLERS:
                raise unimplemented(f"the method `{method.id}`")
            ask = Ask(method, parameters, _body(method, incoming.body), user)
            self._check(ask, kind)
            with self._lock:
                result = HANDLERS[method.id](self, ask)
        except ApiError as error:
            return _refusal(error)
        return Answer(200, json.dumps(result, ensure_ascii=False).encode(), dict(_JSON))

    def _check(self, ask: Ask, kind: str) -> None:
        """Raises `ApiError` for what is not there, not shared, or asked for by an unknown name."""
        mask = ask.mask
        response, sheets = ask.method.response, ask.method.id.startswith("sheets.")
        if mask and response:
            stray = api(_api_of(ask.method)).check_mask(response, mask)
            if stray:
                message = f"Error expanding 'fields' parameter. Cannot find matching fields for path '{stray}'."
                raise bad(message)
        if not ask.book:
            return
        known = ask.book in self._files
        if sheets and not known:
            raise ApiError(404, "Requested entity was not found.")
        may_read = known and self.file(ask.book).may(ask.user, "reader")
        if not sheets and not may_read:
            raise drive.not_found(ask.book)
        if not may_read or (kind == "Write" and not self.file(ask.book).may(ask.user, "writer")):
            raise ApiError(403, "The caller does not have permission")

    def _user(self, incoming: Incoming) -> str:
        if not incoming.authorization:
            return self.account
        token = incoming.authorization.removeprefix("Bearer ")
        now: datetime = self.clock.now()
        user, end = self._tokens.get(token, ("", now))
        if end <= now:
            raise ApiError(
                401,
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
                "cookie or other valid authentication credential.",
            )
        return user

    def token_answer(self, incoming: Incoming) -> Answer:
        """The answer to a service account that wants a token; its signature is not checked."""
        try:
            body = self._token(incoming.body)
        except ApiError as error:
            return Answer(400, json.dumps({"error": error.message}).encode(), dict(_JSON))
        return Answer(200, json.dumps(body).encode(), dict(_JSON))

    def _token(self, body: bytes) -> Json:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        try:
            claims = form["assertion"].split(".")[1]
            user = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iss"]
        except (KeyError, IndexError, ValueError, binascii.Error):
            raise bad("invalid_grant") from None
        token = f"emulated-{len(self._tokens) + 1}"
        self._tokens[token] = (user, self.clock.now() + _TOKEN_LIFE)
        seconds = int(_TOKEN_LIFE.total_seconds())
        return {"access_token": token, "token_type": "Bearer", "expires_in": seconds}


_JSON = {"Content-Type": "application/json; charset=UTF-8"}


def _refusal(error: ApiError) -> Answer:
    return Answer(error.code, json.dumps(error.body()).encode(), dict(_JSON))


def _injected(fault: Refused) -> Answer:
    answer = _refusal(ApiError(fault.status, fault.message))
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(int(fault.retry_after.total_seconds()))
    return answer


def _route(incoming: Incoming) -> tuple[Method, Json]:
    path = incoming.path.removeprefix("/")
    for name in ("sheets.v4", "drive.v3"):
        for method in api(name).methods:
            if method.verb == incoming.verb and (match := method.pattern.fullmatch(path)):
                found = {part: unquote(value) for part, value in match.groupdict().items()}
                query = parse_qs(incoming.query, keep_blank_values=True)
                return method, found | _parameters(method, query)
    raise ApiError(404, f"The requested URL {incoming.path} was not found on this server.")


def _parameters(method: Method, query: dict[str, list[str]]) -> Json:
    result: Json = {}
    for name, values in query.items():
        known = method.parameters.get(name)
        if known is None:
            if not api(_api_of(method)).lenient:
                raise bad(
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query '
                    "parameter. Field could not be found in request message."
                )
            continue
        read = [_parameter(name, known, value) for value in values]
        result[name] = read if known.get("repeated") else read[-1]
    return result


def _parameter(name: str, known: Json, value: str) -> Any:
    if "enum" in known and value not in known["enum"]:
        raise bad(f"Invalid value at '{name}' (enum), \"{value}\"")
    if known.get("type") == "boolean":
        if value.lower() not in ("true", "false"):
            raise bad(f"Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")
        return value.lower() == "true"
    if known.get("type") == "integer":
        if not value.isdigit():
            raise bad(f"Invalid value at '{name}' (TYPE_INT32), \"{value}\"")
        return int(value)
    return value


def _body(method: Method, body: bytes) -> Json:
    if not method.request:
        return {}
    try:
        given = json.loads(body or b"{}", parse_constant=_no_constant)
    except ValueError as error:
        raise bad(f"Invalid JSON payload received. {error}") from error
    return api(_api_of(method)).body(method.request, {} if given is None else given)


def _no_constant(name: str) -> None:
    raise ValueError(f"Unexpected token: {name}")


def _api_of(method: Method) -> str:
    return "sheets.v4" if method.id.startswith("sheets.") else "drive.v3"


_READS = {
    "sheets.spreadsheets.getByDataFilter",
    "sheets.spreadsheets.values.batchGetByDataFilter",
    "sheets.spreadsheets.developerMetadata.search",
}


def _kind(method: Method) -> str:
    return "Read" if method.verb == "GET" or method.id in _READS else "Write"


# What each method does


def _get(service: Service, ask: Ask) -> Json:
    book, texts = service.book(ask.book), ask.parameters.get("ranges")
    regions = [book.find(text) for text in texts] if texts else None
    grid = ask.parameters.get("includeGridData", False)
    return _spreadsheet(service, book, ask, regions, grid, ask.mask)


def _spreadsheet(
    service: Service,
    book: Book,
    ask: Ask,
    regions: list[render.Region] | None,
    grid: bool,
    mask: Mask,
) -> Json:
    url = f"{service.url}/spreadsheets/d/{book.id}/edit"
    return render.spreadsheet(book, url, ask.user, regions=regions, grid=grid, mask=mask)


def _get_by_filter(service: Service, ask: Ask) -> Json:
    book = service.book(ask.book)
    regions = [region for region, _ in _filtered(book, ask.body.get("dataFilters", []))]
    grid = ask.body.get("includeGridData", False)
    return _spreadsheet(service, book, ask, regions, grid, ask.mask)


def _filtered(book: Book, filters: list[Json]) -> list[tuple[render.Region, list[Json]]]:
    """The regions that data filters find, with the filters that found each."""
    found: dict[tuple[int, Any], list[Json]] = {}
    for given in filters:
        for tab, area in _regions(book, given):
            found.setdefault((tab.id, area), []).append(given)
    return [((book.tab(tab), area), given) for (tab, area), given in found.items()]


def _regions(book: Book, given: Json) -> list[render.Region]:
    if "a1Range" in given:
        return [book.find(given["a1Range"])]
    if "gridRange" in given:
        tab = book.tab(given["gridRange"].get("sheetId", 0))
        return [(tab, metadata.area_of(given["gridRange"]))]
    pieces = [piece for piece, _ in metadata.search(book, [given])]
    tabs = [(book.tab(piece.tab), piece) for piece in pieces if piece.tab is not None]
    return [(tab, metadata.covered(tab, piece)) for tab, piece in tabs]


def _create(service: Service, ask: Ask) -> Json:
    if extra := set(ask.body) - {"properties", "sheets"}:
        raise unimplemented(f"`{min(extra)}` of a new spreadsheet")
    draft = Book("", "", locale="en_US", time_zone="Etc/GMT", limits=service.limits)
    properties = {"title": "Untitled spreadsheet"} | ask.body.get("properties", {})
    set_book_properties(draft, properties, {"*": {}})
    batch = Batch(draft, api("sheets.v4"), ask.user)
    for sheet in ask.body.get("sheets", []):
        if extra := set(sheet) - {"properties"}:
            raise unimplemented(f"`{min(extra)}` of a sheet of a new spreadsheet")
        add_sheet(batch, sheet)
    draft.check_size()
    made = service.add(draft.title, ask.user)
    with service.change(made.id) as book:
        book.locale_name, book.time_zone, book.about = (
            draft.locale_name,
            draft.time_zone,
            draft.about,
        )
        book.tabs = draft.tabs or book.tabs
    return _spreadsheet(service, service.book(made.id), ask, None, False, ask.mask)


def _batch_update(service: Service, ask: Ask) -> Json:
    requests = ask.body.get("requests", [])
    if not requests:
        raise bad("Must specify at least one request.")
    if len(requests) > service.limits.requests:
        raise bad(
            f"Too many requests in the batch: {len(requests)}. The limit is {service.limits.requests}."
        )
    with service.change(ask.book) as book:
        replies = apply_all(Batch(book, api("sheets.v4"), ask.user), requests)
        result: Json = {"spreadsheetId": book.id, "replies": replies}
        if ask.body.get("includeSpreadsheetInResponse"):
            texts = ask.body.get("responseRanges")
            regions = [book.find(text) for text in texts] if texts else None
            grid = ask.body.get("responseIncludeGridData", False)
            mask = below(ask.mask, "updatedSpreadsheet")
            if mask is not None:
                result["updatedSpreadsheet"] = _spreadsheet(service, book, ask, regions, grid, mask)
    return chosen(ask.mask, result)


def _metadata_get(service: Service, ask: Ask) -> Json:
    book, id = service.book(ask.book), ask.parameters["metadataId"]
    piece = book.metadata.get(int(id)) if id.isdigit() else None
    if piece is None:
        raise ApiError(404, "No developer metadata with that ID.")
    return _chosen(ask, metadata.described(book, piece))


def _metadata_search(service: Service, ask: Ask) -> Json:
    book = service.book(ask.book)
    matched = [
        {"developerMetadata": metadata.described(book, piece), "dataFilters": filters}
        for piece, filters in metadata.search(book, ask.body.get("dataFilters", []))
    ]
    return _chosen(ask, {"matchedDeveloperMetadata": matched} if matched else {})


def _chosen(ask: Ask, result: Json) -> Json:
    return chosen(ask.mask, result)


def _values_get(service: Service, ask: Ask) -> Json:
    book = service.book(ask.book)
    tab, area = book.find(ask.parameters["range"])
    return _chosen(ask, ranges.read(book, tab, area, ranges.reading(ask.parameters)))


def _values_batch_get(service: Service, ask: Ask) -> Json:
    book, options = service.book(ask.book), ranges.reading(ask.parameters)
    found = [book.find(text) for text in ask.parameters.get("ranges", [])]
    values = [ranges.read(book, tab, area, options) for tab, area in found]
    return _chosen(ask, {"spreadsheetId": book.id, "valueRanges": values})


def _values_by_filter(service: Service, ask: Ask) -> Json:
    book, options = service.book(ask.book), ranges.reading(ask.body)
    found = _filtered(book, ask.body.get("dataFilters", []))
    # Not in the order that was asked for: so the live service was seen to answer.
    matched = [
        {"valueRange": ranges.read(book, tab, area, options), "dataFilters": filters}
        for (tab, area), filters in reversed(found)
    ]
    return _chosen(ask, {"spreadsheetId": book.id, "valueRanges": matched})


def _values_update(service: Service, ask: Ask) -> Json:
    text = ask.parameters["range"]
    _check_same_range(ask.body, text)
    with service.change(ask.book) as book:
        result = ranges.write(_batch(ask, book), text, ask.body, ask.parameters)
    return _chosen(ask, result)


def _check_same_range(given: Json, text: str) -> None:
    if given.get("range", text) != text:
        raise bad(f"Requested writing within range [{text}], but the body names [{given['range']}]")


def _batch(ask: Ask, book: Book) -> Batch:
    return Batch(book, api("sheets.v4"), ask.user)


def _values_batch_update(service: Service, ask: Ask) -> Json:
    with service.change(ask.book) as book:
        given = ask.body.get("data", [])
        done = [ranges.write(_batch(ask, book), d.get("range", ""), d, ask.body) for d in given]
    totals = {
        f"totalUpdated{name}": sum(one.get(f"updated{name}", 0) for one in done)
        for name in ("Rows", "Columns", "Cells")
    }
    sheets = len({one["updatedRange"].rpartition("!")[0] for one in done})
    result = {"spreadsheetId": ask.book, **totals, "totalUpdatedSheets": sheets}
    return _chosen(ask, result | {"responses": done})


def _values_append(service: Service, ask: Ask) -> Json:
    with service.change(ask.book) as book:
        text = ask.parameters["range"]
        result = ranges.append(_batch(ask, book), text, ask.body, ask.parameters)
    return _chosen(ask, result)


def _values_clear(service: Service, ask: Ask) -> Json:
    with service.change(ask.book) as book:
        cleared = ranges.clear(_batch(ask, book), ask.parameters["range"])
    return _chosen(ask, {"spreadsheetId": ask.book, "clearedRange": cleared})


def _values_batch_clear(service: Service, ask: Ask) -> Json:
    with service.change(ask.book) as book:
        cleared = [ranges.clear(_batch(ask, book), text) for text in ask.body.get("ranges", [])]
    return _chosen(ask, {"spreadsheetId": ask.book, "clearedRanges": cleared})


def _file_get(service: Service, ask: Ask) -> Json:
    book = service.book(ask.book)
    described = service.file(book.id).described(book.title)
    return drive.selected(described, ask.parameters, "kind,id,name,mimeType")


def _file_list(service: Service, ask: Ask) -> Json:
    name = drive.check_search(ask.parameters)
    found = [
        service.file(book.id).described(book.title)
        for book in reversed(service.books())
        if service.file(book.id).may(ask.user, "reader") and name in (None, book.title)
    ]
    size = int(ask.parameters.get("pageSize") or 100)
    start = int(ask.parameters.get("pageToken") or 0)
    result: Json = {"kind": "drive#fileList", "files": found[start : start + size]}
    if start + size < len(found):
        result["nextPageToken"] = str(start + size)
    return drive.selected(result, ask.parameters, "kind,nextPageToken,files(kind,id,name,mimeType)")


def _file_create(service: Service, ask: Ask) -> Json:
    if ask.body.get("mimeType") != drive.SPREADSHEET:
        raise unimplemented("a file that is no spreadsheet")
    if "parents" in ask.body:
        raise unimplemented("folders")
    book = service.add(ask.body.get("name", "Untitled"), ask.user)
    described = service.file(book.id).described(book.title)
    return drive.selected(described, ask.parameters, "kind,id,name,mimeType")


def _file_delete(service: Service, ask: Ask) -> Json:
    service.delete(ask.book)
    return {}


def _permission_list(service: Service, ask: Ask) -> Json:
    # Documented as known to those who can share the file, which readers cannot.
    if not service.file(ask.book).may(ask.user, "writer"):
        raise ApiError(403, "The user does not have sufficient permissions for this file.")
    shown = [permission.described() for permission in service.file(ask.book).permissions]
    result = {"kind": "drive#permissionList", "permissions": shown}
    return drive.selected(result, ask.parameters, "kind,permissions(kind,id,type,role)")


def _permission_create(service: Service, ask: Ask) -> Json:
    # A handful a file: the highest number there plus one is never one that was given away.
    ids = [int(p.id) for p in service.file(ask.book).permissions if p.id.isdigit()]
    permission = drive.new_permission(str(max(ids, default=0) + 1), ask.body)
    service.permit(ask.book, permission)
    return drive.selected(permission.described(), ask.parameters, "kind,id,type,role")


def _permission_delete(service: Service, ask: Ask) -> Json:
    id = ask.parameters["permissionId"]
    if all(permission.id != id for permission in service.file(ask.book).permissions):
        raise ApiError(404, f"Permission not found: {id}.")
    service.forbid(ask.book, lambda permission: permission.id != id)
    return {}


def _about(_: Service, ask: Ask) -> Json:
    if not ask.parameters.get("fields"):
        raise bad("The 'fields' parameter is required for this method.")
    user = {"kind": "drive#user", "displayName": ask.user, "me": True, "emailAddress": ask.user}
    return drive.selected({"kind": "drive#about", "user": user}, ask.parameters, "user")


Handler = Callable[[Service, Ask], Json]
HANDLERS: dict[str, Handler] = {
    "sheets.spreadsheets.get": _get,
    "sheets.spreadsheets.getByDataFilter": _get_by_filter,
    "sheets.spreadsheets.create": _create,
    "sheets.spreadsheets.batchUpdate": _batch_update,
    "sheets.spreadsheets.developerMetadata.get": _metadata_get,
    "sheets.spreadsheets.developerMetadata.search": _metadata_search,
    "sheets.spreadsheets.values.get": _values_get,
    "sheets.spreadsheets.values.batchGet": _values_batch_get,
    "sheets.spreadsheets.values.batchGetByDataFilter": _values_by_filter,
    "sheets.spreadsheets.values.update": _values_update,
    "sheets.spreadsheets.values.batchUpdate": _values_batch_update,
    "sheets.spreadsheets.values.append": _values_append,
    "sheets.spreadsheets.values.clear": _values_clear,
    "sheets.spreadsheets.values.batchClear": _values_batch_clear,
    "drive.files.get": _file_get,
    "drive.files.list": _file_list,
    "drive.files.create": _file_create,
    "drive.files.delete": _file_delete,
    "drive.permissions.list": _permission_list,
    "drive.permissions.create": _permission_create,
    "drive.permissions.delete": _permission_delete,
    "drive.about.get": _about,
}
