"""The drawing inside a page: text in the page's colour, a title and a description for those who do not see it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

from cenbench.report.figures.draw import draw
from cenbench.report.figures.figure import Curve, Figure
from cenbench.report.figures.style import INK

_OPENING = re.compile(r"<svg\b[^>]*>")
_SIZE = re.compile(r'\s(?:width|height)="[^"]*"')


def page_svg(figure: Figure) -> Markup:
    """An `<svg>` element that fills its column, in light and dark pages alike."""
    text = draw(figure, "svg").decode()
    opening = _OPENING.search(text)
    assert opening is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", text[opening.end() :], flags=re.DOTALL).replace(INK, "currentColor")
    start = _SIZE.sub("", opening[0])[:-1] + ' role="img" aria-labelledby="figure-title figure-desc">'
    title = f'<title id="figure-title">{escape(figure.layout.heading)}</title>'
    desc = f'<desc id="figure-desc">{escape(" ".join(description(figure)))}</desc>'
    return Markup(f"{start}{title}{desc}{body}")


def description(figure: Figure) -> Iterator[str]:
    """What is to be seen, in sentences."""
    yield figure.layout.caption
    for panel in figure.panels:
        name = f"{panel.title}: " if panel.title else ""
        yield f"{name}{panel.y_label} over {panel.x_label}."
        for curve in panel.curves:
            if not curve.faint:
                yield _sentence(curve)
        if panel.note:
            yield f"{panel.note}."
    if figure.pictures is not None:
        shown, scenes = ", ".join(figure.pictures.columns), "; ".join(filter(None, figure.pictures.rows))
        yield f"Pictures in columns: {shown}. In rows: {scenes}."
    if figure.is_empty:
        yield "Nothing is drawn: no cell of it is finished."


def _sentence(curve: Curve) -> str:
    if len(curve.x) == 1:
        return f"{curve.label}: {curve.y[0]:.4g} at {curve.x[0]:.4g}."
    return (
        f"{curve.label}: {len(curve.x)} points, from {curve.y[0]:.4g} at {curve.x[0]:.4g} to {curve.y[-1]:.4g} at "
        f"{curve.x[-1]:.4g}; between {min(curve.y):.4g} and {max(curve.y):.4g}."
    )
