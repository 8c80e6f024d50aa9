"""Fusion methods are the files of `cenbench/nn/fusion`; impossible terms are reported; ids keep their meaning."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from checkout import PRESET, REPOSITORY, copy_code_cache
from messages import key_of, without_lines

from cenbench.errors import UserError
from cenbench.files import digest
from cenbench.matrix import methods as methods_module
from cenbench.matrix.cell import Cell
from cenbench.matrix.methods import Method, Parameter, methods
from cenbench.matrix.plan import Plan, load_plan
from cenbench.matrix.specs import RENDERED

PARAMS = REPOSITORY / "params"
ALL_METHODS = "align, average, concat, exchange, none, random-mask, self-att, uni-modal"
MERGED_ROW = "      - {fusion: concat, stage: early}\n"  # the first of table 2's, in the commonly used setting
PARALLEL_GROUP = '  - label: "Same as ours: shared convs, unshared norms, one prediction per modality"\n'
ALL_STAGES_ROW = "      - {fusion: concat}\n"  # the first of table 4's; its columns set the stage


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PARAMS, tmp_path / "params"))


@pytest.fixture(scope="module")
def demo() -> Plan:
    return load_plan(PARAMS, "demo")


def edit(params: Path, file: str, old: str, new: str) -> None:
    """Replace the first `old`, which must be there."""
    text = (params / file).read_text()
    assert old in text
    (params / file).write_text(text.replace(old, new, 1))


def edit_parallel(params: Path, old: str, new: str) -> None:
    """Replace the first `old` of table 2's last group."""
    path = params / "table2.yaml"
    before, found, after = path.read_text().partition(PARALLEL_GROUP)
    assert found
    assert old in after
    path.write_text(before + found + after.replace(old, new, 1))


