"""The graph of jobs for the Snakefile: tables, figures, cells, files, and what each job depends on. Torch-free."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from cenbench import warm_interpreter
from cenbench.data.manifest import MANIFEST
from cenbench.errors import UserError
from cenbench.files import digest, sha256_file
from cenbench.gpus import has_gpu
from cenbench.matrix.cell import Cell
from cenbench.matrix.claim_pairs import PlannedClaim, plan_claims
from cenbench.matrix.claims import FILE
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.robustness import FILE as ROBUSTNESS_FILE
from cenbench.matrix.robustness import RobustnessPlan, plan_robustness
from cenbench.matrix.specs import dataset_key
from cenbench.matrix.table_name import table_name
from cenbench.paths import RELATIVE, Paths, corollary_target, record_target, robustness_target
from cenbench.pretrained.used import pretrained_sha256
from cenbench.records.corollary import corollary_code
from cenbench.records.digests import evaluation_code, pretraining_code, robustness_code, training_code
from cenbench.records.read import read_record
from cenbench.records.verify import set_aside
from cenbench.schedule.controller import Controller, Workflow, ended_by_mistakes
from cenbench.schedule.damaged_datasets import damaged_manifests
from cenbench.schedule.remaining_cost import remaining_lines
from cenbench.schedule.run_progress import RunProgress
from cenbench.schedule.status import FINISHED
from cenbench.sha256_cache import known_sha256

log = logging.getLogger("cenbench")
DEFAULT_PRESET = "demo"
CONFIG_KEYS = ("preset", "tables")
ALL = "all"
TABLE_SUFFIXES = ("html", "tex", "csv", "json")
FIGURE_SUFFIXES = ("html", "pdf", "png", "csv", "json")
CLAIM_FILES = ("claims.html", "claims.tex", "claims.json", "claims-metrics")


class _Wildcards(Protocol):
    cell: str
    table: str
    figure: str


def _cells_to_run(workflow: Workflow) -> set[str]:
    """Ids of the cells that a run trains or evaluates; none before Snakemake has worked out its jobs."""
    jobs = () if workflow.dag is None else workflow.dag.needrun_jobs(exclude_finished=False)
    return {job.wildcards.cell for job in jobs if job.rule.name == "cell"}


@dataclass(frozen=True)
class Dag:
    """The plan of one preset in Snakemake's terms: paths relative to the checkout, and job parameters."""

    plan: Plan = field(repr=False)
    """Not in the text of this object: Snakemake keeps the text of some input functions, which names the object."""
    paths: Paths
    tables: tuple[str, ...]
    """Names of the tables that `all_tables` makes."""
    report_code: str
    """Digest of the code that renders tables (`cenbench.report.code`): a change renders them again."""
    controller: Controller | None = None
    """The Snakemake process that asks; None outside of one."""
    table_damage: Callable[[Path], str | None] = lambda path: None
    """Why the JSON of a table cannot be read (`cenbench.report.rendered`); None if it can, or is missing."""
    absent_inputs: Callable[[Plan, Paths, Collection[str]], list[str]] = lambda plan, paths, cells: []
    """What these cells need and do not have, a line each (`cenbench.doctor.inputs`)."""
    _sha256: dict[Path, str] = field(default_factory=dict, compare=False)
    """Of pretrained files, in a process that writes no notes of them."""

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        root: Path,
        report_code: str = "",
        workflow: Workflow | None = None,
        table_damage: Callable[[Path], str | None] = lambda path: None,
        absent_inputs: Callable[[Plan, Paths, Collection[str]], list[str]] = lambda plan, paths, cells: [],
    ) -> Dag:
        """Read `--config preset=NAME tables=table7,8`; by default all tables of the preset.

        Any other key is a `UserError`, so that a typo does not silently do nothing; and so is a mistake in the claims
        or in robustness.yaml, whatever is asked for, except in a job of a run: claims are registered before the first
        number is seen.
        """
        where = "snakemake --config"
        for key, value in config.items():
            if key not in CONFIG_KEYS:
                raise UserError("unknown configuration key", where=where, key=key, expected=", ".join(CONFIG_KEYS))
            if value is None or value == [] or not str(value).strip():
                raise UserError("the value is empty", where=where, key=key, fix=f"give a value, or leave out {key}=")
        paths = Paths(root)
        plan = load_plan(paths.params, str(config.get("preset", DEFAULT_PRESET)))
        asked = config.get("tables", ALL)  # a number if only one was given, a list from a file
        words = asked if isinstance(asked, list) else str(asked).split(",")
        names = [table.name for table in plan.tables]
        chosen = names if asked == ALL else [_asked_table(plan, table_name(str(word).strip())) for word in words]
        shown = tuple(dict.fromkeys(chosen))
        dag = cls(plan, paths, shown, report_code, table_damage=table_damage, absent_inputs=absent_inputs)
        if workflow is not None:
            progress = RunProgress(plan, paths, workflow)
            dag = replace(dag, controller=Controller(root, workflow, dag.made_again, progress.start))
        if workflow is None or workflow.is_main_process:  # the jobs of a run do not need them
            dag.read_declarations()
        return dag

    def read_declarations(self) -> None:
        """Read the claims and robustness.yaml. Raises `UserError`, with file and line, for a mistake in either."""
        _ = self.claims, self.robustness

    @cached_property
    def claims(self) -> tuple[PlannedClaim, ...]:
        """The claims with their cells. Raises `UserError` if they are declared wrongly."""
        return plan_claims(self.paths.params, self.plan)

    @cached_property
    def robustness(self) -> RobustnessPlan:
        """What is evaluated under all conditions. Raises `UserError` if it is declared wrongly."""
        return plan_robustness(self.paths.params, self.plan)

    @property
    def works(self) -> bool:
        """Whether this process runs jobs, and does not only show them (`Controller.works`)."""
        return self.controller is not None and self.controller.works

    def begin(self, wildcards: object) -> tuple[str, ...]:
        """An input function of every rule (`Controller.begin`)."""
        return () if self.controller is None else self.controller.begin()

    def made_again(self, works: bool) -> list[str]:
        """Records that are damaged, stale or failed, and damaged manifests and tables. Snakemake may find them up to
        date: a dataset may come with old file times, and its notes may be lost or touched. A process that works sets
        damaged records aside.
        """
        targets, reasons, read_soon = [*self._damaged_tables()], Counter[str](), set[str]()
        for cell in self.plan.cells.values():
            record = read_record(self.paths, cell, None if works else self._read_sha256)
            if record.state not in FINISHED:
                read_soon.add(dataset_key(cell.dataset))
            if record.state not in ("damaged", "stale", "failed"):
                continue
            targets.append(record_target(cell))
            if record.state == "damaged":
                log.warning("cell %s: its record is damaged, and made again: %s", cell.id, record.reason)
                if works:
                    set_aside(self.paths, cell)
            else:
                reasons[f"{record.state}: {(record.reason or '').splitlines()[0]}"] += 1
        for reason, count in reasons.items():
            log.warning("%d cell%s made again, %s", count, "s" if count > 1 else "", reason)
        return [*damaged_manifests(self.plan, self.paths, read_soon, works), *targets]

    def _damaged_tables(self) -> Iterator[str]:
        for name in self.every_table:
            path = RELATIVE.reports / self.plan.preset / f"{name}.json"
            if (why := self.table_damage(self.paths.root / path)) is not None:
                log.warning("%s is damaged, and rendered again: %s", path, why)
                yield path.as_posix()

    @property
    def every_table(self) -> list[str]:
        """Names of all tables of the preset; each is a target of its own."""
        return [table.name for table in self.plan.tables]

    def title_of(self, shown: str) -> str:
        """The title of a table or figure, which describes its target in `snakemake --list`."""
        return (self.plan.figure(shown) if shown in self.every_figure else self.plan.table(shown)).heading

    @property
    def asked_tables(self) -> str:
        """The tables that `all_tables` makes, as options of `cenbench report`."""
        return " ".join(f"--table {name}" for name in self.tables)

    @property
    def every_figure(self) -> list[str]:
        """Names of all figures of the preset; each is a target of its own."""
        return [figure.name for figure in self.plan.figures]

    def figures_of_this_run(self, workflow: Workflow) -> str:
        """The figures that this run was to make, as options of `cenbench report`; empty if it was to make none."""
        jobs = () if workflow.dag is None else workflow.dag.jobs
        names = dict.fromkeys(job.wildcards.figure for job in jobs if job.rule.name == "figure")
        return " ".join(f"--figure {name}" for name in names)

    def start_warm_interpreter(self, workflow: Workflow) -> None:
        """Before the first job: let the cells that this process is about to run share the start of their interpreter.

        Not on a GPU, where a cell takes much longer than its start and torch imports more.
        """
        if self.works and workflow.local_exec and not has_gpu():
            with ended_by_mistakes():
                warm_interpreter.start(len(_cells_to_run(workflow)))

    def end(self, workflow: Workflow) -> None:
        """After a dry run, print the cost of the cells that a real run would submit, and what they would miss."""
        if workflow.dryrun and (cells := _cells_to_run(workflow)):
            lines = remaining_lines(self.plan, self.paths, cells)
            print("", *lines, *self.absent_inputs(self.plan, self.paths, cells), sep="\n", file=sys.stderr)

    def all_files(self, wildcards: object = None) -> list[str]:
        """The tables, their index, and the records that they lack."""
        folder = f"reports/{self.plan.preset}"
        tables = dict.fromkeys(file for name in self.tables for file in self.files_of(name))
        return [*tables, "reports/index.html", f"{folder}/metrics", f"{folder}/plots.csv"]

    def files_of(self, table: str) -> list[str]:
        """One table's files, and records that it lacks (`_lacking`)."""
        pages = [f"reports/{self.plan.preset}/{table}.{suffix}" for suffix in TABLE_SUFFIXES]
        return [*self._lacking(self.plan.cells_of(table), pages), *pages]

    def _lacking(self, cells: Iterable[Cell], pages: Iterable[str]) -> Iterator[str]:
        """The records of these cells that are missing where their pages are not: after a failure, pages exist without
        them, and Snakemake makes no missing input of a file that exists. Any other record is made, if it has to be, as
        an input of the pages; with 50,000 cells, naming it as a target too takes 60 MiB.
        """
        if all((self.paths.root / page).exists() for page in pages):
            yield from (record_target(cell) for cell in cells if not self.paths.record(cell).exists())

    def input_function(self, shown: str) -> Callable[[object], list[str]]:
        """Gives the files of a table or figure once Snakemake asks: targets that nobody asked for hold no list."""

        def files(wildcards: object) -> list[str]:
            return self.figure_files(shown) if shown in self.every_figure else self.files_of(shown)

        return files

    def figure_files(self, figure: str) -> list[str]:
        """One figure's files, and records that it lacks, as for a table."""
        pages = [f"reports/{self.plan.preset}/{figure}.{suffix}" for suffix in FIGURE_SUFFIXES]
        return [*self._lacking(self.plan.figure(figure).cells, pages), *pages]

    def all_figure_files(self, wildcards: object) -> list[str]:
        """The files of every figure of the preset."""
        return list(dict.fromkeys(file for name in self.every_figure for file in self.figure_files(name)))

    def claim_files(self) -> list[str]:
        """The files of the claims."""
        return [f"reports/{self.plan.preset}/{name}" for name in CLAIM_FILES]

    def metrics_of(self, wildcards: _Wildcards) -> list[str]:
        """The records a table is made of."""
        return [record_target(cell) for cell in self.plan.cells_of(wildcards.table)]

    def figure_records(self, wildcards: _Wildcards) -> list[str]:
        """The records a figure is made of."""
        return [record_target(cell) for cell in self.plan.figure(wildcards.figure).cells]

    def claim_records(self, wildcards: _Wildcards) -> list[str]:
        """The records, and evaluations, that the preset's claims are judged by."""
        records = [record_target(cell) for claim in self.claims for cell in claim.cells]
        evaluated = [robustness_target(cell) for claim in self.claims if claim.spec.under for cell in claim.cells]
        checked = [corollary_target(cell) for claim in self.claims if claim.spec.check for cell in claim.cells]
        return list(dict.fromkeys((*records, *evaluated, *checked)))

    def robustness_files(self, wildcards: _Wildcards) -> list[str]:
        """The evaluations that the robustness page shows."""
        return [robustness_target(cell) for cell in self.robustness.cells.values()]

    def robustness_depends_on(self, wildcards: _Wildcards) -> str:
        """What evaluates a finished cell again under all conditions, besides its record."""
        cell = self.plan.cell(wildcards.cell)
        conditions = [condition.key for condition in self.robustness.spec.conditions(cell)]
        return f"evaluate {robustness_code(cell)}, conditions {' '.join(conditions)}"

    def corollary_depends_on(self, wildcards: _Wildcards) -> str:
        """What checks corollary 1 on a finished cell again, besides its record."""
        return f"check {corollary_code(self.plan.cell(wildcards.cell))}"

    def robustness_page_depends_on(self, wildcards: _Wildcards) -> str:
        """What renders the robustness page again, besides its evaluations."""
        return digest([_content(self.paths.params / ROBUSTNESS_FILE), self.report_code])

    def claims_depend_on(self, wildcards: _Wildcards) -> str:
        """What judges the claims again, besides their cells: their declaration, and the report's code."""
        declared = [_content(self.paths.params / name) for name in (FILE, ROBUSTNESS_FILE)]
        return digest([*declared, self.report_code])

    def manifest_of(self, wildcards: _Wildcards) -> str:
        """The prepared dataset a cell reads."""
        folder = RELATIVE.data / dataset_key(self.plan.cell(wildcards.cell).dataset)
        return (folder / MANIFEST).as_posix()

    def pretraining_of(self, wildcards: _Wildcards) -> list[str]:
        """The record of the cell whose network this one starts from; none for any other start."""
        first = self.plan.cell(wildcards.cell).pretraining
        return [] if first is None else [record_target(first)]

    def depends_on(self, wildcards: _Wildcards) -> str:
        """What reruns a finished cell, besides its data: code, and pretrained files added, removed or changed."""
        cell = self.plan.cell(wildcards.cell)
        parts = [f"train {training_code(cell)}", f"evaluate {evaluation_code(cell)}"]
        if (pretraining := pretraining_code(cell)) is not None:
            parts.append(f"pretrain {pretraining}")
        for name, sha256 in pretrained_sha256(cell, self.paths, None if self.works else self._read_sha256).items():
            parts.append(f"{name} {sha256 or 'absent'}")
        return sys.intern(", ".join(parts))  # alike for most cells, and Snakemake keeps it for each

    def _read_sha256(self, path: Path) -> str:
        if path not in self._sha256:
            self._sha256[path] = known_sha256(path, self.paths.verified) or sha256_file(path)
        return self._sha256[path]

    def report_depends_on(self, wildcards: _Wildcards) -> str:
        """What renders a finished table again: its declaration, the claims, and the report's code and templates."""
        return digest([self.plan.table(wildcards.table).content(), self.claims_depend_on(wildcards)])

    def figure_depends_on(self, wildcards: _Wildcards) -> str:
        """What draws a finished figure again: its declaration, and the report's code and templates."""
        return digest([self.plan.figure(wildcards.figure).content(), self.report_code])

    def index_depends_on(self, wildcards: _Wildcards) -> str:
        """What renders the index again, besides its tables: the report's code and templates."""
        return self.report_code


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _asked_table(plan: Plan, name: str) -> str:
    """The table that `tables:` asks for. `UserError` for any other word, which for a figure names its target."""
    if any(figure.name == name for figure in plan.figures):
        tables = ", ".join(table.name for table in plan.tables)
        raise UserError(f"{name} is a figure", key="tables", found=name, expected=tables, fix=f"snakemake {name}")
    return plan.table(name).name
