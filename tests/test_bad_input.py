"""What a user can get wrong with data, through the command line: one line, status 2, no run begun."""

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.conftest import Cli, refused_with

Make = Callable[[Path], object]


def png(value: int, side: int = 8) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (side, side), value).save(stream, "PNG")
    return stream.getvalue()


def picture_folder(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 10) -> Path:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for count in range(each):
            (root / name / f"{count}.png").write_bytes(png(20 * number + count))
    return root


def idx_folder(root: Path, images: int = 20, labels: int = 20) -> Path:
    root.mkdir()
    pixels = np.random.default_rng(0).bytes(images * 64)
    (root / "train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, images, 8, 8) + pixels)
    (root / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 0x801, labels) + bytes(n % 2 for n in range(labels))
    )
    return root


def cut(path: Path, by: int = 10) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def table(path: Path, rows: list[str], pixels: int = 4) -> Path:
    header = "label," + ",".join(f"p{n}" for n in range(pixels))
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def truncated_idx(root: Path) -> None:
    cut(idx_folder(root) / "train-images-idx3-ubyte")


def truncated_gz(root: Path) -> None:
    file = idx_folder(root) / "train-images-idx3-ubyte"
    Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes())[:-30])
    file.unlink()


def tar_with(root: Path, name: str, link: bool = False) -> None:
    with tarfile.open(root, "w") as archive:
        for number, inner in enumerate(["a/1.png", "a/2.png", "b/1.png", name]):
            info = tarfile.TarInfo(inner)
            content = png(number)
            info.size = len(content)
            if link and inner == name:
                info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0
            archive.addfile(info, io.BytesIO(content))


def bomb(root: Path) -> None:
    """A PNG of a few bytes that declares 50,000 x 50,000 pixels."""
    picture_folder(root)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (root / "cat" / "bomb.png").write_bytes(data)


def broken_jpeg(root: Path) -> None:
    picture_folder(root)
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(stream, "JPEG")
    (root / "cat" / "broken.jpg").write_bytes(stream.getvalue()[:300])


def sizes_differ(root: Path) -> None:
    picture_folder(root)
    (root / "cat" / "large.png").write_bytes(png(1, side=9))


def empty_class(root: Path) -> None:
    (picture_folder(root) / "bird").mkdir()


def parquet_without_images(root: Path) -> None:
    pq.write_table(pa.table({"label": [0, 1], "text": ["a", "b"]}), root)


def npz_of_objects(root: Path) -> None:
    with root.open("wb") as stream:
        np.savez(stream, images=np.array([{"run": "me"}], dtype=object), labels=np.zeros(1))


