"""The demo's tables in small, made by hashing: gaps, namesakes and rows without partners included."""

from __future__ import annotations

from pathlib import Path

from genesis.engines.copies import CopiesEngine

FIXTURES = Path(__file__).parents[1] / "fixtures" / "import"

_DRAW = "CAST(hash({0}, '{1}') % {2} AS BIGINT)"


def _draw(what: str, n: int, of: str = "k") -> str:
    return _DRAW.format(of, what, n)


def _one_of(what: str, *words: str, of: str = "k") -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"([{listed}])[1 + {_draw(what, len(words), of)}]"


def _unless(what: str, n: int, value: str) -> str:
    return f"CASE WHEN {_draw(what, n)} = 0 THEN NULL ELSE {value} END"


def _day(what: str, days: int) -> str:
    return f"DATE '2026-01-01' + CAST({_draw(what, days)} AS INTEGER)"


TABLES = {
    "studio.location": (12, {
        "location_id": "'L' || k", "city": _one_of("city", "Oslo", "Perth", "Nadi", "Leeds"),
        "country": _one_of("country", "NO", "AU", "FJ", "GB"), "region": _one_of("region", "EMEA", "APAC", "UCAN"),
        "has_stage": f"{_draw('stage', 2)} = 0"}),
    "studio.person": (40, {
        "person_id": "k", "full_name": _one_of("name", "Ana Lima", "Bo Ek", "Chi Wu", "Dee Roy", "Eli Orr"),
        "email": _unless("mail", 5, "'p' || k || '@studio.example.com'"),
        "home_id": _unless("home", 6, f"'L' || {_draw('home', 14)}"), "guild": _unless("guild", 3, _one_of("g", "DGA", "WGA")),
        "hired_on": _unless("hired", 7, _day("hired", 300)), "active": f"{_draw('active', 5)} > 0"}),
    "studio.movie": (30, {
        "movie_id": "k", "title": _one_of("title", "Dune", "Heat", "Solaris", "Ran", "Brazil", "NO"),
        "release_year": _unless("year", 6, f"1960 + {_draw('year', 60)}"),
        "delivery_date": _unless("delivery", 5, _day("delivery", 400)), "launch_date": _unless("launch", 5, _day("launch", 500))}),
    "studio.production": (60, {
        "production_id": "k", "movie_id": _unless("movie", 8, f"1 + {_draw('movie', 34)}"), "code": "'P-' || k",
        "working_title": _unless("wt", 6, _one_of("wt", "Blue", "Red", "Green", "Grey")),
        "kind": _one_of("kind", "REMAKE", "SEQUEL", "SERIES"),
        "status_code": _one_of("status", "DEV", "PREP", "SHOOT", "POST", "DONE"),
        "start_date": _unless("start", 5, _day("start", 300)), "wrap_date": _unless("wrap", 4, _day("wrap", 420)),
        "budget": _unless("budget", 7, f"CAST({_draw('budget', 90000000)} / 100 AS DECIMAL(18, 2))"),
        "line_producer_id": _unless("lp", 5, f"1 + {_draw('lp', 44)}"), "director_id": _unless("dir", 5, f"1 + {_draw('dir', 44)}"),
        "base_id": _unless("base", 6, f"'L' || {_draw('base', 14)}"), "is_test": f"{_draw('test', 9)} = 0"}),
    "studio.task": (400, {
        "task_id": "k", "production_id": _unless("prod", 15, f"1 + {_draw('prod', 55)}"),
        "title": _one_of("title", "Book crane", "Sign lease", "Cut reel"),
        "department": _unless("dep", 8, _one_of("dep", "Art", "Camera", "Sound")),
        "status": _one_of("status", "TODO", "DOING", "BLOCKED", "DONE"), "priority": f"1 + {_draw('prio', 5)}",
        "due_date": _unless("due", 6, _day("due", 400)), "assignee_id": _unless("who", 5, f"1 + {_draw('who', 44)}"),
        "estimate_hours": _unless("est", 6, f"CAST({_draw('est', 400)} / 10 AS DECIMAL(6, 1))")}),
    "studio.vendor": (20, {
        "vendor_id": "'V' || k", "name": _one_of("name", "Acme", "Bolt", "Core", "Dyne", "Echo"),
        "kind": _one_of("kind", "VFX", "SOUND", "CATERING"), "rating": _unless("rate", 4, f"CAST({_draw('rate', 50)} AS DOUBLE) / 10")}),
    "studio.vendor_contract": (140, {
        "contract_id": "k", "production_id": f"1 + {_draw('prod', 64)}", "vendor_id": f"'V' || (1 + {_draw('vendor', 22)})",
        "kind": _one_of("kind", "VFX", "SOUND", "INSURANCE"), "amount": f"CAST({_draw('amount', 900000)} / 100 AS DECIMAL(18, 2))",
        "signed": f"{_draw('signed', 3)} > 0", "signed_on": _unless("son", 3, _day("son", 300)), "active": f"{_draw('act', 4)} > 0"}),
    "studio.invoice": (200, {
        "invoice_id": "k", "contract_id": f"1 + {_draw('contract', 150)}", "amount": f"CAST({_draw('amount', 90000)} / 100 AS DECIMAL(18, 2))",
        "invoiced_on": _day("on", 300), "due_on": _day("due", 330), "paid_on": _unless("paid", 2, _day("paid", 360))}),
    "studio.note": (150, {
        "note_id": "k", "production_id": f"1 + {_draw('prod', 64)}", "author_id": _unless("author", 6, f"1 + {_draw('author', 44)}"),
        "created_at": f"TIMESTAMP '2026-01-01 08:00:00' + INTERVAL ({_draw('at', 40)}) DAY", "text": "'note ' || k",
        "pinned": f"{_draw('pin', 4)} = 0"}),
    "studio.schedule_day": (200, {
        "schedule_day_id": "k", "production_id": f"1 + {_draw('prod', 64)}", "shoot_date": _day("shoot", 300),
        "unit": _one_of("unit", "Main", "Second"), "location_id": _unless("loc", 9, f"'L' || {_draw('loc', 14)}"),
        "status": _one_of("status", "PLANNED", "SHOT", "CANCELLED")}),
}  # fmt: skip

_CREDIT = f"""SELECT DISTINCT 1 + {_draw("p", 64)} AS production_id, 1 + {_draw("q", 44)} AS person_id,
{_one_of("r", "DIRECTOR", "LEAD", "CAST")} AS role, CAST(NULL AS BIGINT) AS billing FROM range(1, 181) AS t(k)"""

# Each production as it was written two or three times; some are deleted at last.
_LOG = """SELECT p.* REPLACE (CASE WHEN n = 2 THEN p.status_code ELSE 'DEV' END AS status_code),
TIMESTAMP '2026-01-01' + INTERVAL (n) DAY AS _ts, p.production_id * 10 + n AS _pos,
CASE WHEN n = 2 AND p.production_id % 11 = 0 THEN 'd' ELSE 'u' END AS _op
FROM studio.production AS p, range(0, 3) AS t(n)"""


def studio() -> CopiesEngine:
    """An engine with the studio's tables."""
    engine = CopiesEngine()
    for name, (rows, columns) in TABLES.items():
        listed = ", ".join(f"{value} AS {column}" for column, value in columns.items())
        engine.make(name, f"SELECT {listed} FROM range(1, {rows + 1}) AS t(k)")
    engine.make("studio.credit", _CREDIT)
    engine.make("studio.production_events", _LOG)
    return engine
