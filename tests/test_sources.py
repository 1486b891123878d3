"""From a name to files: where they are looked for, what is said of them, downloads that survive being cut off."""

import gzip
import hashlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import sightlab
from sightlab.data import named_sets, sources
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
        assert dict(kind.resources) == named_sets.NAMED[name].files
        assert tuple(kind.mirrors) == named_sets.NAMED[name].mirrors
    assert tuple(datasets.FashionMNIST.classes) == named_sets.FASHION
    assert tuple(datasets.KMNIST.classes) == named_sets.HIRAGANA


def test_every_fine_class_of_cifar100_has_one_superclass() -> None:
    assert len(named_sets.FINE) == len(set(named_sets.FINE)) == 100
    assert {len(fine) for fine in named_sets.SUPERCLASSES.values()} == {5}


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
    assert sources.is_called(tmp_path / file, named_sets.NAMED[name]) is called


def test_sightlab_data_is_looked_through_first(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", f"/nowhere:{real_data}")
    assert sources.find("kmnist").path == real_data / "kmnist"
    assert sources.find("mnist").official
    assert not sources.find("kmnist").official


def test_files_that_are_not_the_official_ones_are_used_and_said(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(real_data))
    splits = sightlab.load_data("kmnist")
    assert splits.classes == named_sets.HIRAGANA
    (note,) = splits.notes
    assert "7,011 of 60,000 training images" in note


def test_a_name_without_network_says_where_it_looked_and_what_to_do(tmp_path: Path, monkeypatch: object) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(tmp_path))  # type: ignore[attr-defined]
    unreachable = named_sets.NamedSet(named_sets.DIGITS, {}, {"a.gz": "0" * 32}, ("http://127.0.0.1:9/",), ("nothing",))
    monkeypatch.setitem(named_sets.NAMED, "nothing", unreachable)  # type: ignore[attr-defined]
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
        sightlab.load_data(source)
    assert says in str(caught.value)


def test_a_variant_takes_one_split() -> None:
    parts = load_parts("fashion-mini:test").parts
    assert {name: len(images) for name, images in parts.splits.items()} == {"all": 2000}


def test_the_embedded_set_is_stratified_and_licensed() -> None:
    parts = load_parts("fashion-mini").parts
    assert parts.classes == named_sets.FASHION
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
    splits = sightlab.load_data("fashion-mnist")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (48_000, 12_000, 10_000)


def put_mnist(folder: Path, count: int = 4) -> None:
    """Idx files of a few pictures, as torchvision lays MNIST out: packed and unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "t10k"):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            data = head + np.arange(int(np.prod(shape)), dtype=np.uint32).astype(np.uint8).tobytes()
            (folder / f"{split}-{kind}-ubyte").write_bytes(data)
            (folder / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(data))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of data that is searched, with no network and nothing in the cache or in Debian's place."""
    monkeypatch.setenv("SIGHTLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SIGHTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "DEBIAN", tmp_path / "debian")
    for name, named in named_sets.NAMED.items():
        monkeypatch.setitem(named_sets.NAMED, name, replace(named, mirrors=("http://127.0.0.1:9/",)))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_torchvisions_root_is_found_by_name(no_network: Path) -> None:
    put_mnist(no_network / "MNIST" / "raw")
    found = sources.find("mnist")
    assert found.path == no_network / "MNIST" and not found.official
    parts = load_parts("mnist").parts
    assert parts.classes == named_sets.DIGITS and list(parts.splits) == ["train", "test"]
    assert "4 of 60,000 training images" in parts.notes[0]
    state = {row["name"]: row["state"] for row in sources.known_sets()}
    assert state["mnist"] == "not the official files" and state["cifar10"] == "absent"


def test_the_official_files_are_known_in_torchvisions_folder(no_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_mnist(no_network / "MNIST" / "raw")
    files = {p.name: md5_of(p) for p in (no_network / "MNIST" / "raw").glob("*.gz")}
    monkeypatch.setitem(named_sets.NAMED, "mnist", replace(named_sets.NAMED["mnist"], files=files))
    found = sources.find("mnist")
    assert found.official and found.path == no_network / "MNIST" / "raw"


def test_the_search_goes_on_past_what_does_not_hold_the_set(no_network: Path) -> None:
    import pickle

    (no_network / "cifar10-notes").mkdir()
    (no_network / "cifar10-notes" / "ideas.txt").write_text("try a larger network")
    (no_network / "cifar-10").mkdir()
    pickles = no_network / "cifar-10-batches-py"
    pickles.mkdir()
    for name in ("data_batch_1", "test_batch"):
        (pickles / name).write_bytes(pickle.dumps({b"data": np.zeros(3), b"labels": [1]}, 2))
    other = no_network / "cifar10_weather"
    for name in ("rain", "sun", "snow"):
        put_picture(other / name / "1.png")
        put_picture(other / name / "2.png")
    assert {row["name"]: row["state"] for row in sources.known_sets()}["cifar10"] == "absent"
    with pytest.raises(DataError) as caught:
        sources.find("cifar10")
    message = str(caught.value)
    assert "passed over cifar-10: holds no files" in message and "\n" not in message
    for name in ("cat", "dog", "frog"):
        put_picture(no_network / "cifar10_small" / name / "1.png")
        put_picture(no_network / "cifar10_small" / name / "2.png")
    assert sources.find("cifar10").path == no_network / "cifar10_small"
    assert sources.find_local("cifar10") == (no_network / "cifar10_small", False)


def put_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_why_a_place_was_passed_over_is_said(no_network: Path) -> None:
    import pickle

    (no_network / "cifar-10-batches-py").mkdir()
    (no_network / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps({b"data": np.zeros(3)}, 2))
    with pytest.raises(DataError, match="passed over cifar-10-batches-py: holds a pickle, which could run code"):
        sources.find("cifar10")


@pytest.mark.parametrize("form", ["folder", "gztar", "tar of pictures"])
def test_an_archive_of_the_sets_name_is_taken(no_network: Path, form: str) -> None:
    if form == "tar of pictures":
        for name in ("cat", "dog"):
            put_picture(no_network.parent / "in" / "train" / name / "1.png")
        path = Path(shutil.make_archive(str(no_network / "cifar10-jpeg"), "tar", no_network.parent / "in"))
    else:
        folder = (no_network if form == "folder" else no_network.parent) / "cifar-10-batches-bin"
        folder.mkdir()
        for name in (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"):
            (folder / name).write_bytes(b"".join(bytes([n]) + bytes(3072) for n in range(10)))
        path = folder
        if form == "gztar":
            path = Path(shutil.make_archive(str(no_network / "cifar-10-binary"), form, folder.parent, folder.name))
    found = sources.find("cifar10")
    assert found.path == path and not found.official
    if form != "tar of pictures":
        assert load_parts("cifar10").parts.classes == named_sets.OBJECTS


def test_cifar100s_coarse_classes_are_its_superclasses(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLAB_DATA", str(real_data))
    fine, coarse = load_parts("cifar100").parts.splits["test"], load_parts("cifar100:coarse").parts.splits["test"]
    assert len(coarse.classes) == 20
    for number in (0, 777, 2499):
        name = fine.classes[fine.labels[number]]
        assert name in named_sets.SUPERCLASSES[coarse.classes[coarse.labels[number]]]


def test_a_pickle_is_refused_by_what_it_is(tmp_path: Path) -> None:
    import pickle

    file = tmp_path / "batches.meta"
    file.write_bytes(pickle.dumps({"data": np.zeros(3)}))
    with pytest.raises(DataError, match="holds a pickle, which could run code"):
        sightlab.load_data(str(file))