BAD: dict[str, tuple[str, Make, str]] = {
    "truncated idx": ("d", truncated_idx, "train-images-idx3-ubyte"),
    "truncated gz": ("d", truncated_gz, "train-images-idx3-ubyte.gz"),
    "idx counts": ("d", lambda p: idx_folder(p, 20, 19), "19"),
    "ragged row": ("x.csv", lambda p: table(p, ["0,1,2,3,4", "1,1,2,3"]), "line 3"),
    "text pixel": ("x.csv", lambda p: table(p, ["0,1,2,3,4", "1,1,two,3,4"]), "line 3"),
    "pixel of 256": ("x.csv", lambda p: table(p, ["0,1,2,3,4", "1,1,2,3,256"]), "256"),
    "pixel of -1": ("x.csv", lambda p: table(p, ["0,1,2,3,4", "1,1,2,3,-1"]), "-1"),
    "empty file": ("x.csv", lambda p: p.touch(), "empty"),
    "missing label": ("x.csv", lambda p: table(p, ["0,1,2,3,4", ",1,2,3,4"]), "line 3"),
    "783 pixels": ("x.csv", lambda p: table(p, ["0," + ",".join("1" * 783)], 783), "783"),
    "one class": ("d", lambda p: picture_folder(p, ("cat",)), "one class"),
    "empty class": ("d", empty_class, "bird"),
    "broken JPEG": ("d", broken_jpeg, "broken.jpg"),
    "sizes differ": ("d", sizes_differ, "size="),
    "climbing member": ("x.tar", lambda p: tar_with(p, "../evil.png"), "../evil.png"),
    "linked member": ("x.tar", lambda p: tar_with(p, "b/link.png", link=True), "b/link.png"),
    "bomb": ("d", bomb, "bomb.png"),
    "Parquet without images": ("x.parquet", parquet_without_images, "x.parquet"),
    "npz of objects": ("x.npz", npz_of_objects, "x.npz"),
    "no pictures": ("d", lambda p: p.mkdir(), "d"),
    "an unknown form": ("x.bin", lambda p: p.write_bytes(b"\x00\x01\x02" * 100), "x.bin"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", [["train", "cnn", "data={}"], ["data", "show", "{}"]], ids=["train", "show"])
def test_bad_data_is_one_line_and_begins_nothing(cli: Cli, tmp_path: Path, name: str, command: list[str]) -> None:
    place, make, says = BAD[name]
    make(tmp_path / place)
    before = sorted(tmp_path.rglob("*"))
    refused_with(cli(*(word.format(tmp_path / place) for word in command)), says)
    assert sorted(tmp_path.rglob("*")) == before


def test_skip_broken_goes_on_and_counts(cli: Cli, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.effect_noise((8, 8), 50).convert("RGB").save(stream, "JPEG")
    picture_folder(tmp_path / "d")
    (tmp_path / "d" / "cat" / "broken.jpg").write_bytes(stream.getvalue()[:200])
    status, _, err = cli("data", "show", tmp_path / "d", "--skip-broken")
    assert status == 0, err
    assert "1 " in err
    assert "broken.jpg" in err


def test_a_pth_file_of_more_than_tensors_is_refused_and_says_how_to_convert(cli: Cli, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pth")
    status, _, err = cli("train", "cnn", "data=fashion-mini", f"weights={tmp_path / 'net.pth'}")
    assert status == 2
    last = err.strip().splitlines()[-1]
    assert "holds more than tensors" in last
    assert "state_dict()" in last


def test_weights_cut_short_are_refused(cli: Cli, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "net.pth")
    cut(tmp_path / "net.pth", 100)
    status, _, err = cli("train", "cnn", "data=fashion-mini", f"weights={tmp_path / 'net.pth'}")
    assert status == 2
    assert "net.pth" in err.strip().splitlines()[-1]


def test_a_hidden_csv_gives_the_score_of_the_idx_files_to_the_last_image(cli: Cli, tmp_path: Path) -> None:
    """Study 2's way: train on a CSV, test on a second one; the same images from idx files score the same."""
    import json

    from sightlab.data.load import load_parts

    parts = load_parts("fashion-mini").parts.splits
    for name, images in parts.items():
        chosen = images.take(np.arange(0, len(images), 50))
        rows = np.column_stack([chosen.labels, chosen.images.reshape(len(chosen), -1)]).tolist()
        (tmp_path / f"{name}-part.csv").write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    status, out, err = cli(
        "train", "cnn", "model=lenet", f"data={tmp_path / 'train-part.csv'}", "epochs=1", "report=off", "--json"
    )  # fmt: skip
    assert status == 0, err
    run = json.loads(out)["run"]
    _, out, _ = cli("test", run, "--data", tmp_path / "test-part.csv", "--json")
    from_csv = json.loads(out)
    status, _, err = cli("data", "import", tmp_path / "test-part.csv", "--to", "idx", "--out", tmp_path / "idx")
    assert status == 0, err
    _, out, _ = cli("test", run, "--data", tmp_path / "idx", "--json")
    from_idx = json.loads(out)
    assert from_csv["count"] == from_idx["count"] == 40
    assert (from_csv["correct"], from_csv["loss"]) == (from_idx["correct"], from_idx["loss"])
    assert from_idx["openings"] == 2
