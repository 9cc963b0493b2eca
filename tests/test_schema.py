"""The JSON Schemas agree with the loader: whatever it reads they take, and what it refuses they refuse."""

from __future__ import annotations

import copy
import functools
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from genesis.cli import run_command
from genesis.compile.check import check_project
from genesis.document import Document, read_documents
from genesis.errors import Problem, Problems
from genesis.load import load_files, load_project
from genesis.schema.documents import KINDS, schema_of
from genesis.schema.shapes import Schema, models, shapes
from genesis.schema.texts import Text, texts_of
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input
from genesis.spec.model import (
    Checked,
    Definition,
    Located,
    Model,
    read_definition,
    read_entries,
    read_model,
)
from genesis.spec.project import Project, ProjectFile
from genesis.spec.report_test import ReportTest
from genesis.spec.workflow import Audit, Template, Workflow

ROOT = Path(__file__).parents[1]
CASES = sorted((ROOT / "tests" / "fixtures" / "cases").iterdir())
ERRORS = sorted(
    folder
    for folder in (ROOT / "tests" / "fixtures" / "errors").iterdir()
    if (folder / "expected.txt").exists()
)

# What the schemas can tell, too: the shape of documents, and names of the project.
TOLD = {
    "unknown-document",
    "unknown-key",
    "missing-key",
    "wrong-type",
    "wrong-choice",
    "wrong-name",
    "conflicting-keys",
    "clear-secret",
    "wrong-reference",
    "unknown-type",
    "unknown-timezone",
    "unknown-data-source",
    "unknown-formatter",
    "unknown-input",
    "unknown-audit",
    "unknown-set",
    "unknown-template",
    "unknown-alert",
    "unknown-source",
    "unknown-parameter",
    "unknown-target",
}

# Where the loader knows more, by a part of what it says: JSON Schema has no word for these.
LENIENT = (
    "a password stands in clear",  # within an address
    "unknown target",  # `default_target` is one of the targets beside it
    "is not the first",  # a mapping has no order
    "refers to nothing",
    "leads out of the project",
    "and so does what it uses",  # a template that lacks what the job lacks
    "unknown parameter",  # within expressions
    "this is string, and what stands beside it is integer",  # within expressions
    "`*` takes numbers, this is string",
)


@functools.cache
def validator(project_file: bool = False) -> Draft202012Validator:
    """What validates documents of any project, or `genesis.yaml`: no names are known."""
    kind = "project" if project_file else "documents"
    return Draft202012Validator(schema_of(kind, Project(ProjectFile())))


def documents_of(folder: Path) -> Iterator[Document]:
    """The documents of a folder's YAML that can be read at all."""
    places = ("definitions", "inputs", "workflows")
    files = sorted(file for place in places for file in (folder / place).rglob("*.yaml"))
    for file in [*files, *folder.glob("input.yaml"), *folder.glob("genesis.yaml")]:
        name = file.relative_to(folder).as_posix()
        yield from read_documents(name, file.read_bytes(), Problems())


def project_of(folder: Path, problems: Problems) -> Project:
    if (folder / "input.yaml").exists():
        return load_files(folder, [folder / "definitions", folder / "input.yaml"], problems)
    return load_project(folder, problems)


def refused(folder: Path, project: Project) -> list[Document]:
    """The documents that the schemas with the project's own names refuse."""
    valid = {
        kind: Draft202012Validator(schema_of(kind, project)).is_valid
        for kind in ("documents", "project")
    }
    return [
        document
        for document in documents_of(folder)
        if not valid["project" if document.file == "genesis.yaml" else "documents"](document.data)
    ]


