"""As much of Drive v3 as a client of spreadsheets needs: files, who may read them, who am I.

Only spreadsheets are in this drive. A search is understood in the words that gspread uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from genesis.testing.sheets.answers import ApiError, Json, bad, unimplemented
from genesis.testing.sheets.masks import chosen, parse_mask

SPREADSHEET = "application/vnd.google-apps.spreadsheet"
_ROLES = {"owner": 3, "writer": 2, "commenter": 1, "reader": 1}
_CLAUSE = re.compile(r"""(mimeType|name)\s*=\s*["'](.*)["']|(trashed)\s*=\s*(true|false)""")


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do what with a file: `kind` is user, group, domain or anyone."""

    id: str
    kind: str
    role: str
    who: str = ""

    def described(self) -> Json:
        """As Drive shows it."""
        result = {"kind": "drive#permission", "id": self.id, "type": self.kind, "role": self.role}
        if self.kind == "domain":
            return result | {"domain": self.who}
        return result | ({"emailAddress": self.who} if self.who else {})


@dataclass(frozen=True, slots=True)
class File:
    """A spreadsheet, as Drive knows it. `changes` counts what was done to it."""

    id: str
    created: datetime
    modified: datetime
    permissions: tuple[Permission, ...] = field(default=())
    changes: int = 1

    def may(self, user: str, role: str) -> bool:
        """Whether a user has a role, or more."""
        return any(
            _ROLES[permission.role] >= _ROLES[role]
            for permission in self.permissions
            if permission.kind == "anyone"
            or permission.who == user
            or (permission.kind == "domain" and user.endswith("@" + permission.who))
        )

    def touched(self, now: datetime) -> File:
        """The file after a change."""
        return replace(self, modified=now, changes=self.changes + 1)

    def described(self, name: str) -> Json:
        """All that is known of it, in Drive's words."""
        return {
            "kind": "drive#file",
            "id": self.id,
            "name": name,
            "mimeType": SPREADSHEET,
            "createdTime": _time(self.created),
            "modifiedTime": _time(self.modified),
            "version": str(self.changes),
            "trashed": False,
            "permissions": [permission.described() for permission in self.permissions],
        }


def _time(moment: datetime) -> str:
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )


def not_found(id: str) -> ApiError:
    """Drive says so too of a file that is there and not shared."""
    return ApiError(404, f"File not found: {id}.")


def selected(body: Json, parameters: Json, default: str) -> Json:
    """The part of an answer that `fields` names; Drive shows little without it."""
    return chosen(parse_mask(parameters.get("fields") or default), body)


def check_search(parameters: Json) -> str | None:
    """The name that a search is for, or None for all. Raises `ApiError` 501 for other searches."""
    name = None
    for clause in (parameters.get("q") or "").split(" and "):
        match = _CLAUSE.fullmatch(clause.strip())
        if clause.strip() and not match:
            raise unimplemented(f"the search `{clause.strip()}`")
        if match and match[1] == "name":
            name = match[2]
    return name


def new_permission(id: str, given: Json) -> Permission:
    """A permission that a client asks for."""
    kind, role = given.get("type", ""), given.get("role", "")
    if kind not in ("user", "group", "domain", "anyone") or role not in _ROLES:
        raise bad("The specified permission type or role is invalid.")
    who = given.get("domain", "") if kind == "domain" else given.get("emailAddress", "")
    if kind != "anyone" and not who:
        raise bad("The permission needs an email address or a domain.")
    return Permission("anyoneWithLink" if kind == "anyone" else id, kind, role, who)
