"""The documentation matches the tree: links and anchors resolve; the commands, targets and paths it shows exist.

Commands are parsed by the tools' own parsers and not run. What code and comments cite in backticks is checked too.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import faults
import pytest
import typer
import yaml
from checkout import REPOSITORY
from fenced import FENCE, MISTAKE, fenced_blocks

from cenbench import __version__
from cenbench.cli.main import app
from cenbench.matrix.table import RowSpec
from cenbench.schedule.dag import ALL, CONFIG_KEYS

FOLDERS = (".github", "benchmarks", "data/raw", "docs", "reports/study", "weights")
PAGES = sorted({*REPOSITORY.glob("*.md"), *(page for name in FOLDERS for page in (REPOSITORY / name).rglob("*.md"))})
PAGES.append(REPOSITORY / "reports" / "README.md")
README = REPOSITORY / "README.md"

INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACEHOLDER = re.compile(r"[<*{…]|\.\.\.|[A-Z]{3,}|\bN\b|(table|figure)N")
"""Marks a word that stands for others: `<cell id>`, `NAME.yaml`, `tableN.yaml`."""
WRAPPERS = ("apptainer", "srun")
GENERATED = (".snakemake/", "data/prepared/", "data/raw/", "published/", "reports/", "results/", "site/", "weights/")
"""Where runs and users put files: a fresh clone has none of them, a used one may."""
EXAMPLES = (
    "benchmarks/gpu.jsonl",
    "cenbench/nn/fusion/maximum.py",
    "make_rooms.py",
    "params/presets/myrooms.yaml",
    "params/table-mine.yaml",
)
"""Files that a page asks the reader to create."""
SUFFIXES = (".py", ".md", ".yaml", ".smk", ".txt", ".csv", ".def", ".toml")


def blocks(text: str, language: str) -> Iterator[str]:
    """Bodies of the blocks of one language that show what to write."""
    found = (block for block in fenced_blocks(text) if block.language == language)
    return (block.body for block in found if not block.title.startswith(MISTAKE))


def prose(text: str) -> str:
    return FENCE.sub("", text)


def inline_code(text: str) -> Iterator[str]:
    """Contents of every `code`, on one line each."""
    return (" ".join(code.split()) for code in INLINE.findall(prose(text)))


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page.read_text()), flags=re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
        if found[slug] > 1:
            found[f"{slug}-{found[slug] - 1}"] = 1
    explicit = re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text())
    return {*found, *explicit}


def broken_links(text: str, page: Path) -> Iterator[str]:
    """Relative links of `text`, which stands in `page`, whose file or heading does not exist."""
    for link in LINK.findall(INLINE.sub("", prose(text))):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def shell_commands(text: str) -> Iterator[list[str]]:
    """Words of every command in the `sh` blocks, comments left out."""
    for block in blocks(text, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = next((place for place, word in enumerate(words) if word in ("&&", "|", ";", ">")), len(words))
                yield words[:end]
                words = words[end + 1 :]


def wrong_commands(text: str) -> Iterator[str]:
    """Commands of a page that the tool they call would refuse, each with the tool's complaint."""
    for whole, commands in ((True, shell_commands(text)), (False, map(split_inline, inline_code(text)))):
        for words in commands:
            if words and words[0] in WRAPPERS:
                words = words[next((i for i, word in enumerate(words) if word in CHECKS), 0) :]
            if words and words[0] in CHECKS and (problem := CHECKS[words[0]](words[1:], whole)):
                yield f"{shlex.join(words)}: {problem}"


def split_inline(code: str) -> list[str]:
    try:
        return shlex.split(code.replace("[", "").replace("]", ""))  # optional parts of a synopsis
    except ValueError:
        return []


@cache
def cenbench_command() -> typer.core.TyperGroup:
    return typer.main.get_command(app)


