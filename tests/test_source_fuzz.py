"""Random sources with a known meaning are read right or refused in one line, never otherwise."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightlab.errors import DataError
from tests.reading import read
from tests.source_grammar import PACKINGS, Source, colours_of, packed, sources


def check(made: Source, how: str) -> bool:
    """Reads a source; gives whether it was read rather than refused. Fails where it was read wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = packed(Path(folder), made.files, how)
        try:
            found = colours_of(read(path))
        except DataError as error:
            line = str(error).replace(folder, "")
            assert "\n" not in line and len(line) <= 300, line
            return False
    assert made.meant is not None, f"{made.story} can be read in two ways and was read as {found}"
    assert undivided(found) == undivided(made.meant), f"{made.story}: {sorted(made.files)}"
    return True


def undivided(meant: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """One training split alone is a source that is not divided: `train_labels.csv` and no other list."""
    only_train = {split for split, _ in meant.values()} == {"train"}
    return {colour: ("all", label) for colour, (_, label) in meant.items()} if only_train else meant


@given(sources(), st.sampled_from(PACKINGS))
def test_a_random_source_is_read_right_or_refused(made: Source, how: str) -> None:
    check(made, how)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(sources(), st.sampled_from(PACKINGS))
def test_five_thousand_random_sources_are_read_right_or_refused(made: Source, how: str) -> None:
    check(made, how)
