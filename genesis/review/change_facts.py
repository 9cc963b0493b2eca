"""What a change does, as plain data, all of it: `genesis/diff@1` for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from genesis.compile.statement import Column
from genesis.errors import Location, Problem
from genesis.review.changed import Change, Reason, Touched, Version
from genesis.review.reviewed import Looked, Review

SCHEMA = "genesis/diff@1"


def diff_facts(review: Review) -> dict[str, Any]:
    """The members of a diff, by their names; `rows` of a change where somebody looked at them."""
    told = review.diff
    return {
        "schema": SCHEMA,
        "dialect": told.dialect,
        "unchanged": told.unchanged,
        "changes": [_change(change, review) for change in told.changes],
        "touched": list(map(_touched, told.touched)),
    }


def _change(change: Change, review: Review) -> dict[str, Any]:
    return {
        "subject": change.subject,
        "name": change.name,
        "old_name": change.old_name,
        "kind": change.kind,
        "owner": change.owner,
        "aspects": list(change.aspects),
        "reasons": list(map(_reason, change.reasons)),
        "differences": [asdict(one) for one in change.differences],
        "risks": [asdict(mark) for mark in review.marks(change)],
        "rows": _rows(review.looked.get(change.name)),
        "before": _version(change.before),
        "after": _version(change.after),
    }


def _rows(looked: Looked | None) -> dict[str, Any] | None:
    if looked is None or looked.rows is None:
        return {"refused": looked.refused} if looked else None
    rows = looked.rows
    samples = [
        {"kind": one.kind, "cells": [cell._asdict() for cell in one.cells]} for one in rows.samples
    ]
    return {**asdict(rows), "columns": dict(rows.columns), "samples": samples}


def _version(version: Version | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "input": version.input,
        "title": version.title,
        "owner": version.owner,
        "sink": version.sink,
        "schedule": version.schedule,
        "at": _place(version.at),
        "sql": version.sql,
        "columns": list(map(_column, version.columns)),
        "problems": list(map(_problem, version.problems)),
    }


def _column(column: Column) -> dict[str, Any]:
    return {**asdict(column), "type": str(column.type)}


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "kind": reason.kind,
        "name": reason.name,
        "edit": reason.edit,
        "keys": list(reason.keys),
        "at": _place(reason.at),
    }


def _touched(one: Touched) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "why": one.why,
        "parts": list(one.parts),
        "users": list(one.users),
        "at": _place(one.at),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    told = {"code": problem.code, "message": problem.message, "hint": problem.hint}
    return {**told, "at": _place(problem.at)}


def _place(at: Location | None) -> dict[str, Any] | None:
    return {"file": at.file, "line": at.line, "column": at.column} if at is not None else None