def command_line_options(command: typer.core.TyperGroup) -> set[str]:
    """Options of the group itself, such as `cenbench --version`."""
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def check_cenbench(words: list[str], whole: bool) -> str | None:
    """Parse with the command's own parser; `whole`: missing arguments are wrong too."""
    command = cenbench_command()
    while words and (commands := getattr(command, "commands", None)):
        name, *words = words
        if name.startswith("--") and name in command_line_options(command):
            return None
        if name not in commands:
            return f"no command {name}"
        command = commands[name]
    if getattr(command, "commands", None):
        return "no command" if whole else None
    try:
        command.make_context(command.name, [word for word in words if word != "--help"])
    except Exception as error:  # typer has its own copy of click's exceptions
        missing = type(error).__name__ == "MissingParameter" or "requires an argument" in str(error)
        return None if missing and not whole else str(error)
    return None


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))


def check_make(words: list[str], whole: bool) -> str | None:
    asked = {word for word in words if "=" not in word}
    if not asked and whole:
        return "no target"
    return f"no target {sorted(asked - make_targets())}" if asked - make_targets() else None


@cache
def snakemake_targets() -> set[str]:
    rules = (REPOSITORY / "workflow" / "rules").glob("*.smk")
    names = {name for path in rules for name in re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE)}
    declared = {path.stem for kind in ("table", "figure") for path in (REPOSITORY / "params").glob(f"{kind}*.yaml")}
    return names | declared | {"table-mine"}


@cache
def snakemake_parser() -> ArgumentParser:
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def check_snakemake(words: list[str], whole: bool) -> str | None:
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(complaint):
            asked = snakemake_parser().parse_args(words)
    except SystemExit:
        return None if words == ["--version"] else complaint.getvalue().strip().splitlines()[-1]
    wrong = {target for target in asked.targets if not target.startswith("results/")} - snakemake_targets()
    if wrong:
        return f"no target {sorted(wrong)}"
    return next(filter(None, map(check_config, asked.config or ())), None)


def check_config(setting: str) -> str | None:
    """One `key=value` after `--config`."""
    key, _, value = setting.partition("=")
    if key not in CONFIG_KEYS:
        return f"no configuration key {key}"
    if PLACEHOLDER.search(value):
        return None
    folder, known = REPOSITORY / "params", [value] if key == "preset" else value.split(",")
    files = [folder / "presets" / f"{value}.yaml"] if key == "preset" else [folder / f"{name}.yaml" for name in known]
    here = (file.exists() or str(file.relative_to(REPOSITORY)) in EXAMPLES for file in files)
    return None if value == ALL or all(here) else f"no such {key}: {value}"


def check_script(words: list[str], whole: bool) -> str | None:
    """`python FILE`, `python -m MODULE`, `pytest FILE`."""
    if words[:1] == ["-m"]:
        module = REPOSITORY / Path(*words[1].split("."))
        is_ours = words[1].startswith("cenbench")
        return None if not is_ours or module.is_dir() or module.with_suffix(".py").exists() else f"no module {words[1]}"
    paths = [REPOSITORY / word for word in words if word.endswith(".py") and word not in EXAMPLES]
    if absent := [str(path) for path in paths if not path.exists()]:
        return f"no file {absent}"
    options = [word for word in words if word.startswith("--")] if paths and "tests" not in paths[0].parts else []
    return next((f"no option {option}" for option in options if f'"{option}"' not in paths[0].read_text()), None)


CHECKS: dict[str, Callable[[list[str], bool], str | None]] = {
    "cenbench": check_cenbench,
    "make": check_make,
    "snakemake": check_snakemake,
    "python": check_script,
    "pytest": check_script,
}


