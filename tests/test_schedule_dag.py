"""The Snakefile's targets: `--config tables=` narrows them, unknown tables are reported, and no rule is lost."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from checkout import REPOSITORY
from published import make_root, publish, put_manifest

from cenbench.data.manifest import FileEntry, read_manifest, write_manifest
from cenbench.doctor.inputs import absent_inputs
from cenbench.errors import UserError
from cenbench.files import sha256_bytes
from cenbench.paths import Paths
from cenbench.report.rendered import table_damage
from cenbench.schedule.dag import Dag

DEMO = ("table2", "table4", "table6", "table7", "table8", "table9", "table-controls", "table-boundaries")


@dataclass
class Wildcards:
    """What Snakemake passes to an input function."""

    cell: str = ""
    table: str = ""
    figure: str = ""


def dag(**config: Any) -> Dag:
    return Dag.from_config(config, REPOSITORY)


def files(tables: tuple[str, ...]) -> set[str]:
    """The pages of these tables and of their index, written out by hand."""
    pages = {f"reports/demo/{name}.{suffix}" for name in tables for suffix in ("html", "tex", "csv", "json")}
    return pages | {"reports/index.html", "reports/demo/metrics", "reports/demo/plots.csv"}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A checkout in which nothing has been made."""
    (tmp_path / "params").symlink_to(REPOSITORY / "params")
    return tmp_path


@pytest.mark.parametrize(
    "asked", ["table7,table8", "table7, table8", "table7,table8,table7", "7,8", "7, table8", ["table7", 8]]
)
def test_chosen_tables_need_only_their_own_files_and_cells(asked: object, empty: Path) -> None:
    """Oracle: the cells of tables 7 and 8, which share none: 11 and 12."""
    narrowed = Dag.from_config({"tables": asked}, empty)
    records = [record for name in narrowed.tables for record in narrowed.metrics_of(Wildcards(table=name))]
    assert len(set(records)) == len(records) == 11 + 12
    assert set(narrowed.all_files()) == files(("table7", "table8"))
    assert len(narrowed.all_files()) == 2 * 4 + 3, "no target twice"
    assert narrowed.tables == ("table7", "table8")
    assert narrowed.asked_tables == "--table table7 --table table8"


def test_a_dry_run_ends_with_what_its_cells_would_miss(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "params", tmp_path / "params")
    asked = Dag.from_config({"preset": "paper"}, tmp_path, absent_inputs=absent_inputs)
    cell = next(iter(asked.plan.cells))
    job = SimpleNamespace(rule=SimpleNamespace(name="cell"), wildcards=Wildcards(cell=cell))
    waiting = SimpleNamespace(needrun_jobs=lambda exclude_finished: [job])
    asked.end(SimpleNamespace(dryrun=True, dag=waiting))
    said = capfd.readouterr().err
    assert f"1 of {len(asked.plan.cells)} cells of preset paper would be submitted" in said
    assert "Missing: data nyudv2: neither" in said
    assert "Missing: weights: 1 of 1 cells would be skipped" in said
    assert said.count("fix: ") == 2
    asked.end(SimpleNamespace(dryrun=False, dag=waiting))
    assert capfd.readouterr().err == ""


def test_a_single_number_as_snakemake_reads_it() -> None:
    assert dag(tables=7).tables == dag(tables="7").tables == dag(tables="table7").tables == ("table7",)


def write_pages(root: Path, name: str, suffixes: tuple[str, ...] = ("html", "tex", "csv", "json")) -> None:
    (root / "reports" / "demo").mkdir(parents=True, exist_ok=True)
    for suffix in suffixes:
        (root / "reports" / "demo" / f"{name}.{suffix}").touch()


def test_a_cell_of_two_chosen_tables_is_a_target_once(empty: Path) -> None:
    narrowed = Dag.from_config({"tables": "table7,table8,table9"}, empty)
    for name in narrowed.tables:
        write_pages(empty, name)
    assert len(narrowed.all_files()) == len(set(narrowed.all_files())) == 27 + 3 * 4 + 3


