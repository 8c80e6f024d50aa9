"""Pages of the site that no file of `docs/` holds: the reference of `params/`, of the commands, and pages of the root.

MkDocs calls the functions named `on_*`. The reference of `params/` comes from `params/schema/`, that of the commands
from the command line itself, so neither can differ from what the program accepts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[2]
COPIED = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "licence.md",
    "benchmarks/README.md": "benchmarks.md",
    "reports/README.md": "reports.md",
    "reports/study/README.md": "study.md",
    "data/raw/README.md": "raw-data.md",
    "weights/README.md": "weights-folder.md",
}
"""File of the repository -> its page of the site."""
SCHEMAS = sorted((ROOT / "params" / "schema").glob("*.json"))
FILES = {"table": "params/tableN.yaml", "preset": "params/presets/NAME.yaml", "figure": "params/figureN.yaml"}
"""The files that a schema describes, where its name differs from theirs."""
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the anchors of headings as GitHub does, where the same pages are read too."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, page in COPIED.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    for schema in SCHEMAS:
        files.append(
            File.generated(config, f"reference/{schema.name}".replace(".json", ".md"), content=reference(schema))
        )
    files.append(File.generated(config, "reference/commands.md", content=commands()))
    return files


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Point links between files of the repository to their pages of the site; other files of it become code."""
    source = next((name for name, copied in COPIED.items() if copied == page.file.src_uri), f"docs/{page.file.src_uri}")

    def on_site(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        if re.match(r"[a-z]+:", target):
            return link[0]
        path = (ROOT / source).parent.joinpath(target).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]  # generated pages, and broken links, which the strict build reports
        name = path.relative_to(ROOT).as_posix()
        if name in COPIED or name.startswith("docs/"):
            depth = "../" * page.file.src_uri.count("/")
            return f"[{text}]({depth}{COPIED.get(name, name.removeprefix('docs/'))}{anchor})"
        return text if text.startswith("`") else f"{text} (`{name}`)"

    return LINK.sub(on_site, markdown)


def reference(path: Path) -> str:
    """The page of one schema: a table of keys per model, the file's own keys first."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    title = f"What `{FILES.get(path.stem, f'params/{path.stem}.yaml')}` may contain"
    models = {"The file": schema, **schema.get("$defs", {})}
    parts = [f"# {title}", f"Generated from `params/schema/{path.name}`, which editors use for completion."]
    for model, body in models.items():
        if body.get("properties"):
            heading = model.removesuffix("Spec") or model
            parts += [f"## {heading}", body.get("description", ""), "\n".join(_rows(body))]
    return "\n\n".join(part for part in parts if part)


def commands() -> str:
    """The page of the command line, as typer's own generator writes it."""
    command = [
        sys.executable,
        "-m",
        "typer",
        "cenbench.cli.main",
        "utils",
        "docs",
        "--name",
        "cenbench",
        "--title",
        "Commands",
    ]
    page = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return re.sub(r'<span style="font-weight: bold">(.*?)</span>', r"`\1`", page)


def _rows(model: dict[str, Any]) -> Iterator[str]:
    yield "| key | values | default | meaning |\n|---|---|---|---|"
    for key, schema in model["properties"].items():
        default = "required" if key in model.get("required", ()) else _value(schema.get("default"))
        cells = (f"`{key}`", _values(schema), default, schema.get("description", ""))
        yield "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _values(schema: dict[str, Any]) -> str:
    """The values of a key in words, with a link to the model that describes them."""
    if reference := schema.get("$ref"):
        model = reference.rsplit("/", 1)[-1].removesuffix("Spec")
        return f"[{model}](#{model.lower()})"
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(_values(alternative) for alternative in alternatives))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_values(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {_values(inner)}" if isinstance(inner, dict) else "mapping"
    return " ".join([str(kind), *_limits(schema)])


def _limits(schema: dict[str, Any]) -> Iterator[str]:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    yield from (f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema)


def _value(default: object) -> str:
    return "" if default in (None, {}, []) else f"`{json.dumps(default)}`"
