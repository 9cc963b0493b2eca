"""The language reference keeps its word: every key is in it, and every YAML example is loaded and compiled.

The tables of `docs/language.md` are made from the models; `--accept` writes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from genesis.compile.check import check_project
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.errors import Problems
from genesis.load import load_project
from genesis.schema.shapes import NAME, Schema, models, shapes
from genesis.schema.texts import texts_of
from genesis.spec.model import Definition, Model
from genesis.spec.project import Project

FILE = Path(__file__).parents[1] / "docs" / "language.md"
TABLE = re.compile(r"<!-- keys of (\w+) -->\n(.*?)<!-- end of keys -->\n", re.DOTALL)
MODELS = {model.__name__: model for model in models()}

WORDS = {
    "DataSource": "data source",
    "ReportTest": "test",
    "AsOf": "`as_of`",
    "Pick": "`pick`",
    "Latest": "`latest`",
    "Place": "`to`",
    "Against": "`against`",
    "ProjectFile": "`genesis.yaml`",
    "GoogleSheetsPlace": "`google_sheets`",
    "AirtablePlace": "`airtable`",
    "XlsxPlace": "`xlsx`",
    "FilePlace": "`csv` and `parquet`",
    "DuckDBPlace": "`duckdb`",
    "Alerts": "`alerts`",
    "EngineConfig": "`engine`",
    "CatalogConfig": "`catalog`",
    "DuckDBTarget": "`engine: duckdb`",
    "TrinoTarget": "`engine: trino`",
    "TrinoAuth": "`auth`",
    "SqlCatalog": "`catalog: sql`",
    "RestCatalog": "`catalog: rest`",
    "Sinks": "`sinks`",
    "GoogleSheetsAccess": "`sinks: google_sheets`",
    "AirtableAccess": "`sinks: airtable`",
    "SourceSystem": "source system",
    "Receiver": "alert receiver",
}


def test_the_tables_say_what_the_models_say(accept: bool) -> None:
    """Each model has one table; keys, types, defaults, meanings and examples are the models'."""
    text = FILE.read_text(encoding="utf-8")
    schemas = shapes()
    made = TABLE.sub(lambda found: _section(MODELS[found[1]], schemas), text)
    if accept:
        FILE.write_text(made, encoding="utf-8")
        text = made
    assert sorted(found[1] for found in TABLE.finditer(text)) == sorted(MODELS)
    assert made == text, "run `make accept`, and read the diff"


def _section(model: type[Model], schemas: dict[str, Schema]) -> str:
    schema = schemas[model.__name__]
    rows = "\n".join(_rows(model, schema))
    head = f"#### Keys of {_words(model.__name__)}\n"
    columns = "| key | what it says | type | default | example |\n|---|---|---|---|---|"
    return f"<!-- keys of {model.__name__} -->\n{head}\n{columns}\n{rows}\n\n<!-- end of keys -->\n"


def _words(name: str) -> str:
    return WORDS.get(name) or name.lower()


def _rows(model: type[Model], schema: Schema) -> list[str]:
    texts, rows = texts_of(model), []
    for name, field in model.model_fields.items():
        is_name = name == "name" and issubclass(model, Definition)
        key = model.kind if is_name else field.alias or name  # type: ignore[attr-defined]
        about = schema["properties"][key]
        meaning = about["description"] if is_name else texts[name].meaning
        example = f"{key}: production" if is_name else texts[name].example
        default = "required" if key in schema.get("required", ()) else _default(about)
        cells = (f"`{key}`", meaning, _type(about), default, f"`{example}`")
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return rows


def _default(about: Schema) -> str:
    match about.get("default"):
        case None:
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case list() as values:
            return f"`[{', '.join(values)}]`"
        case value:
            return f"`{value}`" if value != ", " else '`", "`'


def _type(about: Schema) -> str:
    """What a key takes, in words."""
    kinds = [kind for kind in about.get("anyOf", [about]) if kind != {"type": "null"}]
    return ", or ".join(dict.fromkeys(map(_kind, kinds)))


def _kind(kind: Schema) -> str:
    match kind:
        case {"$ref": "#/$defs/timezone"}:
            return "time zone"
        case {"$ref": reference}:
            words = _words(reference.rpartition("/")[2])
            anchor = f"keys-of-{words}".replace(" ", "-").replace("`", "").replace(":", "")
            return f"[{words}](#{anchor.replace('.', '')})"
        case {"anyOf": _}:
            return _type(kind)
        case {"enum": ["string", *_]}:
            return "[type](#types)"
        case {"enum": choices}:
            return ", ".join(f"`{choice}`" for choice in choices)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict() as values}:
            return f"mapping of names to {_type(values)}"
        case {"type": list()}:
            return "one value"
        case {"pattern": pattern}:
            return _pattern(pattern)
        case {"type": type_}:
            return {
                "boolean": "`true`, `false`",
                "string": "text",
                "integer": "whole number",
                "number": "number",
            }[type_]
    raise AssertionError(f"no words for {kind}")


def _pattern(pattern: str) -> str:
    if pattern == NAME["pattern"]:
        return "name"
    if "smhdw" in pattern:
        return "length of time"
    if "[0-5]" in pattern:
        return "time of day"
    if "env" in pattern:
        return "secret"
    return "share (`20%`)" if pattern.endswith("%$") else "[type](#types)"


# --- examples ---------------------------------------------------------------------------------------


def blocks() -> list[str]:
    text = FILE.read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Problems]:
    """The page's YAML as one project: the block that names a `project` is its `genesis.yaml`."""
    root = tmp_path_factory.mktemp("page")
    (root / "definitions").mkdir()
    for number, block in enumerate(blocks()):
        is_settings = block.startswith("project:")
        name = "genesis.yaml" if is_settings else f"definitions/block_{number:02}.yaml"
        (root / name).write_text(block, encoding="utf-8")
    problems = Problems()
    return load_project(root, problems), problems


def test_every_example_is_right(page: tuple[Project, Problems]) -> None:
    """A check of the whole page has nothing to tell but that some data sources are in no report."""
    project, problems = page
    check_project(project, problems)
    told = [str(problem) for problem in problems if problem.code != "unused-data-source"]
    assert told == []


@pytest.mark.parametrize("dialect", ["duckdb", "trino"])
def test_every_input_compiles(page: tuple[Project, Problems], dialect: str) -> None:
    """For both engines."""
    project, _ = page
    assert len(project.inputs) >= 9
    for name in project.inputs:
        run = Run({"region": "EMEA"} if "region" in project.inputs[name].parameters else {})
        assert compile_input(project, name, dialect, run).sql


def test_every_kind_of_document_is_shown(page: tuple[Project, Problems]) -> None:
    """Settings and formatters, templates and audits among them."""
    project, _ = page
    assert project.settings.project == "studio"
    kinds: tuple[Any, ...] = (
        project.data_sources,
        project.formatters,
        project.workflows,
        project.audits,
        project.templates,
        project.tests,
    )
    assert all(kinds)


def test_links_lead_somewhere() -> None:
    """Every `#anchor` is a heading's, every other link a file's."""
    text = FILE.read_text(encoding="utf-8")
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    files = re.findall(r"\]\(([^#)]+)\)", text)
    assert all((FILE.parent / file).is_file() for file in files)
