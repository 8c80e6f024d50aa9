"""Labels of points: none covers another, none is below the axes, and one alone stays where it is."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from cenbench.report.label_heights import Label, spread

LINE, BOTTOM = 6.5, 10.0
LABELS = st.builds(Label, st.floats(0, 300), st.floats(BOTTOM, 150), st.floats(5, 40))


@given(st.lists(LABELS, max_size=25))
def test_labels_cover_nothing_and_stay_above_the_bottom(labels: list[Label]) -> None:
    heights = spread(labels, LINE, BOTTOM)
    assert all(height >= BOTTOM for height in heights)
    for (a, b), (of_a, of_b) in zip(combinations(labels, 2), combinations(heights, 2), strict=True):
        if a.meets(b):
            assert abs(of_a - of_b) >= LINE - 1e-9


def test_a_label_without_neighbours_is_not_moved() -> None:
    labels = [Label(0, 50, 10), Label(100, 52, 10), Label(5, 80, 10)]
    assert spread(labels, LINE, BOTTOM) == [50, 52, 80]
    assert spread([Label(0, 50, 10), Label(5, 51, 10)], LINE, BOTTOM) == [51 - LINE, 51]
