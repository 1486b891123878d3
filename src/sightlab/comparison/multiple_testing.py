"""Several comparisons at once: corrected p-values, and ranks that count only significant differences."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.records import Difference


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: with adjusted p below 0.05, at most 5 % chance of any false alarm in the family.

    In ascending order p_(i) becomes the largest of (m - j + 1) p_(j) over j <= i, at most 1; given in the order that
    came. Needs no independence. Holm 1979, "A simple sequentially rejective multiple test procedure", section 3.

    Raises ValueError for a p outside [0, 1].

    >>> holm([0.01, 0.04, 0.03, 0.005])
    [0.03, 0.06, 0.06, 0.02]
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p}; must be from 0 to 1")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for before, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - before) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def ranks(names: Sequence[str], differences: Sequence[Difference]) -> list[int]:
    """The rank of each name: 1 + how many are significantly better. Names that do not differ may share a rank.

    differences: of every pair, either way round, corrected over all of them (`Difference.significant`).

    >>> apart = Difference("v5", "v4", 0.02, (0.01, 0.03), 0.001, 1000, (1, 1), "")
    >>> alike = Difference("v6", "v5", 0.001, (-0.01, 0.012), 0.8, 1000, (1, 1), "")
    >>> ranks(["v4", "v5", "v6"], [apart, alike])
    [2, 1, 1]
    """
    beaten = [one.worse if one.difference > 0 else one.better for one in differences if one.significant]
    return [1 + beaten.count(name) for name in names]
