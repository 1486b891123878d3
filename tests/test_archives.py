"""Archives are read as the folder they hold, in place, and what reaches outside them or is not whole is refused."""

import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightlab.data.containers import base
from sightlab.data.containers.base import DataFile, member_name
from sightlab.data.containers.open import open_container
from sightlab.data.containers.tars import read_tar
from sightlab.data.load import load_parts
from sightlab.errors import DataError
from tests.picture_files import add, encoded, flat, noise, real, spread, tarred, zipped
from tests.reading import read

FILES = {
    f"set/{split}/{label}/{n}.png": encoded(noise(6, 5, 3, seed=n))
    for split in ("train", "test")
    for label in ("ant", "bee")
    for n in range(12)
}
MODES = {"x.tar": "w", "x.tar.gz": "w:gz", "x.tgz": "w:gz", "x.tar.bz2": "w:bz2", "x.tar.xz": "w:xz"}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    return zipped(path, files) if path.suffix == ".zip" else tarred(path, files, MODES.get(path.name, "w"))


@pytest.mark.parametrize("name", [*MODES, "x.zip"])
def test_an_archive_reads_as_the_folder_it_holds_whatever_its_order(tmp_path: Path, name: str) -> None:
    shuffled = list(FILES.items())
    random.Random(0).shuffle(shuffled)
    folder = read(spread(tmp_path / "folder", FILES))
    archive = packed(tmp_path / name, dict(shuffled))
    before = sorted(tmp_path.rglob("*"))
    parts = read(archive)
    assert sorted(tmp_path.rglob("*")) == before  # nothing unpacked
    assert list(parts.splits) == ["train", "test"] and parts.classes == folder.classes
    for split, images in parts.splits.items():
        np.testing.assert_array_equal(images.images, folder.splits[split].images)
        np.testing.assert_array_equal(images.labels, folder.splits[split].labels)


@pytest.mark.parametrize("name", ["x.tar.gz", "x.zip"])
def test_an_archive_is_known_by_its_content_not_its_suffix(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / name, FILES).rename(tmp_path / "download")
    assert read(path).classes == ("ant", "bee")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_long_and_foreign_names_are_whole(tmp_path: Path, form: int) -> None:
    long = "x" * (60 if form == tarfile.USTAR_FORMAT else 150)
    files = {f"{'folder/' * 12}{label}/{long}.png": flat(1) for label in ("żaba", "mюль")}
    archive = tarred(tmp_path / "x.tar", files, format=form)
    assert set(read_tar(DataFile.at(archive)).sizes) == set(files)
    assert read(archive).classes == ("mюль", "żaba")


def test_members_stream_in_the_order_of_the_archive(tmp_path: Path) -> None:
    for name in ("x.tar", "x.tar.xz", "x.zip"):
        container = open_container(packed(tmp_path / name, FILES))
        assert container is not None
        asked = sorted(FILES, reverse=True)
        assert [(n, d) for n, d in container.stream(asked)] == list(FILES.items())
        assert [d for _, d in container.stream(asked, 4)] == [b"\x89PNG"] * len(FILES)


def test_a_broken_member_is_named_with_its_archive(tmp_path: Path) -> None:
    for name in ("x.tar.gz", "x.zip"):
        path = packed(tmp_path / name, {**FILES, "set/train/ant/5.png": b"broken"})
        with pytest.raises(DataError, match=rf"{name}: set/train/ant/5\.png cannot be decoded"):
            read(path)
        parts = read(path, skip_broken=True)
        assert len(parts.splits["train"]) == 23
        assert parts.notes == ("1 broken picture left out (set/train/ant/5.png)",)


@pytest.mark.parametrize("name", ["/etc/cat/1.png", "../cat/1.png", "cat/../../1.png", "a/..", "C:/cat/1.png"])
@pytest.mark.parametrize("kind", ["x.tar", "x.tar.gz", "x.zip"])
def test_a_member_that_leads_outside_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    with pytest.raises(DataError, match=r"member `.*` leads outside the archive") as caught:
        read(packed(tmp_path / kind, {**FILES, name: flat(1)}))
    assert f"`{name}`" in str(caught.value) and str(tmp_path / kind) in str(caught.value)


def test_backslashes_in_a_zip_part_folders(tmp_path: Path) -> None:
    inside = zipped(tmp_path / "a.zip", {"ant\\1.png": flat(1), "bee\\1.png": flat(2)})
    assert read(inside).classes == ("ant", "bee")
    with pytest.raises(DataError, match="leads outside"):
        read(zipped(tmp_path / "b.zip", {**FILES, "..\\1.png": flat(1)}))


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.FIFOTYPE, "neither a file nor a folder"),
        (tarfile.CHRTYPE, "neither a file nor a folder"),
        (tarfile.BLKTYPE, "neither a file nor a folder"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes, what: str) -> None:
    path = tarred(tmp_path / "x.tar", FILES)
    with tarfile.open(path, "a") as archive:
        add(archive, "set/train/ant/99.png", type=kind, linkname="set/train/ant/1.png")
    with pytest.raises(DataError, match=rf"x\.tar: member `set/train/ant/99\.png` is {what}"):
        read(path)


