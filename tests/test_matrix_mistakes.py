"""A mistake in `params/` or in a plug-in's file is reported once, with file and line, before anything runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import tracemalloc
from pathlib import Path

import pytest
from messages import without_lines

from cenbench.cli.pipeline import read_asked
from cenbench.data.adapters import ADAPTERS
from cenbench.errors import UserError
from cenbench.matrix import metrics as metrics_module
from cenbench.matrix.claims import Selector, load_claims
from cenbench.matrix.dataset_names import dataset_names
from cenbench.matrix.declared import read_constants
from cenbench.matrix.figure import figure_names, load_figure
from cenbench.matrix.key_lines import key_places
from cenbench.matrix.methods import _read as read_method
from cenbench.matrix.plan import load_plan
from cenbench.matrix.preset import _INVISIBLE, load_preset
from cenbench.matrix.robustness import load_robustness
from cenbench.matrix.selector_issues import unknown_settings
from cenbench.matrix.slot_issues import SlotIssue, merged
from cenbench.matrix.specs import RENDERED
from cenbench.matrix.table import table_names
from cenbench.matrix.table_name import table_name
from cenbench.matrix.validation import _PATTERNS, Issue, as_user_error
from cenbench.matrix.verdict_rules import load_verdict_rules
from cenbench.matrix.yaml_file import read_yaml

PARAMS = Path(__file__).parents[1] / "params"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


def edit(params: Path, file: str, old: str, new: str) -> int:
    """Replace the first `old` and return the line it begins in."""
    text = (params / file).read_text()
    assert old in text
    (params / file).write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def error_of(params: Path, preset: str = "demo") -> UserError:
    with pytest.raises(UserError) as caught:
        load_plan(params, preset)
    return caught.value


# Lines


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        ("table7.yaml", "convs: shared, norms: shared", "convs: shard, norms: shared", "rows[{}].convs"),
        ("table7.yaml", "stream: depth}", "stream: dpeth}", "columns[1].stream"),
        ("presets/demo.yaml", "momentum: 0.9", "momentum: 1.9", "segmentation.protocol.momentum"),
        ("presets/demo.yaml", "name: synthrooms", "name: synthroom", "segmentation.dataset.name"),
        ("table4.yaml", "stage: late}", "stage: late, override: {protocol: {thta: 1}}}", "columns[2].override"),
    ],
)
def test_an_error_gives_the_line_in_the_file(params: Path, file: str, old: str, new: str, key: str) -> None:
    line = edit(params, file, old, new)
    error = error_of(params)
    assert error.where == params / file
    assert re.fullmatch(re.escape(key).replace(r"\{\}", "[0-9]+") + rf"[a-z._]* \(line {line}\)", str(error.key))


def test_every_error_of_several_has_its_line(params: Path) -> None:
    lines = [
        edit(params, "presets/demo.yaml", "momentum: 0.9", "momentum: 1.9"),
        edit(params, "presets/demo.yaml", "beta1: 0.5", "beta1: 1.5"),
    ]
    text = str(error_of(params))
    assert f"segmentation.protocol.momentum (line {lines[0]}): value out of range" in text
    assert f"translation.protocol.beta1 (line {lines[1]}): value out of range" in text


def test_a_missing_key_has_the_line_of_what_lacks_it(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nrows:\n  - {b: 1}\n  - c: 2\n    d: {e: 3}\n")
    error = as_user_error(path, [Issue("rows[1].d.missing.deep", "missing key")])
    assert error.key == "rows[1].d.missing.deep (line 5)"
    assert as_user_error(path, [Issue("missing", "missing key")]).key == "missing"


def test_a_repeated_value_has_the_line_it_is_written_in(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &x\n  theta: 1\nb:\n  - *x\n")
    lines = {location: place.line for location, place in key_places(path).items()}
    assert lines == {("a",): 1, ("a", "theta"): 2, ("b",): 3, ("b", 0): 1, ("b", 0, "theta"): 2}


@pytest.mark.parametrize("content", [b"\xff", b"a: [", b"", b"a: &x [*x]\n"])
def test_a_file_without_lines_gives_none_and_no_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    assert len(key_places(path)) < 100
    assert as_user_error(path, [Issue("b", "wrong")]).key == "b"
    assert key_places(tmp_path / "missing.yaml") == {}


def test_a_margin_that_nothing_can_exceed_is_refused(params: Path) -> None:
    edit(params, "verdicts.yaml", "miou_pct: 1.0", "miou_pct: 100.0")
    with pytest.raises(UserError, match=r"a margin of 100 for miou_pct, which is in %") as caught:
        load_verdict_rules(params)
    assert caught.value.where == params / "verdicts.yaml"
    assert re.match(r"margins.* \(line \d+\)", str(caught.value.key))
    edit(params, "claims.yaml", "margin: 1.0", "margin: 1000")
    with pytest.raises(UserError, match=r"a margin of 1000 for miou_pct") as caught:
        load_claims(params)
    assert re.match(r"claims\[0\] \(line \d+\)", str(caught.value.key))


@pytest.mark.parametrize(
    ("old", "new", "key", "meant"),
    [
        ("tables: [table2,", "tables: [table-2,", "tables[0]", "table-2 as table2"),
        ("figures: [\n  figure4,", "figures: [\n  figure-12,", "figures[0]", "figure-12 as figure12"),
    ],
)
def test_a_name_that_the_command_line_reads_as_another_is_refused(
    params: Path, old: str, new: str, key: str, meant: str
) -> None:
    edit(params, "presets/demo.yaml", old, new)
    error = error_of(params)
    assert without_lines(str(error.key)) == key
    assert "(line " in str(error.key)
    assert f"the command line reads {meant}: a name of its own needs a letter in it" in error.problem


def test_a_value_in_quotes_that_is_meant_without_is_told_so(params: Path) -> None:
    line = edit(params, "presets/demo.yaml", "pretrained: false", 'pretrained: "false"')
    error = error_of(params)
    assert (error.fix, error.found) == ("write it without quotes: false", "'false'")
    assert f"(line {line})" in str(error.key)


def test_a_group_that_is_listed_twice_is_refused(params: Path) -> None:
    edit(params, "presets/demo.yaml", "tables: [table2,", "groups: {table2: [Ours, Ours]}\ntables: [table2,")
    assert "a group of table2 is listed twice" in str(error_of(params))


def test_the_names_here_are_read_as_themselves() -> None:
    names = [*table_names(PARAMS), *figure_names(PARAMS)]
    assert [table_name(name) for name in names] == names
    for name in ("table-7b", "table-2-3", "figure-7a"):
        assert table_name(name) == name


# Once


def test_a_mistake_in_a_column_is_reported_once_at_the_column(params: Path) -> None:
    line = edit(params, "table7.yaml", "stream: depth}", "stream: depth, fusion: exchnge}")
    error = error_of(params)
    assert error.problem == "the row and the column both set this term (in 11 slots)"
    assert str(error.key).startswith(f"columns[1].fusion (line {line}) with rows[0].fusion (line ")
    assert str(error.key).endswith(" and 7 more")


def test_a_term_that_no_row_sets_is_reported_once(params: Path) -> None:
    path = params / "table7.yaml"
    path.write_text(re.sub("l1: (half|none|all), ", "", path.read_text()))
    error = error_of(params)
    assert error.problem.startswith("this term is not set (in ")
    assert without_lines(str(error.key)).startswith("rows[0].l1, rows[1].l1, rows[2].l1, rows[3].l1 and ")


def test_different_mistakes_stay_apart() -> None:
    typo = Issue("rows[0].fusion", "unknown fusion method", "'exchnge'")
    other = Issue("rows[1].fusion", "unknown fusion method", "'exchnge'")
    assert merged([typo, other]) == [typo, other]
    assert merged([typo, typo, typo]) == [Issue("rows[0].fusion", "unknown fusion method (in 3 slots)", "'exchnge'")]


def test_a_mistake_in_every_slot_lists_some_and_counts_the_rest() -> None:
    found = [
        SlotIssue(f"rows[{row}]", "impossible", f"fusion x, norms {row}", others=(f"columns[{column}]",), mistake="m")
        for row in range(3)
        for column in range(2)
    ]
    [issue] = merged(found)
    assert issue.problem == "impossible (in 6 slots)"
    assert issue.found == "fusion x"
    assert issue.key == (
        "rows[0] with columns[0], rows[0] with columns[1], rows[1] with columns[0], rows[1] with columns[1] and 2 more"
    )


# Aliases


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [" + "1, " * 20_000 + "1]\nb: [" + "*x, " * 20_000 + "*x]\n",
        "a: &x " + "y" * 100_000 + "\nb: [" + "*x, " * 20_000 + "*x]\n",
    ],
    ids=["many values", "long text"],
)
def test_aliases_that_expand_too_far_are_refused_with_their_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table7.yaml"
    path.write_text(text)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="too large: over 2,000,000 keys, values and characters") as caught:
            read_yaml(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "line 2, column" in caught.value.problem
    assert caught.value.where == path
    assert peak < 500e6, "what the aliases repeat is 400 million values, or 2 GB of text"


def test_aliases_within_bounds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &x [1, 2]\nb: [*x, *x]\n")
    assert read_yaml(path) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


# Plug-ins


def refused_plug_in(path: Path, read: object, content: bytes, message: str, key: str | None) -> UserError:
    """Read a plug-in of this content; the error, which names the file and the key."""
    path.write_bytes(content)
    assert callable(read)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert (caught.value.where, caught.value.key) == (path, key)
    return caught.value


@pytest.mark.parametrize(
    ("content", "message", "key"),
    [
        (b'LABEL = "x"\ndef broken(:\n', "not valid Python: invalid syntax", "line 2"),
        (b'LABEL = "x"\n  ACTS = 1\n', "not valid Python: unexpected indent", "line 2"),
        (b'LABEL = "x\n', "not valid Python: unterminated string literal", "line 1"),
        (b"LABEL = 1\n\nX = '\xff'\n", "not UTF-8 text", "line 3"),
        (b"X = 1\x00\n", "not valid Python", None),
        (b"X = " + b"(" * 1000 + b"\n", "not valid Python", "line 1"),
        (b"X = " + b"-" * 100_000 + b"1\n", "not valid Python", None),
    ],
    ids=["syntax", "indent", "string", "bytes", "null", "brackets", "depth"],
)
@pytest.mark.parametrize("read", [read_method, metrics_module._read, read_constants], ids=["fusion", "metric", "any"])
def test_a_broken_plug_in_is_reported_with_file_and_line(
    tmp_path: Path, read: object, content: bytes, message: str, key: str | None
) -> None:
    error = refused_plug_in(tmp_path / "mine.py", read, content, message, key)
    assert "<unknown>" not in str(error)


@pytest.mark.parametrize("read", [read_method, metrics_module._read], ids=["fusion", "metric"])
def test_an_empty_plug_in_and_one_that_cannot_be_read_are_reported(tmp_path: Path, read: object) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(b"")
    assert callable(read)
    with pytest.raises(UserError, match="must declare this") as caught:
        read(path)
    assert caught.value.where == path
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(UserError, match=r"folder\.py is not a regular file"):
        read(tmp_path / "folder.py")
    if os.getuid():  # root can read everything
        path.chmod(0)
        with pytest.raises(UserError, match=r"mine\.py cannot be accessed: Permission denied"):
            read(path)


METRIC = b'TITLE = "x"\nUNIT = ""\nBETTER = "higher"\nDECIMALS = 1\nNEEDS = "pixels"\nPERFECT = None\n'
METHOD = b'LABEL = "x"\nACTS = "points"\nMERGES = True\nINPUTS = (2, None)\n'
MASKED = b'LABEL = "x"\nACTS = "norms"\nMERGES = False\nINPUTS = (2, 2)\nFIXED_MASK = True\n'


@pytest.mark.parametrize(
    ("read", "content", "message", "key"),
    [
        (metrics_module._read, METRIC, "must define compute", "compute"),
        (metrics_module._read, METRIC + b"def compute(total, count): ...\n", "must define values", "values"),
        (metrics_module._read, METRIC + b"def compute(sets): ...\n", "compute cannot be called", "compute (line 7)"),
        (metrics_module._read, METRIC + b"def compute(a, b, c): ...\n", "cannot be called", "compute (line 7)"),
        (metrics_module._read, METRIC + b"def compute(a, b, *, c): ...\n", "cannot be called", "compute (line 7)"),
        (metrics_module._read, METRIC + b"async def compute(a, b): ...\n", "cannot be called", "compute (line 7)"),
        (metrics_module._read, METRIC + b"class compute: ...\n", "cannot be called", "compute (line 7)"),
        (metrics_module._read, METRIC + b"if 0:\n  def Compute(): ...\n", "must define compute", "compute"),
        (read_method, METHOD, "must define Operator", "Operator"),
        (read_method, METHOD + b"class operator: ...\n", "must define Operator", "Operator"),
        (read_method, MASKED, "must define mask", "mask"),
    ],
)
def test_a_plug_in_without_what_it_must_define_is_reported(
    tmp_path: Path, read: object, content: bytes, message: str, key: str
) -> None:
    """Before anything runs: not when the first cell of it has trained."""
    error = refused_plug_in(tmp_path / "mine.py", read, content, message, key)
    assert "__init__.py" in str(error.fix)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (metrics_module._read, METRIC + b"def compute(a, b, c=1): ...\nvalues = len\n"),
        (metrics_module._read, METRIC + b"def compute(*a): ...\nfrom x import y as values\n"),
        (metrics_module._read, METRIC + b"@cache\ndef compute(): ...\nif 1:\n  def values(): ...\n"),
        (read_method, METHOD + b"from x import Operator\n"),
        (read_method, METHOD + b"Operator = make()\n"),
        (read_method, MASKED + b"def mask(modalities, channels): ...\n"),
    ],
)
def test_a_plug_in_may_define_it_in_any_way(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    assert callable(read)
    assert read(path).name == "mine"


@pytest.mark.parametrize("read", [read_method, metrics_module._read], ids=["fusion", "metric"])
@pytest.mark.parametrize("name", ["my-own.py", "my own.py", "meïn.py"])
def test_a_plug_in_whose_file_cannot_be_imported_is_reported(tmp_path: Path, read: object, name: str) -> None:
    """my-own.py would take the place of my_own.py, whose method has that name."""
    path = tmp_path / name
    path.write_bytes((METHOD if read is read_method else METRIC) + b"def compute(a, b): ...\nvalues = Operator = len\n")
    assert callable(read)
    with pytest.raises(UserError, match="must be named after") as caught:
        read(path)
    assert caught.value.where == path


def test_a_pipe_or_a_link_that_leads_nowhere_is_reported(params: Path) -> None:
    for file in ("claims.yaml", "robustness.yaml", "table7.yaml", "presets/demo.yaml"):
        path = params / file
        path.unlink()
        for make, message in (
            (lambda path: path.symlink_to("nowhere.yaml"), "missing file"),
            (lambda path: path.symlink_to(path.name), "ELOOP"),
            (os.mkfifo, "not a regular file"),
            (Path.mkdir, "not a regular file"),
        ):
            make(path)
            with pytest.raises(UserError, match=message) as caught:
                {"claims.yaml": load_claims, "robustness.yaml": load_robustness}.get(file, read_yaml)(
                    params if file in ("claims.yaml", "robustness.yaml") else path
                )
            assert caught.value.where == path
            path.rmdir() if make is Path.mkdir else path.unlink()
        shutil.copy(PARAMS / file, path)


def test_constants_that_are_not_literals_are_marked_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("A = {[]: 1}\nB = len('x')\nC = 3\nD: int = 4\nE: int\n")
    assert read_constants(path) == {"A": ..., "B": ..., "C": 3, "D": 4}


# Datasets


def test_the_known_datasets_are_the_rendered_ones_and_those_with_an_adapter() -> None:
    assert set(dataset_names()) == {*RENDERED, *ADAPTERS}


@pytest.mark.parametrize(
    ("file", "old", "new", "key"),
    [
        ("presets/demo.yaml", "name: synthrooms", "name: synthroom", "segmentation.dataset.name"),
        ("table7.yaml", "exchange: true}", "exchange: true, override: {dataset: {name: synthroom}}}", ""),
    ],
    ids=["preset", "override"],
)
def test_an_unknown_dataset_is_reported_when_it_is_loaded(
    params: Path, file: str, old: str, new: str, key: str
) -> None:
    line = edit(params, file, old, new)
    error = error_of(params)
    assert error.problem.startswith("unknown dataset")
    assert (error.where, error.found) == (params / file, "'synthroom'")
    assert error.expected == "synthrooms, cityscapes, nyudv2, sunrgbd, taskonomy"
    assert error.fix == "did you mean 'synthrooms'?"
    assert str(error.key).endswith(f"dataset.name (line {line})")
    assert key in str(error.key)


def test_a_table_of_many_rows_reports_a_mistake_in_a_column_quickly(tmp_path: Path) -> None:
    found = [SlotIssue(f"rows[{row}]", "impossible", others=("columns[0]",), mistake="m") for row in range(4000)]
    started = time.process_time()
    assert merged(found)[0].key.startswith("columns[0] with rows[0], rows[1], rows[2], rows[3] and 3996 more")
    assert time.process_time() - started < 3


def test_an_unknown_preset_of_the_pipeline_is_reported_in_its_file(params: Path) -> None:
    line = edit(params, "pipeline.yaml", "preset: demo", "preset: demmo")
    with pytest.raises(UserError, match="unknown preset") as caught:
        read_asked(params.parent)
    error = caught.value
    assert (error.where, error.key, error.found) == (params / "pipeline.yaml", f"preset (line {line})", "'demmo'")
    assert "paper-official" in str(error.expected)
    assert error.fix == "did you mean 'demo'?"


# One mistake, one issue


def words_of(params: Path, file: str, old: str, new: str) -> str:
    """The message about one replaced word."""
    path = params / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_claims(params)
        load_plan(params, "demo")
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "words"),
    [
        ("claims.yaml", "convs: shared", "convs: sharde", ".convs", "expected: shared, unshared"),
        ("claims.yaml", "presets: &segmentation [demo,", "presets: &segmentation [Demo,", "presets[0]", " places)"),
        ("claims.yaml", "exchange, stage: all, m", "exchange, stage: al, m", "better.stage", " places)"),
        ("claims.yaml", "&ours {fusion: exchange,", "&ours {fusio: exchange,", "better.fusio", " places)"),
        ("table7.yaml", "shows: convs", "shows: conv", "stub[0].shows", "did you mean 'convs'?"),
        ("table7.yaml", "task: rgb+depth->semantic", "task: rgb+depth->semanti", "defaults.task", "unknown target"),
        ("presets/demo.yaml", "figure13,", "fig13,", "figures[", "did you mean 'figure13'?"),
        ("presets/demo.yaml", "tables: [table2", "tables: [Table2", "tables[0]", "did you mean 'table2'?"),
        ("presets/demo.yaml", "tables: [table2", "tables: [table_x", "tables[0]", "table-NAME in lower case"),
        ("presets/demo.yaml", "description: ", "description: a\u202e", "description", "invisible character U+202E"),
        ("presets/demo.yaml", "tables: [table2", "tables: [tab\u200ble2", "tables[0]", "invisible character U+200B"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_issue_with_the_key_that_the_file_has(
    params: Path, file: str, old: str, new: str, key: str, words: str
) -> None:
    text = words_of(params, file, old, new)
    line = next(at for at, text in enumerate((params / file).read_text().splitlines(), start=1) if new in text)
    assert key in text
    assert f" (line {line})" in text
    assert words in text
    assert "errors in" not in text
    assert not re.search(r"literal\[|tuple\[|function-after|\.\[key\]|\^|\\x", text)


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "20260131", "'2026-01-31T00:30:00'", "true"])
def test_a_date_is_described_in_words(params: Path, day: str) -> None:
    text = words_of(params, "presets/demo.yaml", "  hardware:", f"  measured_on: {day}\n  hardware:")
    assert "invalid date" in text
    assert "a day as YEAR-MONTH-DAY, such as 2026-01-31" in text


def test_two_mistakes_of_one_kind_in_one_line_are_two_issues(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: &both {x: 1, y: 1}\nb: *both\n")
    issues = [Issue(f"{outer}.{inner}", "wrong", 1) for outer in "ab" for inner in "xy"]
    text = str(as_user_error(path, issues))
    assert "2 errors" in text
    assert "a.x (line 1): wrong (in 2 places)" in text
    assert "a.y (line 1): wrong (in 2 places)" in text


def test_every_pattern_of_params_has_words() -> None:
    schemas = "".join(file.read_text() for file in (PARAMS / "schema").glob("*.json"))
    patterns = {json.loads(found) for found in re.findall(r'"pattern": (".*")', schemas)}
    without_invisible = f"^[^{_INVISIBLE}]*$"
    assert patterns - {without_invisible} == set(_PATTERNS)


def test_a_claim_named_twice_and_a_preset_listed_twice_have_lines(params: Path) -> None:
    line = edit(params, "claims.yaml", "presets: &segmentation [demo,", "presets: &segmentation [demo, demo,")
    with pytest.raises(UserError, match="demo is named twice") as caught:
        load_claims(params)
    assert f"presets (line {line})" in str(caught.value)
    shutil.copy(PARAMS / "claims.yaml", params / "claims.yaml")
    first, second = load_claims(params)[:2]
    line = edit(params, "claims.yaml", f"name: {second.name}", f"name: {first.name}")
    with pytest.raises(UserError, match=r"claims\[0\] has the same name") as caught:
        load_claims(params)
    assert (caught.value.key, caught.value.found) == (f"claims[1].name (line {line})", first.name)


@pytest.mark.parametrize("name", ["Mine.yaml", "my preset.yaml", "mine.yml"])
def test_the_file_of_a_preset_that_is_misnamed_is_reported(params: Path, name: str) -> None:
    path = params / "presets" / name
    path.write_text("name: mine\n")
    with pytest.raises(UserError, match="not that of a preset") as caught:
        load_preset(params, path.stem)
    assert caught.value.where == path


def test_a_grid_of_a_misspelt_preset_is_reported_with_its_line(params: Path) -> None:
    line = edit(params, "figure13.yaml", "  study:", "  stdy:")
    with pytest.raises(UserError, match="no preset measures this grid") as caught:
        load_figure(params, "figure13")
    assert caught.value.key == f"grids.stdy (line {line})"
    assert caught.value.fix == "did you mean 'study'?"
    shutil.copy(PARAMS / "figure13.yaml", params / "figure13.yaml")
    (params / "presets" / "study.yaml").unlink()  # a checkout without it is as good as before
    assert "study" in load_figure(params, "figure13").grids


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb: \x00\n", "invisible character U+0000"),
        ("# \u00e9\nb: \x1b[0m\n".encode(), "invisible character U+001B"),
        (b"a: 1\nb: \xff\n", "not UTF-8"),
    ],
)
def test_a_character_that_yaml_does_not_have_is_reported_with_its_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert words in caught.value.problem
    assert caught.value.key == "line 2"


def test_a_string_for_true_is_a_wrong_type() -> None:
    cells = list(load_plan(PARAMS, "tune").cells.values())
    flag = next(name for name, value in cells[0].all_settings.items() if value is True)
    [issue] = unknown_settings(Selector(settings={flag: "true"}), "better", cells)
    assert (issue.problem, issue.expected) == ("no cell has such a value", "true or false")
    assert not list(unknown_settings(Selector(settings={flag: False}), "better", cells))
