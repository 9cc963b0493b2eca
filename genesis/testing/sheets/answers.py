"""What the emulator says no with: the error bodies that Google's APIs answer with.

The wording is Google's where a live answer was seen (`tests/testing/sheets/test_wording.py` lists
those); elsewhere it is plain English, and no client should read it.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ApiError(Exception):
    """A call that is refused; nothing of it happened."""

    def __init__(self, code: int, message: str, *details: Json) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details

    def body(self) -> Json:
        """The error as Google's APIs put it."""
        error: Json = {"code": self.code, "message": self.message, "status": STATUSES[self.code]}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


def bad(message: str) -> ApiError:
    """What the caller asked for is wrong (400)."""
    return ApiError(400, message)


def unimplemented(what: str) -> ApiError:
    """Google knows `what`, and this emulator does not (501)."""
    return ApiError(501, f"The emulator does not implement {what}")


def quota_exceeded(kind: str, per: str, value: int) -> ApiError:
    """Too many calls in a minute: `kind` is Read or Write, `per` is User or Project."""
    metric = f"{kind} requests"
    limit = f"{metric} per minute" + (" per user" if per == "User" else "")
    message = (
        f"Quota exceeded for quota metric '{metric}' and limit '{limit}' of service "
        "'sheets.googleapis.com' for consumer 'project_number:1'."
    )
    metadata = {
        "quota_limit": f"{kind}RequestsPerMinutePer{per}",
        "quota_limit_value": str(value),
        "quota_metric": f"sheets.googleapis.com/{kind.lower()}_requests",
        "consumer": "projects/1",
        "service": "sheets.googleapis.com",
    }
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": metadata,
    }
    return ApiError(429, message, info)
