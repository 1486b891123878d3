"""The key of a source: the same for the same bytes, another for every edit, and quick when nothing changed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from sightlab.data import contents
from sightlab.data.cache import cache_folder, content_key
from sightlab.errors import DataError

posix = pytest.mark.skipif(os.name == "nt", reason="uses symbolic links and HOME")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_CACHE", str(tmp_path / "cache"))


def source(folder: Path) -> Path:
    """A folder of files, last changed long ago as far as mtime can tell."""
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "one.png").write_bytes(b"one")
    (folder / "a" / "b" / "two.png").write_bytes(b"two")
    return folder


def test_the_key_is_of_names_and_bytes_alone(tmp_path: Path) -> None:
    first, second = source(tmp_path / "first"), source(tmp_path / "second")
    os.utime(second / "a" / "one.png", (1, 1))
    (second / ".hidden").write_bytes(b"not counted")
    (second / "a" / ".cache").mkdir()
    (second / "a" / ".cache" / "file").write_bytes(b"not counted")
    assert content_key([first], {"x": 1, "y": None}) == content_key([second], {"y": None, "x": 1})


def test_the_key_changes_with_everything_that_counts(tmp_path: Path) -> None:
    folder = source(tmp_path / "s")
    keys = [content_key([folder], {}), content_key([folder], {"size": 28}), content_key([folder], {"size": "28"})]
    keys.append(content_key([folder, folder], {}))
    (folder / "a" / "one.png").rename(folder / "a" / "uno.png")
    keys.append(content_key([folder], {}))
    (folder / "a" / "b" / "two.png").rename(folder / "a" / "two.png")
    keys.append(content_key([folder], {}))
    (folder / "a" / "uno.png").write_bytes(b"ont")
    (folder / "a" / "two.png").write_bytes(b"ewo")
    keys.append(content_key([folder], {}))
    (folder / "empty.png").write_bytes(b"")
    keys.append(content_key([folder], {}))
    assert len(set(keys)) == len(keys)


def wait_until_files_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds in use; two tenths are as good where clock and disk are this machine's own."""
    monkeypatch.setattr(contents, "RACY_NANOSECONDS", 200_000_000)
    time.sleep(0.3)


@pytest.mark.parametrize("aged", [False, True])
def test_an_edit_in_place_is_seen_though_size_and_mtime_are_restored(
    tmp_path: Path, aged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"label,1")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    if aged:
        wait_until_files_are_old(monkeypatch)
    before = content_key([file], {})
    assert (cache_folder() / "contents").exists() == aged  # remembered only when it is no longer new
    with file.open("r+b") as stream:
        stream.write(b"LABEL,2")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    assert content_key([file], {}) != before


def test_an_unchanged_source_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = source(tmp_path / "s")
    wait_until_files_are_old(monkeypatch)
    before = content_key([folder], {})
    assert content_key([folder], {}) == before
    (memo,) = (cache_folder() / "contents").iterdir()
    facts = json.loads(memo.read_text())
    memo.write_text(json.dumps(facts | {"content": "what is remembered"}))
    assert content_key([folder], {}) != before  # it was the memory that answered
    memo.write_text("{")
    assert content_key([folder], {}) == before


def test_sources_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: no such file or folder"):
        content_key([tmp_path / "none"], {})


@posix
def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    folder = source(tmp_path / "s")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "three.png").write_bytes(b"three")
    (folder / "c").symlink_to(tmp_path / "outside")
    before = content_key([folder], {})
    (folder / "a" / "up").symlink_to(folder)
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    assert content_key([folder], {}) == before
    (tmp_path / "outside" / "three.png").write_bytes(b"THREE")
    assert content_key([folder], {}) != before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SIGHTLAB_CACHE": "/here", "XDG_CACHE_HOME": "/xdg"}, "/here"),
        ({"SIGHTLAB_CACHE": "", "XDG_CACHE_HOME": "/xdg"}, "/xdg/sightlab"),
        ({"SIGHTLAB_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/home/me"}, "/home/me/.cache/sightlab"),
    ],
)
@posix
def test_the_cache_folder_is_the_users_choice(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)