def test_records_that_pages_lack_are_targets(empty: Path) -> None:
    """After a failure the pages are there: only as targets are the missing records made."""
    one = Dag.from_config({"tables": "7"}, empty)
    cells = one.plan.cells_of("table7")
    write_pages(empty, "table7", ("html", "tex", "csv"))
    assert set(one.all_files()) == files(("table7",)), "the table is made, so its cells are"
    write_pages(empty, "table7")
    for cell in cells[1:]:
        put_record(empty, cell.id)
    assert set(one.all_files()) == files(("table7",)) | {f"results/cells/{cells[0].id}/metrics.json"}
    assert set(one.input_function("table7")(None)) == set(one.all_files()) - files(())
    put_record(empty, cells[0].id)
    assert set(one.all_files()) == files(("table7",))


def put_record(root: Path, cell_id: str) -> None:
    folder = root / "results" / "cells" / cell_id
    folder.mkdir(parents=True)
    (folder / "metrics.json").touch()


def test_what_snakemake_keeps_of_an_input_function_does_not_hold_the_plan() -> None:
    """It keeps the text of each flagged one, three times: with 50,000 cells in it, each takes 380 MiB."""
    assert "Cell(" not in str(dag().pretraining_of)


@pytest.mark.parametrize("config", [{}, {"tables": "all"}, {"preset": "demo", "tables": "all"}])
def test_by_default_all_tables_of_the_preset_are_made(config: dict[str, str], empty: Path) -> None:
    whole = Dag.from_config(config, empty)
    assert whole.tables == tuple(whole.every_table) == DEMO
    records = {record for name in whole.tables for record in whole.metrics_of(Wildcards(table=name))}
    assert records == {f"results/cells/{cell.id}/metrics.json" for table in whole.plan.tables for cell in table.cells}
    assert len(records) == 153
    assert set(whole.all_files()) == files(DEMO)
    assert len(whole.all_files()) == 8 * 4 + 3


def test_a_figure_needs_its_own_files_and_cells_and_no_table(empty: Path) -> None:
    whole = Dag.from_config({}, empty)
    assert len(whole.figure_records(Wildcards(figure="figure5"))) == 2
    write_pages(empty, "figure5", ("html", "pdf", "png", "csv", "json"))
    found = whole.figure_files("figure5")
    records = {f"results/cells/{cell.id}/metrics.json" for cell in whole.plan.figure("figure5").cells}
    drawn = {f"reports/demo/figure5.{suffix}" for suffix in ("html", "pdf", "png", "csv", "json")}
    assert len(records) == 2
    assert set(found) == records | drawn
    assert set(found) <= set(whole.all_figure_files(None))
    assert not drawn & set(whole.all_files())


def test_another_preset_has_its_own_tables(empty: Path) -> None:
    paper = Dag.from_config({"preset": "paper", "tables": "table3"}, empty)
    assert paper.tables == ("table3",)
    assert "reports/paper/table3.tex" in paper.all_files()
    assert len(paper.metrics_of(Wildcards(table="table3"))) == 8 * 3
    assert len(paper.all_files()) == 4 + 3


def test_narrowing_loses_no_rule_and_no_cell() -> None:
    """`snakemake table9 --config tables=table7` still makes table 9: each table stays a target of its own."""
    narrowed = dag(tables="table7")
    assert tuple(narrowed.every_table) == DEMO
    records = narrowed.metrics_of(Wildcards(table="table9"))
    assert records == [f"results/cells/{cell.id}/metrics.json" for cell in narrowed.plan.cells_of("table9")]
    assert narrowed.plan.cells.keys() == dag().plan.cells.keys()


def test_narrowing_does_not_rerun_anything() -> None:
    """The parameters of a job do not depend on the chosen tables; otherwise narrowing would train or render again."""
    whole, narrowed = dag(), dag(tables="table7,table8")
    seven = Wildcards(table="table7")
    assert whole.report_depends_on(seven) == narrowed.report_depends_on(seven)
    assert whole.index_depends_on(seven) == narrowed.index_depends_on(seven)
    for cell in narrowed.plan.cells_of("table8")[:2]:
        wildcards = Wildcards(cell=cell.id)
        assert whole.depends_on(wildcards) == narrowed.depends_on(wildcards)
        assert whole.manifest_of(wildcards) == narrowed.manifest_of(wildcards)


@pytest.mark.parametrize(
    ("asked", "found", "fix"),
    [
        ("tabel7", "'tabel7'", "did you mean 'table7'?"),
        ("table7,table5", "'table5'", "did you mean"),
        ("table7,", "''", None),
        ("5", "'table5'", None),
        ("all,table7", "'all'", None),
        ("../table7", "'../table7'", "did you mean 'table7'?"),
    ],
)
def test_an_unknown_table_is_reported_with_the_known_ones(asked: str, found: str, fix: str | None) -> None:
    with pytest.raises(UserError, match="preset 'demo' has no table ") as caught:
        dag(tables=asked)
    assert caught.value.problem.endswith(found)
    assert caught.value.expected == ", ".join(DEMO)
    assert fix is None or fix in str(caught.value.fix)


