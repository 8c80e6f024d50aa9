"""An error in `params/` names file, key, what was found and what is allowed; several are reported together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from messages import key_of, without_lines

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan

PARAMS = Path(__file__).parents[1] / "params"
ROW = "{convs: shared, norms: unshared, l1: none, exchange: false}"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def edit(params: Path, file: str, old: str, new: str) -> None:
    text = (params / file).read_text()
    assert old in text
    (params / file).write_text(text.replace(old, new, 1))


def error_of(params: Path, preset: str = "demo") -> UserError:
    with pytest.raises(UserError) as caught:
        load_plan(params, preset)
    assert "pydantic" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("row", "key", "found", "expected", "fix"),
    [
        (ROW.replace("shared", "shard", 1), "rows[2].convs", "'shard'", "shared, unshared", "did you mean 'shared'?"),
        (ROW.replace("none", "halve"), "rows[2].l1", "'halve'", "none, half, all", "did you mean 'half'?"),
        (ROW.replace("norms", "norm"), "rows[2].norm", "norm", None, "did you mean 'norms'?"),
        (ROW.replace("false", "maybe"), "rows[2].exchange", "'maybe'", "true or false", None),
        (ROW.replace("false", "1"), "rows[2].exchange", "1", "true or false", None),
        (ROW.replace("shared", "[shared]", 1), "rows[2].convs", "['shared']", "shared, unshared", None),
        (ROW.replace("shared", "../../x", 1), "rows[2].convs", "'../../x'", "shared, unshared", None),
        (ROW.replace("shared", "$(rm)", 1), "rows[2].convs", "'$(rm)'", "shared, unshared", None),
        (ROW.replace("shared", "", 1), "rows[2].convs", None, None, "set a value, or remove the line"),
        (ROW.replace("shared", ".nan", 1), "rows[2].convs", "nan", "a finite number", None),
        ("just words", "rows[2]", "'just words'", "a mapping of keys to values", None),
        (
            ROW.replace("}", ", stream: rgb}"),
            "rows[2].stream with columns[0].stream, columns[1].stream, columns[2].stream",
            None,
            None,
            "in the rows or in the columns, not in both",
        ),
        (ROW.replace("convs: shared, ", ""), "rows[2].convs", None, None, "set `convs:` in the row"),
        (ROW.replace("}", ", task: rgb+dpth->semantic}"), "rows[2].task", "'rgb+dpth->semantic'", None, None),
        (
            ROW.replace("exchange: false}", "fusion: uni-modal, task: rgb->semantic}"),
            "columns[1].stream",
            "'depth'",
            "rgb, ensemble",
            None,
        ),
    ],
)
def test_a_wrong_row_is_reported(
    params: Path, row: str, key: str, found: str | None, expected: str | None, fix: str | None
) -> None:
    edit(params, "table7.yaml", ROW, row)
    error = error_of(params)
    assert error.where == params / "table7.yaml"
    assert key_of(error) == key
    if found is not None:
        assert error.found == found
    if expected is not None:
        assert str(error.expected) == expected
    if fix is not None:
        assert fix in str(error.fix)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{task: rgb->semantic, convs: shared, norms: unshared, l1: none, exchange: true}", "at least two modalities"),
        ("{convs: shared, norms: shared, l1: none, exchange: true}", "private scaling factors per modality"),
        ("{convs: shared, norms: stats-unshared, l1: all, exchange: true}", "private scaling factors per modality"),
        ("{convs: shared, norms: shared, l1: half, exchange: false}", "penalises a disjoint part"),
        ("{convs: unshared, norms: shared, l1: none, exchange: false}", "norms must be unshared, not shared"),
    ],
)
def test_an_impossible_row_is_reported_with_its_file(params: Path, row: str, message: str) -> None:
    edit(params, "table7.yaml", ROW, row)
    edit(params, "table7.yaml", "  - {label: Depth, stream: depth}\n", "")  # one modality has no depth output
    error = error_of(params)
    assert message in str(error)
    assert error.where == params / "table7.yaml"
    assert key_of(error) == "rows[2]"
    assert "convs " in str(error.found)


def test_an_impossible_column_is_reported_once_with_its_groups(params: Path) -> None:
    edit(params, "table8.yaml", "norms: unshared, l1: half, exchange: true", "norms: shared, l1: half, exchange: true")
    error = error_of(params)
    assert error.problem.startswith("exchange needs private scaling factors")
    assert error.problem.endswith(" (in 12 slots)")
    assert key_of(error) == "columns[3] with groups[0], groups[1], groups[2]"
    assert "norms shared" in str(error.found)


def test_several_errors_in_one_file_are_reported_together(params: Path) -> None:
    edit(params, "presets/demo.yaml", "momentum: 0.9", "momentum: 1.5")
    edit(params, "presets/demo.yaml", "pretrained: false", "pretrained: 'no'")
    edit(params, "presets/demo.yaml", "    lr: 2.0e-3\n", "")
    edit(params, "presets/demo.yaml", "kid_seed: 0", "kid_sed: 0")
    text = without_lines(str(error_of(params)))
    assert "5 errors in demo.yaml" in text
    assert "segmentation.protocol.momentum: value out of range; found 1.5; expected less than 1" in text
    assert "segmentation.network.pretrained: invalid value; found 'no'; expected true, false, embedded" in text
    assert "translation.protocol.lr: missing key; add `lr:` to translation.protocol" in text
    assert "translation.evaluation.kid_seed: missing key" in text
    assert "translation.evaluation.kid_sed: unknown key" in text
    assert "did you mean 'kid_seed'?" in text


@pytest.mark.parametrize(
    ("old", "new", "key", "message"),
    [
        ("depth: 18", "depth: 19", "segmentation.network.depth", "18, 34, 50, 101, 152"),
        ("size_px: 64", "size_px: 64.5", "segmentation.dataset.size_px", "a whole number"),
        ("size_px: 64", "size_px: '64'", "segmentation.dataset.size_px", "a whole number"),
        ("size_px: 64", "size_px: 1e999", "segmentation.dataset.size_px", "not a finite number"),
        ("name: synthrooms", "name: ../../x", "segmentation.dataset.name", "a name in lower case"),
        ("name: synthrooms", "name: $(rm)", "segmentation.dataset.name", "a name in lower case"),
        ("seeds: [1]", "seeds: []", "seeds", "a list of length at least 1"),
        ("seeds: [1]", "seeds: [1, 1]", "seeds", "duplicate entry"),
        ("seeds: [1]", "seeds: 1", "seeds", "a list"),
        ("table7, table8, table9,", "table7, tabel8,", "tables[4]", "did you mean 'table8'?"),
        ("name: demo", "name: demoo", "name", "differs from the file's name"),
        ("val_scenes: 60, seed: 1}", "val_scenes: 3, seed: 1}", "segmentation", "samples 4 exceeds val_scenes 3"),
        ("kid_subset_size: 40", "kid_subset_size: 61", "translation", "exceeds val_scenes 60"),
        ("resize_px: 72", "resize_px: 63", "translation.protocol", "crop_px 64 exceeds resize_px 63"),
        ("    segmentation: {fixed: 0.01", "    segmntation: {fixed: 0.01", "cost.step_s.segmntation", "did you mean"),
    ],
)
def test_a_wrong_preset_is_reported(params: Path, old: str, new: str, key: str, message: str) -> None:
    edit(params, "presets/demo.yaml", old, new)
    error = error_of(params)
    assert error.where == params / "presets" / "demo.yaml"
    assert key in str(error)
    assert message in str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"# only a comment\n", "an empty file"),
        (b"- 1\n- 2\n", "a list: [1, 2]"),
        (b"just words", "a str: 'just words'"),
        (b"name: demo\n\tdescription: x\n", "line 2, column 1: a tab where spaces are required"),
        (b"name: demo\nname: demo\n", "line 2, column 1: duplicate key 'name'"),
        (b"a: {b: {c: 1, c: 2}}\n", "duplicate key 'c'"),
        (b"a: &x [1]\nb: &y [*x, *x]\nc: [*y, *y]\n", "an alias (*) inside an anchored value"),
        (b"a: &x [*x]\n", "an alias (*) inside an anchored value"),
        (b"a: *x\n", "undefined alias"),
        (b"a: " + b"[" * 100 + b"]" * 100, "nested too deeply"),
        (b"a: !!python/object:os.system x\n", "tags (!) are not supported"),
        (b"a: [1, 2\n", "not valid YAML"),
        (b"---\na: 1\n---\na: 1\n", "expected a single document"),
        (b"11: none\n", "a key must be a string, not '11'"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: \x00\n", "not valid YAML"),
        (b"[" * 5000, "nested too deeply"),
    ],
)
@pytest.mark.parametrize("file", ["table7.yaml", "presets/demo.yaml"])
def test_a_file_that_is_not_a_declaration_is_reported(params: Path, file: str, content: bytes, message: str) -> None:
    (params / file).write_bytes(content)
    error = error_of(params)
    assert error.where == params / file
    assert message in str(error)


def test_numbers_are_read_as_yaml_1_2(params: Path) -> None:
    """YAML 1.1 would read 2e-2 as a string, 010 as eight and 1:30 as ninety."""
    edit(params, "presets/demo.yaml", "lr: 2.0e-3", "lr: 2e-3")
    assert load_plan(params, "demo").cells.keys() == load_plan(PARAMS, "demo").cells.keys()
    for word in ("010", "1:30", "0x10", "1_0"):
        shutil.copy(PARAMS / "presets" / "demo.yaml", params / "presets" / "demo.yaml")
        edit(params, "presets/demo.yaml", "crop_px: 64", f"crop_px: {word}")
        assert error_of(params).found == f"'{word}'"


def test_an_anchor_may_be_used_for_a_repeated_value(params: Path) -> None:
    dataset = "dataset: {name: synthrooms, size_px: 64, train_scenes: 200, val_scenes: 60, seed: 1}"
    edit(params, "presets/demo.yaml", dataset, dataset.replace("{", "&data {"))
    edit(params, "presets/demo.yaml", dataset, "dataset: *data")
    assert load_plan(params, "demo").cells.keys() == load_plan(PARAMS, "demo").cells.keys()


def test_missing_files_are_reported(params: Path) -> None:
    presets = sorted(path.stem for path in (params / "presets").glob("*.yaml"))
    assert {"demo", "paper", "study"} <= set(presets)
    assert ", ".join(presets) in str(error_of(params, "dmo").expected)
    assert error_of(params, "dmo").fix == "did you mean 'demo'?"
    assert error_of(params, "../presets/demo").problem == "unknown preset '../presets/demo'"
    table8 = (params / "table8.yaml").read_text()
    (params / "table8.yaml").unlink()
    error = error_of(params)
    tables = "table1, table2, table3, table4, table5, table6, table7, table9, "
    tables += "table-boundaries, table-causes, table-controls, table-starts, table-tune"
    assert (error.problem, error.found, error.expected) == ("unknown table", "'table8'", tables)
    (params / "table8.yaml").write_text(table8)
    (params / "paper" / "tables_reference.csv").unlink()
    assert "tables_reference.csv is missing" in str(error_of(params))
    assert "the folder has none" in str(error_of(params / "nowhere"))


def test_a_table_has_the_number_of_its_file(params: Path) -> None:
    edit(params, "table7.yaml", "number: 7", "number: 8")
    error = error_of(params)
    assert (key_of(error), error.found, error.expected) == ("number", 8, "7")


def test_a_table_with_a_name_of_its_own_has_no_number(params: Path) -> None:
    """So that its number cannot be taken for one of the paper's."""
    edit(params, "table-controls.yaml", "title: ", "number: 10\ntitle: ")
    error = error_of(params)
    assert (key_of(error), error.found) == ("number", 10)
    assert "delete this line" in str(error.fix)
    edit(params, "table-controls.yaml", "number: 10\n", "")
    edit(params, "table7.yaml", "number: 7\n", "")
    assert "the number in the file's name is missing" in str(error_of(params))