def error_of(params: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_plan(params, "demo")
    assert "pydantic" not in str(caught.value)
    return caught.value


# The methods


def test_the_methods_are_the_files_of_the_folder() -> None:
    """There is no other list of them: every file is read, and every method has a file."""
    files = {path.stem for path in (REPOSITORY / "cenbench" / "nn" / "fusion").glob("*.py")} - {"__init__"}
    assert set(methods()) == {name.replace("_", "-") for name in files}
    assert list(methods()) == sorted(methods())
    assert all(name == method.name for name, method in methods().items())


def test_a_method_is_what_its_file_declares() -> None:
    """The paper's comparison and a control, typed independently."""
    shares = {
        "share": Parameter(0.5, above=0.0, below=1.0),
        "share_elsewhere": Parameter(0.0, min=0.0, below=1.0),
    }
    assert methods() == {
        "align": Method("align", "Align", "points", False, 2, None, parameters={"weight": Parameter(1.0, min=0.0)}),
        "average": Method("average", "Average", "points", True, 2, None),
        "concat": Method("concat", "Concat", "points", True, 2, None),
        "exchange": Method("exchange", "Ours", "norms", False, 2, None),
        "none": Method("none", "None", "nowhere", False, 2, None),
        "random-mask": Method(
            "random-mask", "Random mask", "norms", False, 2, None, fixed_mask=True, parameters=shares
        ),
        "self-att": Method("self-att", "Self-att.", "points", True, 2, None),
        "uni-modal": Method("uni-modal", "Uni-modal", "nowhere", False, 1, 1),
    }


def test_the_parsed_declarations_are_the_imported_ones() -> None:
    """The matrix parses the files, the networks import them."""
    for name, method in methods().items():
        file = importlib.import_module(f"cenbench.nn.fusion.{name.replace('-', '_')}")
        inputs = (method.min_inputs, method.max_inputs)
        assert (method.label, method.acts, method.merges, inputs) == (file.LABEL, file.ACTS, file.MERGES, file.INPUTS)
        assert hasattr(file, "Operator") == (method.acts == "points")
        assert hasattr(file, "mask") == method.fixed_mask
        declared = getattr(file, "PARAMETERS", {})
        assert method.parameters == {parameter: Parameter(**values) for parameter, values in declared.items()}


def test_labels_of_rows_are_those_of_the_files(demo: Plan) -> None:
    for name in ("table2", "table4", "table6"):
        table = demo.table(name)
        for slot in table.slots:
            assert table.rows[slot.row].labels[0] == methods()[slot.cells[0].fusion].label


@pytest.fixture
def other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of methods in place of the package's."""
    monkeypatch.setattr(methods_module, "_FOLDER", tmp_path)
    methods.cache_clear()
    yield tmp_path
    methods.cache_clear()


@pytest.mark.parametrize("missing", ["LABEL", "ACTS", "MERGES", "INPUTS"])
def test_a_file_with_a_missing_declaration_is_reported(other_folder: Path, missing: str) -> None:
    declared = {"LABEL": '"Median"', "ACTS": '"points"', "MERGES": "True", "INPUTS": "(3, None)"}
    file = other_folder / "the_median.py"
    operator = "class Operator:\n"
    for method in ("__init__", "parameter_count", "forward", "merge"):
        operator += f"    def {method}(self, *args, **kwargs): ...\n"
    file.write_text(operator + "".join(f"{name} = {value}\n" for name, value in declared.items()))
    assert methods() == {"the-median": Method("the-median", "Median", "points", True, 3, None)}
    assert (methods()["the-median"].accepts(2), methods()["the-median"].accepts(3)) == (False, True)
    assert methods()["the-median"].inputs_text == "at least 3 modalities"
    methods.cache_clear()
    file.write_text(operator + "".join(f"{name} = {value}\n" for name, value in declared.items() if name != missing))
    with pytest.raises(
        UserError, match=rf"must declare this\n  file: .*the_median.py\n  key: {missing}\n  found: nothing"
    ):
        methods()


# Impossible terms


@pytest.mark.parametrize(
    ("row", "key", "found", "expected", "fix"),
    [
        ("{fusion: concta, stage: early}", "fusion", "'concta'", ALL_METHODS, "did you mean 'concat'?"),
        ("{fusion: self_att, stage: early}", "fusion", "'self_att'", ALL_METHODS, "did you mean 'self-att'?"),
        ("{fusion: zzz, stage: early}", "fusion", "'zzz'", ALL_METHODS, "cenbench plan"),
        ("{fusion: ../../x, stage: early}", "fusion", "'../../x'", "a name in lower case", "cenbench plan"),
        ("{fusion: concat, stage: middel}", "stage", "'middel'", "early, middle, late, all", "did you mean 'middle'?"),
        ("{fusion: concat, stage: 2}", "stage", "2", "early, middle, late, all", "cenbench plan"),
        ("{fusion: concat, merged: maybe}", "merged", "'maybe'", "true or false", "cenbench plan"),
        ("{fusion: concat, only: [Ensembel]}", "only", "'Ensembel'", "RGB, Depth, Ensemble, Cost", "'Ensemble'?"),
        ("{fusion: concat, only: []}", "only", "[]", "a list of length at least 1", "cenbench plan"),
        ("{fusion: concat, only: Cost}", "only", "'Cost'", "a list", "cenbench plan"),
        ("{fusoin: concat}", "fusoin", "fusoin", "fusion", "did you mean 'fusion'?"),
        ("{stage: early}", "fusion", None, None, "set `fusion:` in the row"),
    ],
)
def test_a_wrong_word_is_reported_with_its_key_and_the_allowed_words(
    params: Path, row: str, key: str, found: str | None, expected: str | None, fix: str
) -> None:
    edit(params, "table2.yaml", MERGED_ROW, f"      - {row}\n")
    error = error_of(params)
    assert error.where == params / "table2.yaml"
    assert key_of(error) == f"groups[1].rows[0].{key}"
    assert error.found == found
    assert (expected or "") in str(error.expected)
    assert fix in str(error.fix)


def test_a_wrong_only_of_a_group_is_reported_too(params: Path) -> None:
    edit(params, "table2.yaml", "    only: [Ensemble, Cost]\n", "    only: [Ensemble, Costs]\n")
    error = error_of(params)
    assert (key_of(error), error.found) == ("groups[1].only", "'Costs'")
    assert error.expected == "RGB, Depth, Ensemble, Cost"


def test_fusion_and_its_short_form_exclude_each_other(params: Path) -> None:
    edit(params, "table2.yaml", MERGED_ROW, "      - {fusion: concat, exchange: true}\n")
    error = error_of(params)
    assert (error.where, key_of(error)) == (params / "table2.yaml", "groups[1].rows[0]")
    assert "`exchange:` is short for a `fusion:`; set only one of the two" in str(error)


def test_fusion_in_the_row_and_its_short_form_in_the_column_are_the_same_term_twice(params: Path) -> None:
    edit(params, "table4.yaml", "{label: Late, stage: late}", "{label: Late, stage: late, exchange: false}")
    error = error_of(params)
    assert error.problem == "the row and the column both set this term (in 8 slots)"
    assert key_of(error).startswith("columns[2].fusion with groups[0].rows[0].fusion, groups[0].rows[1].fusion, ")
    assert key_of(error).endswith(" and 4 more")


@pytest.mark.parametrize(
    ("row", "message", "found"),
    [
        (
            "{fusion: none, stage: early}",
            "none acts at no stage, so `stage` cannot be set (found: early)",
            "fusion none, stage early",
        ),
        (
            "{fusion: concat, stage: early, task: rgb->semantic, only: [RGB]}",
            "concat needs at least two modalities, but rgb->semantic has 1",
            "task rgb->semantic, fusion concat",
        ),
        (
            "{fusion: uni-modal}",
            "uni-modal needs exactly one modality, but rgb+depth->semantic has 2",
            "task rgb+depth->semantic, fusion uni-modal",
        ),
        (
            "{fusion: uni-modal, stage: late, task: rgb->semantic, only: [RGB]}",
            "uni-modal acts at no stage, so `stage` cannot be set (found: late)",
            "fusion uni-modal, stage late",
        ),
        (
            "{fusion: align, merged: true, only: [Ensemble]}",
            "merged: align cannot merge into one stream (methods that can: average, concat, self-att)",
            "fusion align, stage all, merged true",
        ),
        (
            "{fusion: exchange, merged: true, only: [Ensemble]}",
            "merged: exchange cannot merge into one stream (methods that can: average, concat, self-att)",
            "fusion exchange, stage all, merged true",
        ),
        (
            "{fusion: concat, merged: true, l1: half, only: [Ensemble]}",
            "merged: a single stream has no other to exchange with, so l1 must be none, not half",
            "merged true, convs shared, norms unshared, l1 half",
        ),
        (
            "{fusion: exchange, norms: shared, l1: all}",
            "exchange needs private scaling factors per modality, but norms: shared shares them "
            "(allowed with exchange: unshared, affine-unshared)",
            "norms shared",
        ),
    ],
)
def test_terms_that_do_not_fit_together_are_reported_with_those_that_would(
    params: Path, row: str, message: str, found: str
) -> None:
    edit_parallel(params, MERGED_ROW, f"      - {row}\n")
    error = error_of(params)
    assert error.where == params / "table2.yaml"
    assert key_of(error) == "groups[2] with groups[2].rows[0]"
    assert message in str(error)
    assert found in str(error.found)


@pytest.mark.parametrize(
    ("row", "columns", "slots", "message"),
    [
        (
            "{fusion: concat, merged: true}",
            "columns[0], columns[1], columns[2], columns[3]",
            4,
            "merged: translation networks keep one prediction per modality; only segmentation can merge",
        ),
        (
            "{fusion: exchange, l1: half}",
            "columns[0]",
            1,
            "convolution, which has no norm that exchange could follow (allowed: middle, all)",
        ),
    ],
)
def test_what_a_unet_cannot_do_is_reported_once_with_the_affected_columns(
    params: Path, row: str, columns: str, slots: int, message: str
) -> None:
    edit(params, "table4.yaml", ALL_STAGES_ROW, f"      - {row.replace('}', ', in_paper: false}')}\n")
    error = error_of(params)
    assert f"groups[0] with groups[0].rows[0] with {columns}" in without_lines(str(error))
    assert message in str(error)
    assert (f"(in {slots} slots)" in str(error)) == (slots > 1)


def test_exchange_after_single_stages_of_a_resnet_is_possible(params: Path) -> None:
    """Unlike a U-Net's, every stage of a ResNet has norms; a row of your own may use it."""
    row = "      - {fusion: exchange, stage: early, l1: half, in_paper: false}\n"
    edit_parallel(params, MERGED_ROW, row + MERGED_ROW)
    table = load_plan(params, "demo").table("table2")
    assert table.rows[18].labels == ("Ours", "Early")
    assert {slot.cells[0].stage for slot in table.slots if slot.row == 18} == {"early"}


def test_a_merged_network_has_two_streams(params: Path) -> None:
    """The merged stream and an ensemble of it alone; no output per modality."""
    edit(params, "table2.yaml", MERGED_ROW, "      - {fusion: concat, stage: early, only: [RGB, Ensemble]}\n")
    error = error_of(params)
    assert (key_of(error), error.found, error.expected) == ("columns[0].stream", "'rgb'", "fused, ensemble")


# Ids


def keys(params: Path) -> set[str]:
    return set(load_plan(params, "demo").cells)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{fusion: concat, stage: all}", "{fusion: concat}"),
        ("{fusion: exchange, l1: half}", "{fusion: exchange, l1: half, stage: all, merged: false}"),
        ("{fusion: exchange, l1: half}", "{exchange: true, l1: half}"),
        ("{fusion: concat, stage: all}", "{fusion: concat, stage: all, merged: false}"),
    ],
)
def test_a_term_left_at_its_default_and_one_set_to_it_have_the_same_id(
    params: Path, demo: Plan, old: str, new: str
) -> None:
    edit_parallel(params, old, new)
    assert keys(params) == set(demo.cells)


