"""Hostile strings in params, configuration and environment are shown as text or refused, never acted on."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from checkout import TABLE7, Checkout
from rich.console import Console

from cenbench.errors import UserError
from cenbench.matrix.plan import load_plan
from cenbench.paths import Paths
from cenbench.records.read import read_record
from cenbench.redact import redacted
from cenbench.report.render_html import render_html
from cenbench.report.render_latex import render_latex
from cenbench.report.table import Table, build_table
from cenbench.report.terminal_plan import render_plan
from cenbench.report.terminal_table import render_terminal

SHOWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    r"\input{/etc/passwd}",
    r"\write18{touch pwned} $ & % # _ ^ ~ } {",
    "$(touch pwned)",
    "`touch pwned`; touch pwned",
    "' \" | touch pwned && ",
    "{{ 7 * 7 }} {% raw %} << 7 >>",
    "[/] [link=x]y[/link] [bold",
    "../../../etc/passwd",
    "line\nbreak",
)
REFUSED = ("\u202egnp.exe", "\u2066x", "\u200bx", "\ufeffx y", "\x1b[2Jx", "\x00x", "\x9bx")
ESCAPES = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "{", "}", "$"}
ESCAPES |= {"&", "#", "%", "_", "`"}


def hostile_table(text: str) -> str:
    """Table 7 with the text in every free-text field."""
    table = yaml.safe_load(TABLE7)
    table |= {"title": text, "caption": text, "group_heading": text, "footers": [text]}
    table["stub"] = [{"heading": text, "shows": "convs"}]
    for place, row in enumerate(table["rows"]):
        row["labels"] = [f"{text} {place}"]
    for place, column in enumerate(table["columns"]):
        column["label"] = f"{place} {text}"
    return yaml.safe_dump(table, allow_unicode=True)


def shown_table(checkout: Checkout, text: str) -> Table:
    checkout.write("params/table7.yaml", hostile_table(text))
    paths = Paths(checkout.root)
    plan = load_plan(paths.params, "demo")
    return build_table("demo", plan.table("table7"), {id: read_record(paths, cell) for id, cell in plan.cells.items()})


@pytest.fixture
def declared(prepared_checkout: Checkout, tmp_path: Path) -> Checkout:
    """A checkout that has only its params."""
    shutil.copytree(prepared_checkout.root / "params", tmp_path / "params")
    return Checkout(tmp_path)


class Markup(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


ARRANGED = {
    "footnotesize", "scriptsize", "parbox", "raggedright", "arraybackslash", "centering", "allowbreak", "smallskip",
    "addtocounter",
}  # fmt: skip
"""What a longer text may need to fit: smaller type, a box in which it wraps, and panels."""


def control_sequences(latex: str) -> set[str]:
    """The names after a backslash, on which TeX would act."""
    return set(re.findall(r"\\([a-zA-Z@]+|.)", latex))


@pytest.mark.parametrize("text", SHOWN)
def test_a_text_is_shown_and_nothing_else(declared: Checkout, text: str) -> None:
    plain, hostile = shown_table(declared, "plain"), shown_table(declared, text)
    page, before = Markup(render_html(hostile)), Markup(render_html(plain))
    assert page.tags == before.tags, "no more tags or attributes than with plain text"
    assert " ".join(text.split()) in " ".join(page.text.split())
    latex, known = render_latex(hostile), control_sequences(render_latex(plain))
    assert control_sequences(latex) <= known | ESCAPES | ARRANGED
    body, usual = (re.sub(r"\\.", "", source) for source in (latex, render_latex(plain)))
    assert {letter: body.count(letter) for letter in "%$#_^~"} == {letter: usual.count(letter) for letter in "%$#_^~"}
    if latex.count("{tabular}") == render_latex(plain).count("{tabular}"):  # panels repeat the labels
        assert body.count("&") == usual.count("&")
    assert body.count("{") == body.count("}")
    console = Console(width=2000, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(render_terminal(hostile, console.width))
    assert text.splitlines()[0] in console.export_text()


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_that_a_reader_cannot_see_is_refused(declared: Checkout, text: str) -> None:
    declared.write("params/table7.yaml", yaml.safe_dump({**yaml.safe_load(TABLE7), "title": text}))
    with pytest.raises(UserError) as caught:
        load_plan(declared.root / "params", "demo")
    assert "table7.yaml" in str(caught.value)
    assert text not in str(caught.value), "the message itself is safe to print"


@pytest.mark.parametrize("text", SHOWN)
def test_a_description_is_shown_as_it_is(declared: Checkout, text: str) -> None:
    preset = yaml.safe_load((declared.root / "params/presets/demo.yaml").read_text())
    declared.write("params/presets/demo.yaml", yaml.safe_dump({**preset, "description": text}))
    console = Console(width=2000, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(render_plan(load_plan(declared.root / "params", "demo")))
    assert text.splitlines()[0] in console.export_text()


@pytest.mark.parametrize("text", [*SHOWN, *REFUSED, "x/../../y", "/etc", "-rf", "x y", "~"])
def test_what_becomes_a_path_or_an_argument_is_a_plain_name(declared: Checkout, text: str) -> None:
    """For the dataset, the preset, the fusion method, the stream and the task: no part of such text gets into an id."""
    preset = yaml.safe_load((declared.root / "params/presets/demo.yaml").read_text())
    table = yaml.safe_load(TABLE7)
    dataset = {**preset["segmentation"]["dataset"], "name": text}
    for file, document in {
        "params/presets/demo.yaml": [
            {**preset, "name": text},
            {**preset, "tables": [text]},
            {**preset, "segmentation": {**preset["segmentation"], "dataset": dataset}},
        ],
        "params/table7.yaml": [
            {**table, "defaults": {**table["defaults"], "task": text}},
            {**table, "defaults": {**table["defaults"], "fusion": text}},
            {**table, "columns": [{"label": "x", "stream": text}]},
            {**table, "defaults": {**table["defaults"], "override": {"dataset": {"name": text}}}},
            {**table, "defaults": {**table["defaults"], "override": {text: {"name": text}}}},
        ],
    }.items():
        good = (declared.root / file).read_text()
        for bad in document:
            declared.write(file, yaml.safe_dump(bad))
            with pytest.raises(UserError):
                load_plan(declared.root / "params", "demo")
        declared.write(file, good)
    with pytest.raises(UserError):
        load_plan(declared.root / "params", text)


def test_hostile_params_end_to_end(finished: Checkout) -> None:
    """Through Snakemake and its shells: the table is rendered again, with the text in it, and nothing else happens."""
    text = " ".join(part.replace("\n", " ") for part in SHOWN)
    finished.write("params/table7.yaml", hostile_table(text))
    before = {path for path in finished.root.rglob("*") if ".snakemake" not in path.parts}
    output = finished.snakemake("all_tables")
    assert "Traceback" not in output
    page = (finished.root / "reports/demo/table7.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "passwd" in page
    after = {path for path in finished.root.rglob("*") if ".snakemake" not in path.parts}
    named = {path for path in after - before if path.is_relative_to(finished.root / "reports/demo/metrics")}
    assert all(re.fullmatch(r"[\w+.-]{1,170}", path.name) for path in named), (
        "one small file per slot, named by its labels"
    )
    assert {path.suffix for path in after - before - named} <= {".pyc", ""}, "no other file created by the text"
    assert not list(finished.root.rglob("pwned"))
    for config in ("preset=demo;touch pwned", "tables=$(touch pwned)"):
        output = finished.snakemake("-n", "all_tables", "--config", config, status=1)
        assert "Traceback" not in output
        assert "unknown preset" in output or "has no table" in output
    assert not list(finished.root.rglob("pwned"))


def test_hostile_names_do_not_reach_the_shell_of_dvc(finished: Checkout) -> None:
    finished.run("git", "init", "-q")
    finished.run("dvc", "init", "-q")
    shown = {"pages": ["table7"], "figures": []}
    for text in ("demo; touch pwned", "$(touch pwned)", "../demo"):
        finished.write("params/pipeline.yaml", yaml.safe_dump({"preset": text, "tables": "all", **shown}))
        output = finished.run("python", "-m", "cenbench", "pipeline", "tables", status=2)
        assert "unknown preset" in output
    finished.run("dvc", "repro", status=None)
    finished.write("params/pipeline.yaml", yaml.safe_dump({"preset": "demo", "tables": "all; touch pwned", **shown}))
    assert "failed" in finished.run("dvc", "repro", status=None)
    assert not list(finished.root.rglob("pwned"))


SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDKEY000001",
    "AWS_SECRET_ACCESS_KEY": "planted/secret+key/of/the/bucket0000001",
    "AWS_SESSION_TOKEN": "planted-session-token-000000000",
    "DATABASE_PASSWORD": "planted-password-1",
}


def test_secrets_are_in_no_record_no_log_and_no_report(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted in the environment, in DVC's local configuration and in arguments; one cell succeeds, another fails."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (checkout.root / ".dvc").mkdir()
    checkout.write(
        ".dvc/config.local", f"['remote \"s3\"']\n    secret_access_key = {SECRETS['AWS_SECRET_ACCESS_KEY']}\n"
    )
    inside = checkout.root / SECRETS["DATABASE_PASSWORD"]
    inside.symlink_to(checkout.root)
    plan = load_plan(checkout.root / "params", "demo")
    good, bad = list(plan.cells)[:2]
    output = checkout.run("python", "-m", "cenbench", "run", good, "--root", str(inside))
    (state,) = [checkout.root / "results/state" / plan.cell(bad).training_id]
    state.mkdir(parents=True)
    (state / "finished.json").mkdir()  # an error that nobody anticipated
    output += checkout.run("python", "-m", "cenbench", "run", bad, "--root", str(inside), status=None)
    assert (state / "failure.json").exists()
    output += checkout.run("python", "-m", "cenbench", "report", "--root", str(inside))
    files = [
        path for folder in ("results", "reports") for path in (checkout.root / folder).rglob("*") if path.is_file()
    ]
    assert {path.name for path in files} >= {"provenance.json", "failure.json", "table7.html", "index.html"}
    for name, secret in SECRETS.items():
        assert not [path for path in files if secret.encode() in path.read_bytes()], name
        if name != "DATABASE_PASSWORD":  # a folder name, which appears in paths
            assert secret not in output
    assert "[secret]" in (checkout.root / "results/cells" / good / "provenance.json").read_text()


def test_what_is_redacted_and_what_is_not() -> None:
    environment = {"S3_SECRET": "abcdef123", "API_KEY": "key-123456", "HOME": "/home/me", "TOKEN": "x"}
    assert redacted("a abcdef123 b key-123456 /home/me x", environment) == "a [secret] b [secret] /home/me x"
    assert (
        redacted("get https://me:pass@host/x and s3://bucket/x", {}) == "get https://[secret]@host/x and s3://bucket/x"
    )
