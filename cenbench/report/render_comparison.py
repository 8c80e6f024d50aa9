"""A comparison of two sides in a terminal, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cenbench.data.png_uri import png_uri
from cenbench.report.changed_images import ChangedImage
from cenbench.report.comparison import ComparedClass, ComparedNumber, SideComparison
from cenbench.report.environment import page_templates
from cenbench.report.terminal import add_row, borderless, literal
from cenbench.report.value import MINUS, difference_text, heading, number_text

FORMAT = 1
_MOST_SETTINGS = 20
_MOST_CLASSES = 20
_STYLES = {"better": "bold green", "worse": "bold red", "noise": "dim"}


def render_comparison(comparison: SideComparison) -> RenderableType:
    """What differs, then every number that moved, then the classes and the test images that moved most."""
    shown: list[RenderableType] = [literal(f"A  {comparison.a}\nB  {comparison.b}"), Text()]
    for name, lines in differing(comparison).items():
        shown += [literal(f"{name}: {'no difference' if not lines else ''}")]
        shown += [literal(f"  {line}") for line in lines]
    numbers = borderless("where", "metric", ">A", ">B", ">better by [95 %]", ">seeds", "verdict")
    for number in comparison.moved:
        add_row(
            numbers, " / ".join(number.place), number.metric, number_text(number.metric, number.a),
            number_text(number.metric, number.b), effect(number), number.seeds,
            literal(number.word, _STYLES.get(number.word, "")),
        )  # fmt: skip
    shown += [Text(), numbers] if comparison.moved else []
    classes = borderless("class", "where", ">A", ">B", ">difference")
    for one in moved_classes(comparison):
        place = " / ".join(one.place)
        add_row(classes, one.name, place, f"{one.a:.1f}", f"{one.b:.1f}", f"{one.b - one.a:+.1f}".replace("-", MINUS))
    shown += [Text(), classes] if moved_classes(comparison) else []
    images = borderless(">image", "metric", ">A", ">B", ">better by", "cell of B")
    for image in comparison.images:
        a, b = (number_text(image.metric, value) for value in (image.a, image.b))
        add_row(images, image.image, image.metric, a, b, image_effect(image), image.cell_b)
    shown += [Text(), images] if comparison.images else []
    lines = damaged(comparison)
    shown += [Text(), *(literal(line) for line in lines)] if lines else []
    return Group(*shown, Text(), literal(summary(comparison)))


def render_comparison_html(comparison: SideComparison) -> str:
    """One page that needs no other file."""
    return (
        page_templates()
        .get_template("comparison.html")
        .render(
            comparison=comparison,
            differing=differing(comparison),
            classes=moved_classes(comparison),
            damaged=damaged(comparison),
            effect=effect,
            image_effect=image_effect,
            data_uri=png_uri,
            heading=heading,
            number_text=number_text,
            summary=summary(comparison),
        )
    )


def render_comparison_json(comparison: SideComparison) -> dict[str, Any]:
    """Everything but the pictures, as plain values."""
    images = [{**asdict(image), "picture_a": None, "picture_b": None} for image in comparison.images]
    plain = asdict(replace(comparison, images=()))
    return {"format": FORMAT, **plain, "images": images, "words": comparison.words}


def differing(comparison: SideComparison) -> dict[str, list[str]]:
    """Heading -> what differs: settings, code, environment."""
    settings = [f"{name}{f'  ({count} places)' if count > 1 else ''}" for name, count in comparison.settings.items()]
    if len(settings) > _MOST_SETTINGS:
        settings = [*settings[:_MOST_SETTINGS], f"and {len(settings) - _MOST_SETTINGS} more"]
    return {"settings": settings, "code": list(comparison.code), "environment": list(comparison.environment)}


def damaged(comparison: SideComparison) -> list[str]:
    """A line for every damaged record, whose numbers were not compared."""
    sides = {"A": comparison.damaged_a, "B": comparison.damaged_b}
    return [f"damaged in {side}: {cell}: {why}" for side, cells in sides.items() for cell, why in cells.items()]


def effect(number: ComparedNumber) -> str:
    """The effect with its interval; positive where B is better."""
    text = difference_text(number.metric, number.effect, 1)
    if number.interval is None:
        return text
    low, high = (difference_text(number.metric, end, 1) for end in number.interval)
    return f"{text} [{low}, {high}]"


def image_effect(image: ChangedImage) -> str:
    """How much better B is on one image."""
    return difference_text(image.metric, image.effect)


def moved_classes(comparison: SideComparison) -> Sequence[ComparedClass]:
    """The classes whose IoU moved most, largest first."""
    moved = [one for one in comparison.classes if one.a != one.b]
    return sorted(moved, key=lambda one: -abs(one.b - one.a))[:_MOST_CLASSES]


def summary(comparison: SideComparison) -> str:
    """Counts of all words, and of the values that only one side has."""
    parts = [", ".join(f"{count} {word}" for word, count in comparison.words.items())]
    if comparison.only_a:
        parts.append(lost(comparison))
    if comparison.only_b:
        parts.append(f"{comparison.only_b} values only in B")
    return f"{len(comparison.numbers)} numbers compared: {'; '.join(parts)}"


def lost(comparison: SideComparison) -> str:
    """How many values, one per seed, B lacks, and the states of its records that should have them."""
    states = ", ".join(f"{count} {state}" for state, count in comparison.lacking.items())
    return f"{comparison.only_a} values only in A" + (f" (cells of B without them: {states})" if states else "")