def test_stage_and_merged_change_both_ids_and_can_be_read_in_them(demo: Plan) -> None:
    cells = demo.select(tables=["table2"], method="concat").cells.values()
    assert len({cell.id for cell in cells}) == len({cell.training_id for cell in cells}) == len(cells) == 8
    for cell in cells:
        method = "concat" if cell.stage == "all" else f"concat-{cell.stage}"
        assert cell.slug.split(".")[1] == (f"{method}-merged" if cell.merged else method)
        document = cell.model_dump(mode="json")
        moved = Cell.model_validate({**document, "stage": "middle" if cell.stage != "middle" else "late"})
        parted = Cell.model_validate({**document, "merged": not cell.merged})
        assert len({cell.id, moved.id, parted.id}) == 3
        assert len({cell.training_id, moved.training_id, parted.training_id}) == 3


def test_every_term_of_fusion_is_in_the_id(demo: Plan) -> None:
    """Two cells of the plan that differ in nothing else have different ids: no two slots coincide by accident.

    Besides these terms, what tables and figures of the demo vary: table 1's head, figure 13's split, theta and lambda.
    """
    by_terms = {
        (
            *(str(c.task), c.fusion, c.stage, c.merged, c.convs, c.norms, c.l1, c.seed),
            *(getattr(c.network, "head", None), c.evaluation.split, c.protocol.theta, c.protocol.lambda_l1),
        ): c.id
        for c in demo.cells.values()
    }
    assert len(by_terms) == len(set(by_terms.values())) == len(demo.cells)