def test_another_configuration_key_is_an_error() -> None:
    with pytest.raises(UserError, match="unknown configuration key") as caught:
        dag(table="table7")
    assert (caught.value.key, caught.value.expected) == ("table", "preset, tables")


def test_damaged_manifests_and_tables_are_made_again(tmp_path: Path) -> None:
    """A dataset that is not prepared, or whose manifest cannot be read, is not: nothing is known of its content."""
    plan, paths = make_root(tmp_path, tiny=True)
    again = Dag(plan, paths, ("table7",), "", table_damage=table_damage).made_again
    assert again(False) == []
    manifest = put_manifest(paths, plan.datasets[0])
    relative = manifest.relative_to(tmp_path).as_posix()
    whole = manifest.read_text()
    other = plan.datasets[0].model_copy(update={"seed": 7})
    another_datasets = put_manifest(Paths(tmp_path / "elsewhere"), other).read_text()
    for damage in ("{", "[]", whole[:-20], whole.replace('"classes"', '"clbsses"'), another_datasets):
        manifest.write_text(damage)
        assert again(False) == [relative]
    manifest.write_text(whole)
    table = paths.reports / "demo" / "table8.json"
    table.parent.mkdir(parents=True)
    table.write_text('{"rows": 7}')
    assert again(False) == ["reports/demo/table8.json"]
    table.unlink()
    manifest.unlink()
    assert again(False) == []


def declare(manifest: Path, name: str, sha256: str) -> None:
    """Give the dataset a file of six bytes."""
    files = {name: FileEntry(bytes=6, sha256=sha256)}
    write_manifest(manifest.parent, read_manifest(manifest.parent).model_copy(update={"files": files}))


@pytest.mark.parametrize("damage", ["another digest in the manifest", "a flipped bit", "a shorter file", "no file"])
def test_a_dataset_that_differs_from_its_manifest_is_prepared_again_by_the_run_that_reads_it(
    tmp_path: Path, damage: str
) -> None:
    """Before any cell fails because of it. A dry run shows it once the file was read, and writes nothing."""
    plan, paths = make_root(tmp_path, tiny=True)
    again = Dag(plan, paths, ("table7",), "").made_again
    path = put_manifest(paths, plan.datasets[0])
    array = path.with_name("rgb.npy")
    array.write_bytes(b"pixels")
    declare(path, array.name, sha256_bytes(b"pixels"))
    assert again(False) == []
    assert not paths.verified.exists()
    assert again(True) == []

    if damage == "another digest in the manifest":
        declare(path, array.name, "0" * 64)
        assert again(False) == [path.relative_to(tmp_path).as_posix()]
    elif damage == "a flipped bit":
        array.write_bytes(b"pixemt")
    elif damage == "a shorter file":
        array.write_bytes(b"pix")
    else:
        array.unlink()
    assert again(True) == [path.relative_to(tmp_path).as_posix()]
    assert again(False) == again(True)


def test_a_dataset_that_no_unfinished_cell_reads_is_not_read(tmp_path: Path) -> None:
    plan, paths = make_root(tmp_path, tiny=True)
    path = put_manifest(paths, plan.datasets[0])
    declare(path, "rgb.npy", "0" * 64)
    for cell in plan.cells.values():
        publish(paths, cell)
    assert Dag(plan, paths, ("table7",), "").made_again(True) == []


def test_a_figure_among_the_tables_is_answered_with_its_target() -> None:
    with pytest.raises(UserError, match="figure5 is a figure") as caught:
        Dag.from_config({"tables": "table7,figure5"}, REPOSITORY)
    assert (caught.value.key, caught.value.fix) == ("tables", "snakemake figure5")


@pytest.mark.parametrize("key", ["preset", "tables"])
@pytest.mark.parametrize("empty", ["", "  ", None, []])
def test_an_empty_configuration_value_is_named(key: str, empty: object) -> None:
    with pytest.raises(UserError, match="the value is empty") as caught:
        dag(**{key: empty})
    assert (caught.value.where, caught.value.key) == ("snakemake --config", key)
