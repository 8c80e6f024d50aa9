"""Text of a CSV that no spreadsheet runs, and of Markdown that no viewer takes for markup; numbers are as they are."""

from __future__ import annotations

import io

import pandas
import pytest

from cenbench.report.csv_text import csv_text
from cenbench.report.markdown import _line


@pytest.mark.parametrize("text", ["=1+2", "=cmd|' /C calc'!A0", "+SUM(1)", "-x", "@SUM(1)", "\t=1", "\n=1", "＝1+2"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    frame = pandas.DataFrame({"row": [text, "a"], "ours": [1.5, 2.0]})
    read = pandas.read_csv(io.StringIO(csv_text(frame), newline=""))
    assert read["row"].tolist() == [f"'{text}", "a"]
    assert read["ours"].tolist() == [1.5, 2.0]


def test_a_carriage_return_does_not_end_a_line() -> None:
    assert csv_text(pandas.DataFrame({"row": ["a\rb", "\r=1"]})) == "row\na b\n =1\n"


def test_everything_else_is_written_as_pandas_writes_it() -> None:
    frame = pandas.DataFrame(
        {
            "text": ["a=b", "", "-1.5", "+3", "x, y", 'a "b"', "1:-2.5 2:3"],
            "mixed": [1, None, -2, -3.5, "x", True, False],
            "numbers": [-1.0, float("nan"), 1e300, -0.0, 5.0, 6.0, 7.0],
            "counts": range(-3, 4),
        }
    )
    assert csv_text(frame) == frame.to_csv(index=False, lineterminator="\n")
    assert csv_text(frame[:0]) == frame[:0].to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize(
    ("text", "written"),
    [("a|b", r"a\|b"), ("`x`", r"\`x\`"), ("*x*", r"\*x\*"), ("<img src=x>", r"\<img src=x>"), ("a_b", "a_b"),
     ("[x](javascript:y)", r"\[x\](javascript:y)"), ("_x_", r"\_x\_"), ("~~x", r"\~~x"), ("a\\", r"a\\"),
     ("a\nb  c", "a b c"), ("38.2 ± 0.1 (41.0)", "38.2 ± 0.1 (41.0)")],
)  # fmt: skip
def test_markdown_shows_a_text_as_it_is(text: str, written: str) -> None:
    assert _line([text, "x"]) == f"| {written} | x |"