# Pinned: computed at a1b4d2b, before there were methods, stages and merged networks, for tables 7 to 9 under the preset
# of tests/checkout.py, on the renderer's first version. Those of cells without an l1 term are newer: since lambda_l1 is
# no part of them. Changing these retrains every cell of every user; see also test_matrix_cells.py.
SHARED_NOTHING = "rgb+depth-to-semantic.none.unshared-convs.unshared-norms.l1-none.32px.s1.e052d7d974"
OURS = "shade+texture+depth+normal-to-rgb.exchange.shared-convs.unshared-norms.l1-half.32px.s1.3d22520178"
PENALISED_11 = "5b71a963a27d000b72f555207fbd8ddfa4b8e4023feef3b025662d0a81b0c012"
ALL_27 = "89fc5de3a7dda67f11587c07b114fc6748484a8a9f4e45949cde3fbaa0d0e2c2"


def test_ids_of_tables_7_to_9_are_those_from_before_there_were_methods(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RENDERED, "synthrooms", 1)
    preset = PRESET.replace("name: demo", "name: tests").replace("[table7, table8]", "[table7, table8, table9]")
    (params / "presets" / "tests.yaml").write_text(preset)
    cells = load_plan(params, "tests").cells
    assert next(iter(cells)) == SHARED_NOTHING
    assert OURS in cells
    penalised = [cell for cell in cells.values() if cell.l1 != "none"]
    for group, pinned in ((penalised, PENALISED_11), (cells.values(), ALL_27)):
        assert digest(sorted((cell.id, cell.training_id) for cell in group)) == pinned


# A method of your own