@pytest.mark.parametrize(("kind", "what"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither a file nor a folder")])
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, kind: int, what: str) -> None:
    path = zipped(tmp_path / "x.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("set/train/ant/99.png")
        info.create_system = 3
        info.external_attr = (kind | 0o644) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match=rf"x\.zip: member `set/train/ant/99\.png` is {what}"):
        read(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a/1.png": flat(1), "b/1.png": flat(2)})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption in the first entry of the directory
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"member `a/1.png` is encrypted; pack it again without a password"):
        read(path)


def test_a_member_that_declares_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    info = tarfile.TarInfo("a/1.png")
    info.size = base.MAX_MEMBER_BYTES + 1
    path.write_bytes(info.tobuf() + bytes(2048))
    said = r"a/1\.png: has 268,435,457 bytes; a file in a picture set may have 268,435,456"
    with pytest.raises(DataError, match=said):
        read(path)
    path = zipped(tmp_path / "x.zip", {"a/1.png": flat(1)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, base.MAX_MEMBER_BYTES + 1)
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        read(path)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.bz2", "x.zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_picture_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "x.zip":
        with zipfile.ZipFile(zipped(path, FILES), "a") as archive:
            archive.writestr("./set//train/ant/1.png", flat(9))
    else:
        with tarfile.open(path, MODES[name]) as tar:
            for member, data in [*FILES.items(), ("./set/train/ant/1.png", flat(9))]:
                add(tar, member, data)
    with pytest.raises(DataError, match=r"member `set/train/ant/1\.png` is there twice"):
        read(path)


@pytest.mark.parametrize("name", [*MODES, "x.zip"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_archive_cut_short_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = packed(tmp_path / name, FILES)
    data = path.read_bytes()
    if name == "x.tar":  # its last blocks are zeros to fill up
        data = data[: data.rstrip(b"\0").__len__()]
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=rf"{name}.*(not a whole|cut short)"):
        read(path)


def test_a_tar_that_ends_between_two_members_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", FILES)
    last = read_tar(DataFile.at(path)).members["set/train/ant/3.png"][0] - 512
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(DataError, match=r"not a whole tar archive: it ends, or has a damaged header, before its end"):
        read(path)


def test_a_damaged_header_amid_a_tar_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", FILES)
    data = bytearray(path.read_bytes())
    data[read_tar(DataFile.at(path)).members["set/train/ant/3.png"][0] - 512 + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"not a whole tar archive"):
        read(path)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.tar.gz", FILES)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"not a whole tar archive: CRC check failed"):
        read(path)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in {"a/1.png": flat(1), "b/1.bmp": encoded(noise(4, 4), "BMP")}.items():
            archive.writestr(name, picture)
    data = bytearray(path.read_bytes())
    data[data.index(b"BM") + 60] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.zip: b/1\.bmp: damaged or cut short: Bad CRC-32"):
        read(path)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 2**34
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    with pytest.raises(DataError, match=r"not a whole tar archive: a header declares 17,179,869,184 bytes"):
        read(path)


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a/1.png")
        info.pax_headers = {"GNU.sparse.map": "0,4", "GNU.sparse.size": "4", "GNU.sparse.numblocks": "1"}
        info.size = 4
        archive.addfile(info, io.BytesIO(b"abcd"))
    with pytest.raises(DataError, match=r"member `a/1\.png` is stored sparse"):
        read(path)


@given(st.data())
def test_a_damaged_tar_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.tar"
    tarred(path, {"a/1.png": flat(1), "b/1.png": flat(2), "b/2.png": flat(3)})
    content = bytearray(path.read_bytes()[:4096])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content + bytes(1024))
    try:
        parts = read(path, skip_broken=True)
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert 2 <= len(parts.classes) <= 3


@given(st.text(alphabet="ab./\\:C", max_size=12))
def test_a_member_name_stays_inside_or_is_refused(name: str) -> None:
    try:
        clean = member_name(name, "x.tar")
    except DataError:
        assert name.startswith("/") or ".." in name.split("/") or name[1:2] == ":"
    else:
        root = Path("/root/of/archive")
        assert Path(f"{root}/{clean}").resolve().is_relative_to(root)
        assert "" not in clean.split("/") or clean == ""


def test_mnist_like_pictures_of_a_real_archive_are_what_pillow_reads() -> None:
    path = real("cifar100-subset.tar")
    parts = load_parts(path).parts
    train, test = parts.splits["train"], parts.splits["test"]
    assert len(parts.classes) == 100 and list(parts.classes) == sorted(parts.classes)
    assert train.counts().tolist() == [125] * 100 and test.counts().tolist() == [25] * 100
    # The mean over all pixels as the data's own page states it.
    np.testing.assert_allclose(train.images.mean((0, 1, 2)) / 255, [0.5064, 0.4868, 0.4422], atol=5e-5)
    np.testing.assert_allclose(test.images.mean((0, 1, 2)) / 255, [0.5067, 0.4845, 0.4391], atol=5e-5)
    with tarfile.open(path) as archive:
        member = archive.extractfile("cifar100/test/baby/0003.png")
        assert member is not None
        np.testing.assert_array_equal(test.images[2 * 25 + 3], np.asarray(Image.open(member)))