@pytest.mark.parametrize("share", ["0.0", "1.0", "-0.1"])
def test_a_share_of_no_or_all_channels_is_refused(params: Path, share: str) -> None:
    edit(params, "table-controls.yaml", "share: 0.88,", f"share: {share},")
    text = str(error_of(params))
    assert "table-controls.yaml" in text
    assert "override.fusion.share" in text
    assert "above 0, below 1" in text


def test_a_table_has_rows_or_groups(params: Path) -> None:
    edit(params, "table7.yaml", "\nfooters:\n", "\ngroups: [{label: x, rows: [{convs: shared}]}]\nfooters:\n")
    assert "either `rows:` or `groups:`" in str(error_of(params))


GROUPS = "tables: [table2, table4, table6, table7, table8, table9, table-controls, table-boundaries]\n"


def test_a_row_group_that_a_preset_requests_must_exist(params: Path) -> None:
    edit(params, "presets/demo.yaml", GROUPS, f"{GROUPS}groups: {{table4: [Texture+Shade to GRB]}}\n")
    text = str(error_of(params))
    assert "table4 does not have this row group" in text
    assert "presets/demo.yaml" in text and "groups.table4[0] (line " in text
    assert "'Texture+Shade to GRB'" in text
    assert "Texture+Shade to RGB; Depth+Normal to RGB" in text
    assert "did you mean 'Texture+Shade to RGB'?" in text


def test_row_groups_of_a_table_that_the_preset_does_not_list_are_an_error(params: Path) -> None:
    edit(params, "presets/demo.yaml", GROUPS, f"{GROUPS}groups: {{table5: [x]}}\n")
    error = error_of(params)
    assert (error.where, key_of(error)) == (params / "presets" / "demo.yaml", "groups")
    assert "table5 is not one of this preset's tables" in str(error)


def test_an_error_in_a_requested_row_group_names_its_place_in_the_file(params: Path) -> None:
    edit(params, "presets/demo.yaml", GROUPS, f"{GROUPS}groups: {{table4: [Depth+Normal to RGB]}}\n")
    edit(params, "table4.yaml", "    task: depth+normal->rgb\n", "    task: depth+normal->rgb\n    only: [Layers]\n")
    assert key_of(error_of(params)) == "groups[1].only"