MAXIMUM = '''"""Maximum: every modality continues with the element-wise maximum over them."""

from __future__ import annotations

from torch import Tensor

from cenbench.nn.fusion_operator import FusionOperator

LABEL = "Maximum"
ACTS = "points"
MERGES = True
INPUTS = (2, None)


class Operator(FusionOperator):
    """`x_BMCHW -> y_BMCHW`. No parameters."""

    @staticmethod
    def parameter_count(modalities: int, channels: int) -> int:
        return 0

    def forward(self, x_BMCHW: Tensor) -> Tensor:
        return x_BMCHW.amax(1, keepdim=True).expand_as(x_BMCHW)

    def merge(self, x_BMCHW: Tensor) -> Tensor:
        return x_BMCHW.amax(1, keepdim=True)
'''
DIGESTS = """
import json
from pathlib import Path
from cenbench.matrix.plan import load_plan
from cenbench.records.digests import evaluation_code, training_code

cells = load_plan(Path("params"), "demo").cells
print(json.dumps({name: [training_code(cell), evaluation_code(cell)] for name, cell in cells.items()}))
"""
BUILD = """
import torch
from cenbench.nn.segmenter import build_segmenter
from cenbench.nn.parameters import count_fusion_parameters

settings = dict(modalities=2, classes=3, depth=18, width=4, decoder_width=4, layers=(1, 1, 1, 1), convs="shared")
net = build_segmenter(fusion="maximum", stage="middle", norms="unshared", theta=0.01, dropout=0.0, **settings)
assert count_fusion_parameters(net) == 0
assert torch.isfinite(net(torch.zeros(2, 2, 3, 32, 32))).all()
"""


def run_in(root: Path, code: str) -> str:
    """Run code with the package of `root`, in a new process, since files are assumed not to change within one."""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def digests_in(root: Path) -> Mapping[str, list[str]]:
    """Cell -> digests of its training code and its evaluation code."""
    found: dict[str, list[str]] = json.loads(run_in(root, DIGESTS))
    return found


def test_a_new_method_is_one_file_and_a_row(tmp_path: Path, params: Path) -> None:
    """It adds its cell and changes neither the id nor the code of any other: nothing else is trained again."""
    package = tmp_path / "cenbench"
    shutil.copytree(REPOSITORY / "cenbench", package, ignore=shutil.ignore_patterns("__pycache__"))
    copy_code_cache(tmp_path)
    before = digests_in(tmp_path)
    file = package / "nn" / "fusion" / "maximum.py"
    file.write_text(MAXIMUM)
    edit_parallel(params, MERGED_ROW, "      - {fusion: maximum, stage: middle}\n" + MERGED_ROW)
    after = digests_in(tmp_path)
    [new] = after.keys() - before.keys()
    assert new.startswith("rgb+depth-to-semantic.maximum-middle.shared-convs.unshared-norms.l1-none.64px.s1.")
    assert {name: after[name] for name in before} == before
    print_labels = "from pathlib import Path; from cenbench.matrix.plan import load_plan; "
    print_labels += "print(load_plan(Path('params'), 'demo').table('table2').rows[18].labels)"
    assert run_in(tmp_path, print_labels).strip() == "('Maximum', 'Middle')"
    run_in(tmp_path, BUILD)

    file.write_text(MAXIMUM.replace("amax(1, keepdim=True).expand_as", "amax(1, True).expand_as"))
    edited = digests_in(tmp_path)
    assert edited[new][0] != after[new][0]
    assert edited[new][1] != after[new][1]
    assert {name: edited[name] for name in before} == before


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('ACTS = "points"', 'ACTS = "point"', "ACTS"),
        ("INPUTS = (2, None)", "INPUTS = (2,)", "INPUTS"),
        ("INPUTS = (2, None)", "INPUTS = (3, 2)", "INPUTS"),
        ("MERGES = True", 'MERGES = "yes"', "MERGES"),
        ('LABEL = "Concat"', "LABEL = str(1)", "LABEL"),
        ('LABEL = "Concat"', 'LABEL = "  "', "LABEL"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {1: {'default': 1}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'a b': {'default': 1}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': {'default': 1e999}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = dict(weight=1.0)", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = ['weight']", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': 1.0}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': {'min': 0.0}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': {'default': True}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': {'default': 1, 'least': 0}}", "PARAMETERS"),
        ("INPUTS = (2, None)", "INPUTS = (2, None)\nPARAMETERS = {'weight': {'default': 1, 'min': 2}}", "PARAMETERS"),
    ],
)
def test_a_file_with_an_invalid_declaration_is_reported(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = (REPOSITORY / "cenbench/nn/fusion/concat.py").read_text()
    assert old in text
    path = tmp_path / "concat.py"
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match="must declare this") as caught:
        methods_module._read(path)
    assert (key_of(caught.value), caught.value.where) == (key, path)
    [line] = [at for at, text in enumerate(path.read_text().splitlines(), start=1) if text.startswith(f"{key} ")]
    assert caught.value.key == f"{key} (line {line})"


