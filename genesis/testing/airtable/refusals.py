"""What Airtable says when it does not do what it was asked."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        super().__init__(f"{status} {body}")


def refusal(status: int, type_: str, message: str) -> Refusal:
    return Refusal(status, {"error": {"type": type_, "message": message}})


def not_done(what: str) -> Refusal:
    """Of the emulator, never of Airtable."""
    return refusal(501, "NOT_EMULATED", f"the emulator does not do {what}")


def invalid(message: str) -> Refusal:
    return refusal(422, "INVALID_REQUEST_UNKNOWN", message)


def no_token() -> Refusal:
    return refusal(401, "AUTHENTICATION_REQUIRED", "Authentication required")


def wrong_token() -> Refusal:
    return refusal(401, "UNAUTHORIZED", "Invalid authentication token")


def not_permitted() -> Refusal:
    return refusal(
        403,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found. Check that both your user and"
        " your token have the required permissions, and that the model names and/or ids are"
        " correct.",
    )


def not_found() -> Refusal:
    return Refusal(404, {"error": "NOT_FOUND"})


def record_gone() -> Refusal:
    return refusal(404, "MODEL_ID_NOT_FOUND", "Record not found")


def no_such_record(id_: str) -> Refusal:
    return refusal(422, "ROW_DOES_NOT_EXIST", f"Record ID {id_} does not exist in this table")


def unknown_field(name: str) -> Refusal:
    return refusal(422, "UNKNOWN_FIELD_NAME", f'Unknown field name: "{name}"')


def bad_value(field: str) -> Refusal:
    message = f'Field "{field}" cannot accept the provided value'
    return refusal(422, "INVALID_VALUE_FOR_COLUMN", message)


def computed(field: str) -> Refusal:
    message = f'Field "{field}" cannot accept a value because the field is computed'
    return refusal(422, "INVALID_VALUE_FOR_COLUMN", message)


def new_option(name: str) -> Refusal:
    message = f'Insufficient permissions to create new select option "{name}"'
    return refusal(422, "INVALID_MULTIPLE_CHOICE_OPTIONS", message)


def bad_records(what: str) -> Refusal:
    message = f"You must provide an array of up to 10 record {what}."
    return refusal(422, "INVALID_RECORDS", message)


def bad_body() -> Refusal:
    return refusal(422, "INVALID_REQUEST_BODY", "Could not parse request body")


def lost_place() -> Refusal:
    return Refusal(422, {"error": {"type": "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"}})


def several_matches() -> Refusal:
    return invalid("performUpsert matched more than one record")


def full_base(limit: int) -> Refusal:
    message = f"This base has reached its record limit of {limit} records"
    return refusal(422, "RECORD_LIMIT_EXCEEDED", message)


def duplicate_field() -> Refusal:
    message = "A field with this name already exists, or the name is empty"
    return refusal(422, "DUPLICATE_OR_EMPTY_FIELD_NAME", message)


def duplicate_table() -> Refusal:
    return refusal(422, "DUPLICATE_TABLE_NAME", "A table with this name already exists")


def too_fast() -> Refusal:
    message = "Rate limit exceeded. Please try again later"
    return Refusal(429, {"errors": [{"error": "RATE_LIMIT_REACHED", "message": message}]})


def month_spent() -> Refusal:
    message = "The API billing plan limit has been exceeded for this workspace"
    return Refusal(
        429, {"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "message": message}]}
    )


def unavailable() -> Refusal:
    message = "The server could not process your request in time"
    return refusal(503, "RETRIABLE_ERROR", message)