# --- the repository's own YAML ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_json_schemas(kind: str) -> None:
    """Each is a schema of draft 2020-12, and refers to nothing that it does not hold."""
    schema = schema_of(kind, load_project(ROOT, Problems()))
    Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    used = {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert used == set(schema["$defs"])


@pytest.mark.parametrize(
    "folder", [ROOT, ROOT / "tests" / "tpch", *CASES], ids=lambda folder: folder.name
)
def test_what_is_right_is_taken(folder: Path) -> None:
    """Every document of the studio and of the cases is valid, with the names of its project."""
    assert refused(folder, project_of(folder, Problems())) == []


@pytest.mark.parametrize("folder", ERRORS, ids=lambda folder: folder.name)
def test_what_is_wrong_is_refused_where_it_is_wrong(folder: Path) -> None:
    """A document is refused just when the loader tells a mistake of shape or name in it."""
    problems = Problems()
    project = project_of(folder, problems)
    check_project(project, problems)
    told = [problem for problem in problems.errors if problem.code in TOLD]
    wrong = {place(document) for document in refused(folder, project)}
    everything = list(documents_of(folder))
    expected = {place(document_at(problem, everything)) for problem in told if is_seen(problem)}
    assert wrong == expected


def is_seen(problem: Problem) -> bool:
    return not any(words in problem.message for words in LENIENT)


def place(document: Document) -> tuple[str, int]:
    return document.file, document.locate().line


def document_at(problem: Problem, documents: list[Document]) -> Document:
    """The last document of the problem's file that starts at or above its line."""
    assert problem.at is not None
    line, file = problem.at.line, problem.at.file
    above = [d for d in documents if d.file == file and d.locate().line <= line]
    return above[-1]


# --- random mutations -------------------------------------------------------------------------------

READ = [document for folder in (ROOT, *CASES, *ERRORS) for document in documents_of(folder)]
SOUND = [document for document in READ if isinstance(document.data, dict)]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 1.5, "", "x", "integer", "decimal(39,2)", "decimal( 3 , 1 )", "array(json)",
    "us_date", "20%", "101%", "7d", "7 d", "UTC", "Mars/Base", "Bad Name", "${env:X}", "summary", "keep",
    [], ["a"], [1], [["a"]], {}, {"a": "b"}, {"field": "x"}, {"A": {"type": "date"}},
]  # fmt: skip
KEYS = sorted({key for schema in shapes().values() for key in schema.get("properties", {})})


def mutated(data: Any, choose: random.Random) -> Any:
    """The data with one thing changed: a value, a key, an entry more or one less."""
    data = copy.deepcopy(data)
    spots = list(_containers(data))
    container = choose.choice(spots)
    if isinstance(container, list):
        if container and choose.random() < 0.7:
            container[choose.randrange(len(container))] = choose.choice(VALUES)
        else:
            container.append(choose.choice(VALUES))
        return data
    match choose.randrange(4):
        case 0 if container:
            del container[choose.choice(list(container))]
        case 1 if container:
            container[choose.choice(list(container))] = choose.choice(VALUES)
        case 2 if container:
            old = choose.choice(list(container))
            container[choose.choice([*KEYS, "strange", "Not a name"])] = container.pop(old)
        case _:
            container[choose.choice(KEYS)] = choose.choice(VALUES)
    return data


def _containers(data: Any) -> Iterator[Any]:
    if isinstance(data, dict | list):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from _containers(value)


# What the loader refuses and no schema can: see `LENIENT`.
MORE_LENIENT = (
    *LENIENT,
    "unknown type",  # the digits of a decimal, the items of an array
    "should be a whole number, not `1.0`",
    "`cron`",  # its five fields
    "`every` should be some time",
)


@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=1500,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, 2**32), st.integers(1, 3))
def test_schema_and_loader_agree(at: int, seed: int, times: int) -> None:
    """On documents with up to three random changes; the schema is never the stricter one."""
    compare_with_loader(SOUND[at], random.Random(seed), times)


def compare_with_loader(document: Document, choose: random.Random, times: int) -> None:
    data = document.data
    for _ in range(times):
        data = mutated(data, choose)
    problems = Problems()
    is_project = document.file == "genesis.yaml"
    read(json.dumps(data), problems, is_project=is_project)
    is_valid = validator(is_project).is_valid(data)
    if not problems.errors:
        assert is_valid, (data, [e.message for e in validator(is_project).iter_errors(data)])
    elif any(is_seen_in_text(problem) for problem in problems.errors):
        assert not is_valid, (data, [str(problem) for problem in problems])


def is_seen_in_text(problem: Problem) -> bool:
    return not any(words in problem.message for words in MORE_LENIENT)