def operator_file(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """The documented method with edits."""
    text = MAXIMUM
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "maximum.py"
    path.write_text(text)
    return path


WEIGHT = ("INPUTS = (2, None)", 'INPUTS = (2, None)\nPARAMETERS = {"weight": {"default": 1.0}}')
CLASS = "class Operator(FusionOperator):"


def init(parameters: str) -> tuple[str, str]:
    body = f"{CLASS}\n    def __init__(self, {parameters}) -> None:\n        super().__init__(1, 1)\n"
    return CLASS, body


@pytest.mark.parametrize(
    ("edits", "key", "found"),
    [
        ([("def forward(", "def forwrd(")], "Operator.forward", "forwrd"),
        ([("def merge(", "def merg(")], "Operator.merge", "merg"),
        ([("def parameter_count(", "def param_count(")], "Operator.parameter_count", "param_count"),
        ([("def forward(self, x_BMCHW: Tensor)", "def forward(self)")], "Operator.forward", "def forward(self)"),
        ([WEIGHT], "Operator.__init__", "nothing"),
        ([WEIGHT, init("modalities, channels, wieght")], "Operator.__init__", "wieght"),
        ([init("modalities, channels, weight")], "Operator.__init__", "weight"),
    ],
)
def test_an_operator_that_cannot_be_built_is_reported_with_its_line(
    tmp_path: Path, edits: list[tuple[str, str]], key: str, found: str
) -> None:
    path = operator_file(tmp_path, *edits)
    with pytest.raises(UserError) as caught:
        methods_module._read(path)
    assert (caught.value.where, key_of(caught.value)) == (path, key)
    assert " (line " in str(caught.value.key)
    assert found in str(caught.value.found)


@pytest.mark.parametrize(
    "edits",
    [
        [WEIGHT, init("modalities, channels, weight")],
        [WEIGHT, init("modalities, channels, *, weight, other=1")],
        [WEIGHT, init("*arguments, **parameters")],
        [(CLASS, "class Base(FusionOperator):\n    pass\n\n\nclass Operator(Base):"), ("def forward(", "def other(")],
        [("def forward(", "forward = other\n\n    def unused(")],
    ],
)
def test_an_operator_that_can_be_built_is_accepted(tmp_path: Path, edits: list[tuple[str, str]]) -> None:
    assert methods_module._read(operator_file(tmp_path, *edits)).label == "Maximum"


def test_a_mask_takes_the_parameters(tmp_path: Path) -> None:
    text = (REPOSITORY / "cenbench/nn/fusion/random_mask.py").read_text()
    path = tmp_path / "random_mask.py"
    path.write_text(text.replace("share: float, share_elsewhere: float) -> Tensor:", "share: float) -> Tensor:", 1))
    with pytest.raises(UserError, match="mask cannot be called") as caught:
        methods_module._read(path)
    assert key_of(caught.value) == "mask"


def test_files_with_a_byte_order_mark_and_with_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = operator_file(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / ".#maximum.py").write_text("")
    monkeypatch.setattr(methods_module, "_FOLDER", tmp_path)
    assert list(methods_module.methods.__wrapped__()) == ["maximum"]
    path.rename(tmp_path / "Maximum.py")
    with pytest.raises(UserError, match="named after the method") as caught:
        methods_module.methods.__wrapped__()
    assert caught.value.where == tmp_path / "Maximum.py"


def test_an_annotated_constant_is_read(tmp_path: Path) -> None:
    path = tmp_path / "concat.py"
    path.write_text((REPOSITORY / "cenbench/nn/fusion/concat.py").read_text().replace("LABEL =", "LABEL: str ="))
    assert methods_module._read(path).label == "Concat"


# A method's own parameters

ALIGN_ROW = "      - {fusion: align, stage: early}\n"


def align_row(weight: float) -> str:
    return ALIGN_ROW.replace("}", f", override: {{fusion: {{weight: {weight}}}}}}}")


def test_a_row_sets_a_parameter_of_its_method(params: Path, demo: Plan) -> None:
    edit_parallel(params, ALIGN_ROW, align_row(0.5) + ALIGN_ROW)
    after = load_plan(params, "demo")
    [new] = after.cells.keys() - demo.cells.keys()
    assert after.cells[new].fusion_parameters == {"weight": 0.5}
    assert after.cells.keys() > demo.cells.keys()
    assert ("Align", "Early (fusion.weight 0.5)") in [row.labels for row in after.table("table2").rows]


def test_the_default_set_explicitly_is_the_same_cell(params: Path, demo: Plan) -> None:
    edit_parallel(params, ALIGN_ROW, align_row(1))
    assert load_plan(params, "demo").cells.keys() == demo.cells.keys()


def test_row_and_column_cannot_set_the_same_parameter(params: Path) -> None:
    edit_parallel(params, ALIGN_ROW, align_row(0.5))
    edit(params, "table2.yaml", "  - {label: Ensemble,", "  - {label: Ensemble, override: {fusion: {weight: 2.0}},")
    assert "the row and the column both override this key" in str(error_of(params))


@pytest.mark.parametrize(
    ("row", "key", "problem", "found", "expected", "fix"),
    [
        ("align: {wieght: 2}", "fusion.wieght", "align has no such parameter", "'wieght'", "weight", "'weight'?"),
        ("concat: {weight: 2}", "fusion.weight", "concat has no such parameter", "'weight'", "none", "cenbench plan"),
        ("align: {weight: -1}", "fusion.weight", "value out of range", "-1", "at least 0", "cenbench plan"),
        ("align: {weight: much}", "fusion.weight", "wrong type", "'much'", "a number", "cenbench plan"),
        ("align: {weight: true}", "fusion.weight", "wrong type", "True", "a number", "cenbench plan"),
    ],
)
def test_a_wrong_parameter_is_reported_with_file_and_key(
    params: Path, row: str, key: str, problem: str, found: str, expected: str, fix: str
) -> None:
    method, parameters = row.split(": ", 1)
    edit(params, "table2.yaml", MERGED_ROW, f"      - {{fusion: {method}, override: {{fusion: {parameters}}}}}\n")
    error = error_of(params)
    assert error.where == params / "table2.yaml"
    assert key_of(error) == f"groups[1].rows[0].override.{key}"
    assert error.problem.startswith(problem)
    assert (error.found, error.expected) == (found, expected)
    assert fix in str(error.fix)


@pytest.mark.parametrize("task", ["segmentation", "translation"])
def test_the_former_place_of_the_weight_is_reported_with_the_new_one(params: Path, task: str) -> None:
    path = params / "presets" / "demo.yaml"
    before, section, after = path.read_text().partition(f"\n{task}:\n")
    path.write_text(before + section + after.replace("    lambda_l1:", "    align_weight: 0.5\n    lambda_l1:", 1))
    error = error_of(params)
    assert (error.where, key_of(error)) == (path, f"{task}.protocol.align_weight")
    assert "override: {fusion: {weight: ...}}" in str(error.fix)


def test_the_former_place_of_the_weight_in_an_override(params: Path) -> None:
    edit(params, "table2.yaml", MERGED_ROW, "      - {fusion: align, override: {protocol: {align_weight: 2}}}\n")
    error = error_of(params)
    assert key_of(error) == "groups[1].rows[0].override.protocol.align_weight"
    assert "override: {fusion: {weight: ...}}" in str(error.fix)


def test_a_cell_refuses_parameters_its_method_does_not_have(demo: Plan) -> None:
    document = next(cell for cell in demo.cells.values() if cell.fusion == "align").model_dump(mode="json")
    for fusion, parameters, words in (
        ("align", {"weigth": 1.0}, "align has no parameter 'weigth'; allowed: weight"),
        ("average", {"weight": 1.0}, "average has no parameter 'weight'; allowed: none"),
        ("align", {"weight": -1.0}, "align's weight is -1; allowed: at least 0"),
    ):
        with pytest.raises(ValueError, match=words):
            Cell.model_validate({**document, "fusion": fusion, "fusion_parameters": parameters})
