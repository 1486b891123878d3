"""Files that are there whole or not at all, with the permissions that the user's umask gives."""

import os
from pathlib import Path

import pytest

from sightlab.files import whole, write_text


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_that_the_umask_gives(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "a.txt", "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~mask


def test_the_umask_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the whole process's: a thread that sets it for a moment changes the files that others create."""
    set_to: list[int] = []
    monkeypatch.setattr(os, "umask", set_to.append)
    write_text(tmp_path / "a.txt", "a")
    assert set_to == []


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "before")
    with pytest.raises(ValueError, match="no"), whole(target) as temporary:
        temporary.write_text("half")
        raise ValueError("no")
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