def read(text: str, problems: Problems, *, is_project: bool) -> None:
    """Read a document as the loader does, by its first key."""
    for document in read_documents("x.yaml", text, problems):
        kind = next(iter(document.data), "")
        if is_project:
            read_model(ProjectFile, document, problems)
        elif kind in DEFINITIONS:
            read_definition(DEFINITIONS[kind], document, problems)
        elif kind in ENTRIES:
            read_entries(ENTRIES[kind], document, problems)
        elif not {*document.data} & {*DEFINITIONS, *ENTRIES}:
            problems.add("unknown-document", "no key says what it is", document.locate())
        else:
            problems.add("unknown-document", "the key is not the first", document.locate())


DEFINITIONS: dict[str, type[Definition]] = {m.kind: m for m in (DataSource, Input, Workflow, Audit)}
ENTRIES: dict[str, type[Located]] = {
    "formatters": Formatter,
    "templates": Template,
    "tests": ReportTest,
}


# A whole project of every kind of document: the language reference's.
PAGE = [
    block
    for block in re.findall(
        r"^```yaml\n(.*?)^```$",
        (ROOT / "docs" / "language.md").read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    if not block.startswith("project:")
]


@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**32))
def test_what_a_check_finds_nothing_in_is_taken(tmp_path_factory: Any, seed: int) -> None:
    """With names of the project as it then is: nothing that is right is marked in an editor."""
    root = tmp_path_factory.mktemp("page")
    compare_with_check(root, random.Random(seed))


def compare_with_check(root: Path, choose: random.Random) -> bool:
    """Change one document of a project; whether its check finds nothing."""
    documents = [d.data for block in PAGE for d in read_documents("x", block, Problems())]
    at = choose.randrange(len(documents))
    documents[at] = mutated(documents[at], choose)
    (root / "genesis.yaml").write_text(SETTINGS, encoding="utf-8")
    (root / "definitions").mkdir(exist_ok=True)
    text = "\n---\n".join(map(json.dumps, documents))
    (root / "definitions" / "all.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    project = load_project(root, problems)
    check_project(project, problems)
    if problems.errors:
        return False
    valid = Draft202012Validator(schema_of("documents", project))
    assert valid.is_valid(documents[at]), documents[at]
    return True


SETTINGS = """
sources: {studio_db: {postgres: "${env:STUDIO_DB_URL}"}}
alerts: {slack_ops: {webhook: "${env:SLACK_WEBHOOK}"}}
"""


# --- keys, texts and rules --------------------------------------------------------------------------

KEYED = [
    pytest.param(model, name, id=f"{model.__name__}.{field.alias or name}")
    for model in models()
    for name, field in model.model_fields.items()
    if not (name == "name" and issubclass(model, Definition))
]


@pytest.mark.parametrize(("model", "name"), KEYED)
def test_every_key_has_a_meaning_and_an_example(model: type[Model], name: str) -> None:
    """The example shows just that key, and the loader and the schema take its value."""
    text = texts_of(model).get(name)
    assert text is not None, f"say below `{name}` of `{model.__name__}` what it means"
    assert text.example, f"end the text with an example: `{name}: ...`."
    field = model.model_fields[name]
    [(key, value)] = _example(text).items()
    assert key == (field.alias or name)
    TypeAdapter(field.rebuild_annotation()).validate_python(value)
    assert of_model(model, name).is_valid(value)


@functools.cache
def all_shapes() -> dict[str, Schema]:
    return shapes()


def of_model(model: type[Model], name: str | None = None) -> Draft202012Validator:
    """What validates one model, or one of its keys."""
    path = model.__name__
    if name is not None:
        path += f"/properties/{model.model_fields[name].alias or name}"
    return Draft202012Validator({"$ref": f"#/$defs/{path}", "$defs": all_shapes()})


def example_of(model: type[Model]) -> dict[str, Any]:
    """A mapping with every key of a model, each with its example; together they make no sense."""
    texts = texts_of(model)
    return {
        field.alias or name: next(iter(_example(texts[name]).values()))
        for name, field in model.model_fields.items()
        if name in texts
    }


def _example(text: Text) -> dict[str, Any]:
    data: dict[str, Any] = read_documents("example", text.example, Problems())[0].data
    return data


RULED = [model for model in models() if issubclass(model, Checked)]


@pytest.mark.parametrize("model", RULED, ids=lambda model: model.__name__)
def test_rules_over_keys_are_the_models(model: type[Checked]) -> None:
    """Whichever keys a mapping has, with or without a value, schema and model say the same."""
    everything, valid = example_of(model), of_model(model).is_valid
    choose = random.Random(model.__name__)
    schema_name, model_name = (
        ({model.kind: "x"}, {"name": "x"}) if issubclass(model, Definition) else ({}, {})
    )
    seen = set()
    for _ in range(400):
        keys = choose.sample(sorted(everything), choose.randint(0, min(6, len(everything))))
        data = {key: everything[key] if choose.random() < 0.9 else None for key in keys}
        try:
            model.model_validate({**model_name, **data})
            is_right = True
        except ValueError:
            is_right = False
        seen.add(is_right)
        assert valid({**schema_name, **data}) == is_right, data
    assert True in seen


# --- names ------------------------------------------------------------------------------------------


def test_paths_of_to_one_joins_are_offered_and_anything_is_taken() -> None:
    """A field of the source, one behind its joins, and an expression: all may stand in `fields`."""
    project = load_project(ROOT, Problems())
    schema = schema_of("input", project)
    offered = schema["$defs"]["task.paths"]["enum"]
    assert {"title", "assignee.email", "production.movie.title"} <= set(offered)
    assert "hidden" not in offered
    data = {"input": "x", "source": "task", "fields": ["title", "upper(assignee.email)"]}
    assert Draft202012Validator(schema).is_valid(data)


def test_a_key_without_a_value_chooses_no_input() -> None:
    """An empty `refresh` beside another kind of job says nothing of the job's parameters."""
    job = {"refresh": None, "compact": "production", "parameters": {"anything": 1}}
    schema = schema_of("workflow", load_project(ROOT, Problems()))
    assert Draft202012Validator(schema).is_valid({"workflow": "x", "jobs": [job]})


def test_names_that_are_not_there_are_refused_in_words() -> None:
    """The message of a wrong name says how a new one becomes known."""
    schema = schema_of("input", load_project(ROOT, Problems()))
    names = schema["$defs"]["data_source.name"]
    assert "production" in names["enum"]
    assert names["errorMessage"] == (
        "no data source of the project has this name; `genesis schema` learns new ones"
    )


def test_a_definition_that_is_broken_keeps_its_name(tmp_path: Path) -> None:
    """Whoever uses it is not blamed in the editor, either."""
    (tmp_path / "genesis.yaml").write_text("")
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "film.yaml").write_text("data_source: film\ntabel: films\n")
    schema = schema_of("input", load_project(tmp_path, Problems()))
    assert schema["$defs"]["data_source.name"]["enum"] == ["film"]


