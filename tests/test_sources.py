"""From a name to files: where they are looked for, what is said of them, downloads that survive being cut off."""

import gzip
import hashlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import sightlab
from sightlab.data import names, sources
from sightlab.data.download import download, fetch, md5_of
from sightlab.data.load import load_parts
from sightlab.errors import DataError

CONTENT = np.random.default_rng(0).bytes(700_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
FASHION = Path("/usr/share/datasets/fashion-mnist")


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; /cut breaks off in the middle, /plain knows no ranges, /wrong gives other bytes."""

    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        given = self.headers.get("Range")
        self.asked.append(given)
        content = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given and self.path != "/plain" else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if self.path == "/cut" else body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on the loopback interface, for the length of a test."""
    Server.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_download_appears_whole_and_checked(server: str, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    download([f"{server}/whole"], tmp_path / "file", MD5, lambda done, total: progress.append((done, total)))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert progress[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_download_that_was_cut_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        download([f"{server}/cut"], tmp_path / "file", MD5)
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").stat().st_size == len(CONTENT) // 2
    download([f"{server}/whole"], tmp_path / "file", MD5)
    assert Server.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    download([f"{server}/plain"], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_taken(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download([f"{server}/whole"], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_the_next_mirror_is_tried(server: str, tmp_path: Path) -> None:
    download([f"{server}/wrong", f"{server}/whole"], tmp_path / "file", MD5)
    assert md5_of(tmp_path / "file") == MD5


def test_wrong_content_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"should be {MD5}"):
        download([f"{server}/wrong"], tmp_path / "file", MD5)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_connection_is_a_reason_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused"):
        download(["http://127.0.0.1:9/file"], tmp_path / "file", MD5)


def test_fetching_shows_how_far_it_is(server: str, tmp_path: Path) -> None:
    seen: list[int] = []
    fetch(f"{server}/whole", tmp_path / "part", lambda done, _: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_names_and_checksums_are_torchvisions() -> None:
    from torchvision import datasets

    theirs = {"fashion-mnist": datasets.FashionMNIST, "kmnist": datasets.KMNIST, "mnist": datasets.MNIST}
    for name, kind in theirs.items():
        assert dict(kind.resources) == names.NAMED[name].files
        assert tuple(kind.mirrors) == names.NAMED[name].mirrors
    assert tuple(datasets.FashionMNIST.classes) == names.FASHION
    assert tuple(datasets.KMNIST.classes) == names.HIRAGANA


def test_every_fine_class_of_cifar100_has_one_superclass() -> None:
    assert len(names.FINE) == len(set(names.FINE)) == 100
    assert {len(fine) for fine in names.SUPERCLASSES.values()} == {5}


@pytest.mark.parametrize(
    ("name", "file", "called"),
    [
        ("mnist", "mnist", True),
        ("mnist", "mnist-m-subset.tar", False),
        ("mnist", "mnist_m", False),
        ("mnist", "mnist.md", False),
        ("cifar10", "cifar10-jpeg.tar", True),
        ("cifar10", "cifar100-subset.tar", False),
        ("cifar10", "cifar-10-binary.tar.gz", True),
        ("cifar100", "cifar100-subset.tar", True),
        ("fashion-mnist", "FashionMNIST", True),
    ],
)
def test_a_file_is_known_by_its_name(tmp_path: Path, name: str, file: str, called: bool) -> None:
    (tmp_path / file).touch()
    assert sources.is_called(tmp_path / file, names.NAMED[name]) is called


def test_sightlab_data_is_looked_through_first(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", f"/nowhere:{real_data}")
    assert sources.find("kmnist").path == real_data / "kmnist"
    assert sources.find("mnist").official
    assert not sources.find("kmnist").official


def test_files_that_are_not_the_official_ones_are_used_and_said(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(real_data))
    splits = sightlab.load("kmnist")
    assert splits.classes == names.HIRAGANA
    (note,) = splits.notes
    assert "7,011 of 60,000 training images" in note


def test_a_name_without_network_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: object) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(tmp_path))  # type: ignore[attr-defined]
    unreachable = names.NamedSet(names.DIGITS, {}, {"a.gz": "0" * 32}, ("http://127.0.0.1:9/",), ("nothing",))
    monkeypatch.setitem(names.NAMED, "nothing", unreachable)  # type: ignore[attr-defined]
    with pytest.raises(DataError) as caught:
        sources.find("nothing")
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "set SIGHTLAB_DATA to the folder that holds it" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "no data named"),
        ("kmnst", "did you mean kmnist?"),
        ("no/such/folder", "no/such/folder: no such file or folder"),
        ("fashion-mini:tset", "unknown variant 'tset'; did you mean test?"),
        ("fashion-mini:validation", "there is no validation split"),
        ("fashion-mini:coarse", "only cifar100"),
    ],
)
def test_a_source_that_is_not_there_is_one_line(source: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        sightlab.load(source)
    assert says in str(caught.value)


def test_a_variant_takes_one_split() -> None:
    parts = load_parts("fashion-mini:test").parts
    assert {name: len(images) for name, images in parts.splits.items()} == {"all": 2000}


def test_the_embedded_set_is_stratified_and_licensed() -> None:
    parts = load_parts("fashion-mini").parts
    assert parts.classes == names.FASHION
    assert parts.splits["train"].counts().tolist() == [1000] * 10
    assert parts.splits["test"].counts().tolist() == [200] * 10
    folder = sources.find("fashion-mini").path
    assert "MIT" in (folder / "LICENSE-fashion-mnist.txt").read_text()
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 6_000_000


@pytest.mark.slow
@pytest.mark.skipif(not FASHION.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_the_embedded_set_is_what_its_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    import sys

    script = Path(__file__).parents[1] / "tools" / "make_fashion_mini.py"
    spec = importlib.util.spec_from_file_location("make_fashion_mini", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TARGET", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_fashion_mini.py"])
    module.main()
    for made in tmp_path.iterdir():
        shipped = sources.find("fashion-mini").path / made.name
        assert gzip.decompress(made.read_bytes()) == gzip.decompress(shipped.read_bytes())


@pytest.mark.skipif(not FASHION.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist_is_found_and_official() -> None:
    found = sources.find("fashion-mnist")
    assert found.official
    splits = sightlab.load("fashion-mnist")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (48_000, 12_000, 10_000)


def cifar_record(labels: list[int], seed: int) -> bytes:
    return bytes(labels) + np.random.default_rng(seed).bytes(3072)


@pytest.fixture
def cifar_folder(tmp_path: Path) -> Path:
    """The six files of CIFAR-10's binary version, four images each."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        (folder / name).write_bytes(b"".join(cifar_record([n % 10], number * 10 + n) for n in range(4)))
    return folder


def test_cifar_in_its_binary_version_is_read_channels_last(cifar_folder: Path) -> None:
    parts = load_parts(cifar_folder).parts
    assert parts.classes == names.OBJECTS
    assert {name: len(images) for name, images in parts.splits.items()} == {"train": 20, "test": 4}
    pixels = np.frombuffer(cifar_record([0], 0)[1:], np.uint8).reshape(3, 32, 32)
    assert (parts.splits["train"].images[0] == pixels.transpose(1, 2, 0)).all()


def test_the_official_cifar_archive_is_read_without_unpacking(cifar_folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "cifar-10-binary"), "gztar", tmp_path, cifar_folder.name)
    parts = load_parts(archive).parts
    folder = load_parts(cifar_folder).parts
    assert (parts.splits["train"].images == folder.splits["train"].images).all()


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"\xff" + b[1:], lambda b: b""])
def test_a_damaged_cifar_file_is_refused(cifar_folder: Path, damage: object) -> None:
    file = cifar_folder / "test_batch.bin"
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        load_parts(cifar_folder)
    assert "test_batch.bin" in str(caught.value)


def test_cifar100s_coarse_classes_are_its_superclasses(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(real_data))
    fine, coarse = load_parts("cifar100").parts.splits["test"], load_parts("cifar100:coarse").parts.splits["test"]
    assert len(coarse.classes) == 20
    for number in (0, 777, 2499):
        name = fine.classes[fine.labels[number]]
        assert name in names.SUPERCLASSES[coarse.classes[coarse.labels[number]]]


def test_a_pickle_is_refused_by_what_it_is(tmp_path: Path) -> None:
    import pickle

    file = tmp_path / "batches.meta"
    file.write_bytes(pickle.dumps({"data": np.zeros(3)}))
    with pytest.raises(DataError, match="holds a pickle, which could run code"):
        sightlab.load(str(file))
