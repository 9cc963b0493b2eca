"""One reading of an input: what it means, its plan, its statement. Each is made once, when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from sqlglot import exp

from genesis.compile.compiler import compile_plan, resolve_input
from genesis.compile.plan import Plan, plan_query
from genesis.compile.query import Query
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.review.askers import Askers
from genesis.review.expand import expanded, in_words
from genesis.review.graph import ROOT, Graph
from genesis.spec.input import Input
from genesis.spec.project import Project


@dataclass(frozen=True)
class Report:
    """An input of a project as a run reads it. What it is made of raises `DefinitionError` where it has problems."""

    project: Project
    name: str
    run: Run = field(default_factory=Run)

    @property
    def definition(self) -> Input:
        return self.project.inputs[self.name]

    @property
    def dialect(self) -> str:
        """That of the engine, where a run says one."""
        return self.run.dialect or "duckdb"

    @cached_property
    def query(self) -> Query:
        return resolve_input(self.project, self.name, replace(self.run, dialect=self.dialect))

    @cached_property
    def plan(self) -> Plan:
        return plan_query(self.query)

    @cached_property
    def statement(self) -> Statement:
        return compile_plan(self.plan, self.project, self.dialect, self.run)

    @cached_property
    def graph(self) -> Graph:
        return Graph(self.plan, self.project)

    @cached_property
    def askers(self) -> Askers:
        return Askers(self.graph, self.definition, self.query)

    def expanded(self, tree: exp.Expr, select: str = ROOT) -> exp.Expr:
        """An expression of one of the plan's SELECTs, without the plan round it."""
        return expanded(tree, self.graph, self.graph.selects[select])

    def words(self, tree: exp.Expr) -> str:
        """An expanded expression as an analyst would write it."""
        return in_words(tree, self.project.settings.dialect)