def test_many_definitions_make_a_small_schema(tmp_path: Path) -> None:
    """300 inputs over 60 data sources that join one another: under 1.5 MB, well under 3 seconds."""
    (tmp_path / "genesis.yaml").write_text("")
    for folder in ("definitions", "inputs"):
        (tmp_path / folder).mkdir()
    for number in range(60):
        fields = "".join(f"  field_number_{n}: string\n" for n in range(30))
        joins = "".join(
            f"  to_{(number + n) % 60}: {{data_source: source_{(number + n) % 60}, by: key}}\n"
            for n in range(1, 6)
        )
        text = f"data_source: source_{number}\ntable: t\nprimary_key: key\nfields:\n  key: integer\n{fields}joins:\n{joins}"
        (tmp_path / "definitions" / f"source_{number}.yaml").write_text(text)
    for number in range(300):
        text = f"input: input_{number}\nsource: source_{number % 60}\nfields: [field_number_1]\n"
        (tmp_path / "inputs" / f"input_{number}.yaml").write_text(text)
    project = load_project(tmp_path, Problems())
    started = time.process_time()
    written = json.dumps(schema_of("documents", project))
    assert time.process_time() - started < 3
    assert len(written) < 1_500_000


# --- the command ------------------------------------------------------------------------------------

MINIMAL: Mapping[str, str] = {
    "genesis.yaml": "project: films\n",
    "definitions/film.yaml": "data_source: film\ntable: films\nprimary_key: film_id\nfields: {film_id: integer}\n",
}


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MINIMAL.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_both_files_anew(films: Path) -> None:
    """Twice the same bytes; a new data source is in the next ones."""
    folder = films / ".genesis" / "schema"
    assert run_command(["schema"]) == 0
    first = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    assert list(first) == ["documents.json", "project.json"]
    assert run_command(["schema"]) == 0
    assert {file.name: file.read_bytes() for file in sorted(folder.iterdir())} == first
    (films / "definitions" / "actor.yaml").write_text(
        "data_source: actor\ntable: actors\nprimary_key: actor_id\nfields: {actor_id: integer}\n"
    )
    assert run_command(["schema"]) == 0
    written = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
    assert written["$defs"]["data_source.name"]["enum"] == ["actor", "film"]


