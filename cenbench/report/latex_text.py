"""Any text as LaTeX source in ASCII, from commands that plain LaTeX has in every font encoding and without packages."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from cenbench.visible import visible

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\`{}",
}  # fmt: skip
_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "å": r"\aa{}", "Å": r"\AA{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
    # Only the T1 encoding has these, and a paper may use another.
    "þ": "th", "Þ": "Th", "ð": "dh", "Ð": "Dh", "đ": "d", "Đ": "D", "ŋ": "ng", "Ŋ": "Ng",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=", "\u0307": ".",
    "\u0306": "u", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip
_BELOW = "\u0323\u0327\u0331"
_PUNCTUATION = {
    "\N{NO-BREAK SPACE}": "~", "\N{NARROW NO-BREAK SPACE}": r"\,", "\N{THIN SPACE}": r"\,", "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
    "\N{LEFT SINGLE QUOTATION MARK}": "`", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``", "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{FIGURE DASH}": "--", "\N{HORIZONTAL BAR}": "---", "\N{SINGLE LOW-9 QUOTATION MARK}": ",",
    "\N{DOUBLE LOW-9 QUOTATION MARK}": ",{},", "\N{FRACTION SLASH}": "/",
    "¡": "!`", "¿": "?`", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}",
    "®": r"\textsuperscript{R}", "\N{TRADE MARK SIGN}": r"\textsuperscript{TM}", "\N{EURO SIGN}": "EUR",
}  # fmt: skip
_MATH = {
    "±": r"\pm", "\N{MINUS-OR-PLUS SIGN}": r"\mp", "×": r"\times", "÷": r"\div", "·": r"\cdot", "°": r"^\circ",
    "\N{MINUS SIGN}": "-", "¬": r"\neg", "µ": r"\mu", "«": r"\ll", "»": r"\gg", "†": r"^\dagger", "‡": r"^\ddagger",
    "•": r"\bullet",
    "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "≪": r"\ll", "≫": r"\gg",
    "∞": r"\infty", "∝": r"\propto", "∈": r"\in", "∉": r"\notin", "∩": r"\cap", "∪": r"\cup", "⊂": r"\subset",
    "⊆": r"\subseteq", "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "∂": r"\partial", "∇": r"\nabla",
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "√": r"\surd", "⊕": r"\oplus", "⊗": r"\otimes", "⊙": r"\odot",
    "∘": r"\circ", "∗": r"\ast", "∥": r"\parallel", "⊥": r"\perp", "ℓ": r"\ell", "✓": r"\surd", "✗": r"\times",
    "≁": r"\not\sim", "∼": r"\sim", "←": r"\leftarrow", "↑": r"\uparrow", "→": r"\rightarrow", "↓": r"\downarrow",
    "↔": r"\leftrightarrow", "↕": r"\updownarrow", "↖": r"\nwarrow", "↗": r"\nearrow", "↘": r"\searrow",
    "↙": r"\swarrow", "↦": r"\mapsto", "⇐": r"\Leftarrow", "⇑": r"\Uparrow", "⇒": r"\Rightarrow", "⇓": r"\Downarrow",
    "⇔": r"\Leftrightarrow", "⟵": r"\longleftarrow", "⟶": r"\longrightarrow", "¼": r"\frac14", "½": r"\frac12",
    "¾": r"\frac34", "Ω": r"\Omega", "∆": r"\Delta", "⁻": "^{-}", "₋": "_{-}", "′": "'", "″": "''", "‹": "<",
    "›": ">", "ϑ": r"\vartheta", "ϕ": r"\phi", "ϵ": r"\epsilon", "ϱ": r"\varrho", "ϖ": r"\varpi", "ϐ": r"\beta",
}  # fmt: skip
_SMALL = (
    r"\alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho "
    r"\sigma \varsigma \tau \upsilon \phi \chi \psi \omega"
)
_CAPITAL = r"\Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega"
_GREEK = {
    **dict(zip("αβγδεζηθικλμνξπρσςτυφχψω", _SMALL.split(), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", _CAPITAL.split(), strict=True)),
    "ο": "o",
}
_LIKE_LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧ", "ABEZHIKMNOPTX", strict=True))
"""Greek capitals for which TeX has no command, as they look like Latin ones."""


def tex(text: object) -> str:
    """`text` with everything escaped that LaTeX would act on.

    A character that plain LaTeX cannot print is given as its code point (`U+4E2D`); a hidden one becomes a space.
    """
    plain = unicodedata.normalize("NFC", visible(str(text), " "))
    characters = [" ", *map(_character, plain)]
    written = "".join(_apart(before, after) + after for before, after in pairwise(characters))
    # After the end of a row or a rule, these would be taken as an option of it.
    return f"{{}}{written}" if written.lstrip(" ~").startswith(("[", "*")) else written


def _apart(before: str, after: str) -> str:
    """Keeps two characters, as LaTeX source, from becoming one, such as a dash from two hyphens, or ¿ from ?`."""
    joined = before[-1:] + after[:1]
    return "{}" if joined in ("--", ",,", "''", "``", "?`", "!`") else ""


def _character(letter: str) -> str:
    for table in (_SPECIAL, _LETTERS, _PUNCTUATION):
        if letter in table:
            return table[letter]
    if letter in _MATH or letter in _GREEK:
        return f"${_MATH.get(letter) or _GREEK[letter]}$"
    if letter.isspace():
        return " "
    if letter.isascii():
        return letter
    return _LIKE_LATIN.get(letter) or _accented(letter) or _compatible(letter) or f"U+{ord(letter):04X}"


def _accented(letter: str) -> str | None:
    """A letter with one accent, as its accent command; the bare letter if LaTeX lacks the accent."""
    decomposed = unicodedata.normalize("NFD", letter)
    base, marks = decomposed[0], decomposed[1:]
    if not marks or not all(map(unicodedata.combining, marks)) or not (base.isascii() or base in _GREEK):
        return None
    if len(marks) > 1 or marks[0] not in _ACCENTS or not base.isascii():
        return _character(base)
    dotless = base in "ij" and marks[0] not in _BELOW
    return f"\\{_ACCENTS[marks[0]]}{{" + (f"\\{base}" if dotless else base) + "}"


def _compatible(letter: str) -> str | None:
    """Superscripts, subscripts, ligatures and full-width forms, by the plain characters they stand for."""
    kind, _, _ = unicodedata.decomposition(letter).partition(" ")
    plain = unicodedata.normalize("NFKC", letter)
    escaped = letter if plain == letter else "".join(map(_character, plain))
    if plain == letter or "U+" in escaped:
        return None
    if kind == "<sub>" and plain.isascii():
        return f"$_{{{plain}}}$"
    return rf"\textsuperscript{{{escaped}}}" if kind == "<super>" else escaped