@cache
def file_names() -> set[str]:
    return {path.name for folder in ("cenbench", "tests", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py")}


def absent_paths(text: str) -> Iterator[str]:
    """Paths into the repository, in `code`, that do not exist; Python files by name alone count too."""
    for code in inline_code(text):
        if not re.fullmatch(r"[\w./-]+", code) or PLACEHOLDER.search(code.removesuffix(".md")) or code in EXAMPLES:
            continue
        first, slash, _ = code.partition("/")
        if slash and (REPOSITORY / first).exists():
            exists = any((folder / code).exists() for folder in (REPOSITORY, REPOSITORY / "cenbench"))
            if not exists and not f"{code}/".startswith(GENERATED):
                yield code
        elif not slash and code.endswith(".py") and code not in file_names():
            yield code


CITED_TEST = re.compile(r"`((?:cluster/)?test_\w+\.py)::(test_\w+)`")
PROMISES = [REPOSITORY / "docs" / f"{name}.md" for name in ("faults", "safety", "determinism", "scaling")]
"""Pages of promises, each with the tests that hold it."""


@cache
def names_in(file: str) -> set[str]:
    path = REPOSITORY / "tests" / file
    return set(re.findall(r"^def (test_\w+)\(", path.read_text(), flags=re.MULTILINE)) if path.exists() else set()


def absent_tests(text: str) -> Iterator[str]:
    """Tests cited as `test_file.py::test_name` that do not exist."""
    return (f"{file}::{name}" for file, name in CITED_TEST.findall(text) if name not in names_in(file))


def promises(text: str) -> Iterator[tuple[str, str]]:
    """Promise and what tests it, from the rows of tables whose last column is `tested by`."""
    for table in re.findall(r"^\|.*\| tested by \|\n\|[-|:]+\|\n((?:\|.*\|\n)+)", text, flags=re.MULTILINE):
        for row in table.splitlines():
            promise, _, tested_by = row.strip("| ").rpartition(" | ")
            yield promise, tested_by


def listed(problems: Callable[[Path], Iterator[str]]) -> list[str]:
    """`page: problem` for every page."""
    return [f"{page.relative_to(REPOSITORY)}: {problem}" for page in PAGES for problem in problems(page)]


def test_links_and_anchors_resolve() -> None:
    assert listed(lambda page: broken_links(page.read_text(), page)) == []


def test_commands_exist_and_take_their_options() -> None:
    assert listed(lambda page: wrong_commands(page.read_text())) == []


def test_paths_exist() -> None:
    assert listed(lambda page: absent_paths(page.read_text())) == []


def test_cited_tests_exist() -> None:
    assert listed(lambda page: absent_tests(page.read_text())) == []


@pytest.mark.parametrize("page", PROMISES, ids=lambda page: page.stem)
def test_every_promise_names_a_test(page: Path) -> None:
    found = list(promises(page.read_text()))
    assert len(found) > 3
    assert [promise for promise, tested_by in found if not CITED_TEST.search(tested_by)] == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(README.read_text())}
    pages = {str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")}
    assert pages - linked == set()


def test_every_page_has_its_place_in_the_site() -> None:
    """`make docs` refuses other pages; here it is found without building the site."""
    menu = (REPOSITORY / "mkdocs.yml").read_text()
    pages = {str(page.relative_to(REPOSITORY / "docs")) for page in (REPOSITORY / "docs").rglob("*.md")}
    references = {f"reference/{path.stem}.md" for path in (REPOSITORY / "params" / "schema").glob("*.json")}
    assert (
        sorted(page for page in pages | references if not re.search(rf": {page}$|- {page}$", menu, re.MULTILINE)) == []
    )


def test_messages_explained_in_troubleshooting_are_messages_of_the_program() -> None:
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    messages = re.findall(r"^\| `([^`]+)`", page, flags=re.MULTILINE)
    code = "\n".join(path.read_text() for path in (REPOSITORY / "cenbench").rglob("*.py"))
    parts = {part.strip() for message in messages for part in message.split("…") if part.strip()}
    assert [part for part in sorted(parts) if part not in code] == []
    assert len(messages) > 15


def code_files() -> Iterator[Path]:
    """Code, parameters and configuration; not this file, whose examples cite what does not exist."""
    folders = ("cenbench", "tests", "benchmarks", "workflow", "profiles", "params", "containers")
    files = (path for folder in folders for path in (REPOSITORY / folder).rglob("*") if path.suffix in SUFFIXES)
    yield from (path for path in files if path != Path(__file__).resolve())
    yield from (REPOSITORY / name for name in ("Makefile", "Snakefile", "dvc.yaml"))


def test_pages_cited_by_the_code_exist() -> None:
    cited = {(path, name) for path in code_files() for name in re.findall(r"docs/[\w-]+\.md", path.read_text())}
    assert [f"{path}: {name}" for path, name in sorted(cited) if not (REPOSITORY / name).exists()] == []
    assert len(cited) > 10


def test_commands_and_paths_cited_by_the_code_exist() -> None:
    lines = {line for path in code_files() for line in path.read_text().splitlines() if "`" in line}
    assert [problem for line in sorted(lines) for problem in (*wrong_commands(line), *absent_paths(line))] == []


def test_rows_shown_are_valid() -> None:
    rows = [row for page in PAGES for body in blocks(page.read_text(), "yaml") for row in yaml.safe_load(body)]
    rows = [RowSpec.model_validate(row) for row in rows if isinstance(row, dict)]
    assert len(rows) >= 3


def test_the_fusion_method_shown_works(tmp_path: Path) -> None:
    import torch

    (body,) = blocks((REPOSITORY / "docs" / "fusion.md").read_text(), "python")
    file = tmp_path / "maximum.py"
    file.write_text(body)
    spec = spec_from_file_location("maximum", file)
    assert spec is not None and spec.loader is not None
    shown = module_from_spec(spec)
    spec.loader.exec_module(shown)
    x_BMCHW = torch.randn(2, 3, 4, 5, 6)
    largest = torch.stack([torch.maximum(torch.maximum(x[0], x[1]), x[2]) for x in x_BMCHW])
    operator = shown.Operator(3, 4)
    assert shown.MERGES and torch.equal(operator.merge(x_BMCHW)[:, 0], largest)
    assert all(torch.equal(operator(x_BMCHW)[:, modality], largest) for modality in range(3))
    assert operator.parameter_count(3, 4) == sum(parameter.numel() for parameter in operator.parameters())


@pytest.mark.parametrize(
    ("problems", "text"),
    [
        (lambda text: broken_links(text, README), "[a page](docs/nowhere.md)"),
        (lambda text: broken_links(text, README), "[a heading](README.md#nowhere)"),
        (wrong_commands, "`cenbench plann`"),
        (wrong_commands, "`cenbench data prepared`"),
        (wrong_commands, "```sh\ncenbench plan --sort\n```"),
        (wrong_commands, "```sh\ncd here && cenbench show   # which table?\n```"),
        (wrong_commands, "```sh\nsrun --gpus=1 cenbench doctor --all\n```"),
        (wrong_commands, "`make everything`"),
        (wrong_commands, "`snakemake table77`"),
        (wrong_commands, "`snakemake all_tables --nope`"),
        (wrong_commands, "`snakemake all_tables --config preset=demmo`"),
        (wrong_commands, "`snakemake all_tables --config table=table7`"),
        (wrong_commands, "`pytest tests/test_nothing.py`"),
        (wrong_commands, "`python -m cenbench.nothing`"),
        (wrong_commands, "`python benchmarks/step.py --nope`"),
        (absent_paths, "`cenbench/run/doctor/site.py`"),
        (absent_paths, "`doctor_of_nothing.py`"),
    ],
)
def test_a_mistake_is_found(problems: Callable[[str], Iterator[str]], text: str) -> None:
    assert len(list(problems(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[a heading](README.md#how-to-read-a-table), [elsewhere](https://example.org)",
        "`cenbench export CELL_ID --out DIR [--preset P]`, `cenbench data`, `cenbench --help`, `cenbench run CELL`",
        "```sh\nsnakemake -n --profile slurm all_tables   # 'dry' run\nmake demo TABLES=all\n```",
        "`cenbench/nn/fusion/NAME.py`, `results/cells/<cell id>/metrics.json`, `align.py`, `cenbench/nn/fusion`",
    ],
)
def test_what_is_right_is_not_reported(text: str) -> None:
    assert [*broken_links(text, README), *wrong_commands(text), *absent_paths(text)] == []


def test_the_command_for_faults_runs_the_tests_of_every_promise() -> None:
    """`make test-faults` reads the promises and their tests from the page."""
    page = (REPOSITORY / "docs" / "faults.md").read_text()
    cited = {f"{file}::{name}" for _, tested_by in promises(page) for file, name in CITED_TEST.findall(tested_by)}
    assert {test for promise in faults.promises() for test in promise.tests} == cited
    assert len(faults.promises()) == len(list(promises(page)))


def test_one_version_is_stated_everywhere() -> None:
    """The newest released version of the changelog is that of the package and of the citation, with its date."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    version, date = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)[0]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert (version, version, version) == (project["version"], __version__, citation["version"])
    assert date == str(citation["date-released"])