def test_a_hover_shows_meaning_and_example() -> None:
    """Editors show the text beside the key's name, as Markdown."""
    format_ = all_shapes()["Field"]["properties"]["format"]
    assert format_["markdownDescription"] == (
        "The formatter that shows it, unless an input chooses another.\n\n```yaml\nformat: us_date\n```"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_one_kind(
    kind: str, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """stdout is the schema and nothing else."""
    assert run_command(["-C", str(films), "schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["$comment"] == f"{kind} of films"


def test_the_command_writes_where_it_is_told(films: Path) -> None:
    """`--out` takes one kind, or both files."""
    assert run_command(["schema", "input", "--out", "here"]) == 0
    assert [file.name for file in (films / "here").iterdir()] == ["input.json"]


def test_nothing_of_it_is_loaded_for_a_check() -> None:
    """A check starts as fast as before."""
    script = "import sys, genesis.cli as c; c.run_command(['check']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"genesis.schema", "jsonschema"} & {*done.stdout.split()}


def test_a_broken_project_has_schemas(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is when an editor's help is needed most."""
    (films / "definitions" / "film.yaml").write_text("data_source: film\ntabel: films\n")
    assert run_command(["schema"]) == 0
    assert "`genesis check` tells them" in capsys.readouterr().err


@pytest.mark.usefixtures("films")
def test_a_kind_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest one."""
    assert run_command(["schema", "inputs"]) == 64
    assert "did you mean `input`?" in capsys.readouterr().err


# --- a new project ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["starter", "studio"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `genesis init` leaves it."""
    folder = tmp_path_factory.mktemp("fresh") / "project"
    demo = ["--demo"] if request.param == "studio" else []
    assert run_command(["init", *demo, str(folder)]) == 0
    return folder


def test_each_yaml_file_of_a_new_project_names_its_schema(fresh: Path) -> None:
    """The first line leads, from the file's own folder, to a schema that takes the file."""
    files = [*fresh.rglob("*.yaml")]
    assert len(files) > 3
    for file in files:
        first, _, text = file.read_text(encoding="utf-8").partition("\n")
        schema = file.parent / first.removeprefix("# yaml-language-server: $schema=")
        valid = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).is_valid
        assert all(valid(d.data) for d in read_documents(file.name, text, Problems()))


def test_vs_code_knows_the_folders_of_a_new_project(fresh: Path) -> None:
    """By its settings, for files that were written without a first line; nothing of it is in git's way."""
    settings_file, extensions = (
        fresh / ".vscode" / "settings.json",
        fresh / ".vscode/extensions.json",
    )
    mapping = json.loads(settings_file.read_text())["yaml.schemas"]
    assert "inputs/**/*.yaml" in mapping[".genesis/schema/documents.json"]
    assert mapping[".genesis/schema/project.json"] == ["genesis.yaml"]
    assert all((fresh / schema).is_file() for schema in mapping)
    assert json.loads(extensions.read_text()) == {"recommendations": ["redhat.vscode-yaml"]}
    assert ".genesis/" in (fresh / ".gitignore").read_text().splitlines()


def test_a_new_project_is_clean(fresh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`genesis check` has nothing to tell."""
    assert run_command(["-C", str(fresh), "check"]) == 0
    assert ": 0 errors, 0 warnings" in capsys.readouterr().err


def test_settings_that_are_there_stay(tmp_path: Path) -> None:
    """A folder with hidden files is as good as empty, and none of them is overwritten."""
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "settings.json").write_text("{}")
    (tmp_path / ".gitignore").write_text(".env\n")
    assert run_command(["init", str(tmp_path)]) == 0
    assert (tmp_path / ".vscode" / "settings.json").read_text() == "{}"
    assert (tmp_path / ".gitignore").read_text() == ".env\n"
