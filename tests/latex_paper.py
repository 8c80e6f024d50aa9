"""Compiling LaTeX inside a paper in two columns, and reading the sizes of type and the widths from the PDF."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

COLUMN_PT, GAP_PT = 237.0, 22.0
"""ICML's and CVPR's columns."""
TWO_COLUMNS = rf"""\documentclass[10pt,twocolumn]{{article}}
\usepackage[letterpaper,textwidth={2 * COLUMN_PT + GAP_PT}pt,columnsep={GAP_PT}pt,textheight=650pt]{{geometry}}
"""
ONE_COLUMN = r"""\documentclass[10pt]{article}
\usepackage[letterpaper,textwidth=397.5pt,textheight=650pt]{geometry}
"""
"""NeurIPS's text block."""

# Where siunitx is not installed: a column that centres its numbers. Widths are nearly the same, as all numbers of a
# column have the same decimals.
_STAND_IN = r"""\ProvidesPackage{siunitx}\RequirePackage{array}
\newcommand\sisetup[1]{}
\let\mathpm\pm\renewcommand\pm{\ensuremath{\mathpm}}
\newcolumntype{S}{c}
\def\centred@S[#1]{\NC@find c}
\def\NC@rewrite@S{\@ifnextchar[{\centred@S}{\centred@S[]}}
"""


def has_siunitx() -> bool:
    if shutil.which("kpsewhich") is None:
        return False
    found = subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False)
    return found.returncode == 0


def pdflatex(source: str, folder: Path, name: str = "paper") -> str:
    """Compile to `folder/name.pdf`, uncompressed, and return the log; fail on any error."""
    if not has_siunitx():
        (folder / "siunitx.sty").write_text(_STAND_IN)
    (folder / f"{name}.tex").write_text(source)
    first = rf"\pdfcompresslevel=0\pdfobjcompresslevel=0\input{{{name}}}"
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"-jobname={name}", first]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-3000:]
    return log


def type_sizes(pdf: Path) -> dict[float, int]:
    """Size of type in pt as printed, scaled boxes included -> number of letters."""
    found: dict[float, int] = {}
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf.read_bytes(), re.DOTALL):
        if stream.startswith(b"%!") or b"Tf" not in stream:  # a font, or no text
            continue
        scale, saved, size = 1.0, [], 0.0
        tokens = re.findall(rb"\((?:\\.|[^\\)])*\)|<[0-9A-Fa-f]*>|\[|\]|[^\s\[\]()<>]+", stream)
        for place, token in enumerate(tokens):
            if token == b"q":
                saved.append(scale)
            elif token == b"Q":
                scale = saved.pop()
            elif token == b"cm":
                scale *= abs(float(tokens[place - 3])) or 1.0
            elif token == b"Tf":
                size = float(tokens[place - 1])
            elif token[:1] in b"(<":
                printed = round(size * scale, 2)
                found[printed] = found.get(printed, 0) + len(token) - 2
    assert found, "no text was found: the PDF is compressed, or empty"
    return found
