"""The template environments. An undefined name raises, so that a typo is an error and not an empty page."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

import jinja2
import markupsafe

from cenbench.report.latex_text import tex
from cenbench.visible import visible

FOLDER = Path(__file__).parent / "templates"


@cache
def page_templates() -> jinja2.Environment:
    """For HTML: every value is escaped, so that it is text and never markup, and hidden characters become visible.

    One environment per process: it keeps the compiled templates, of which every cell's page needs two.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    environment.globals["script"] = markupsafe.Markup(script)
    # The page's security policy runs this script and no other.
    environment.globals["script_sha256"] = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment


def _visible(value: object) -> object:
    """A text without hidden characters; markup of the templates themselves and other values unchanged."""
    return visible(value, "\N{REPLACEMENT CHARACTER}") if type(value) is str else value


@cache
def latex_templates() -> jinja2.Environment:
    """For LaTeX, which uses braces and % itself: `<< value >>` and `<% statement %>`. Every text goes through `tex`."""
    environment = page_templates().overlay(
        autoescape=False,
        finalize=None,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        keep_trailing_newline=True,
    )
    environment.filters["tex"] = tex
    return environment
