"""numpy's files: .npz archives and pairs of .npy files. Nothing in them is ever unpickled."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from sightlab.data.formats.labels import encode, is_numbered, one_class_list
from sightlab.data.formats.opening import DEFLATE_LIMIT, read_up_to, reading
from sightlab.data.imageset import SPLIT_WORDS, SPLITS, UNDIVIDED, ImageSet, Parts, split_name
from sightlab.errors import DataError, one_line
from sightlab.files import whole

IMAGES_WORDS = ("images", "image", "imgs", "x", "data", "arr_0")
LABELS_WORDS = ("labels", "label", "y", "targets", "target", "arr_1")
CLASSES_KEYS = ("classes", "class_names")
BLOCK_IMAGES = 1024
Array = NDArray[Any]
Load = Callable[[], Array]


def read_npz(path: Path) -> Parts:
    """The data set of an .npz file. Raises DataError: no such keys, arrays that are no images or labels, or pickles.

    Keys: `images` and `labels` (or `x`/`y`, `data`/`labels`, `arr_0`/`arr_1`) for one undivided set;
    `train_images`, `val_labels`, `x_test`, ... for splits; `classes` or `class_names` for the names. An `arr_0` alone
    takes its labels from the file beside it (`kmnist-train-imgs.npz`, `kmnist-train-labels.npz`).
    """
    members = npz_members(path)
    if set(members) == {"arr_0"}:
        beside = labels_beside(path)
        others = npz_members(beside)
        if set(others) != {"arr_0"}:
            raise DataError(f"{beside}: expected the one key arr_0, found {', '.join(others)}")
        members = {"arr_0": members["arr_0"], "arr_1": others["arr_0"]}
    return parts_of(path, members)


def read_npy_pair(path: Path) -> Parts:
    """The data set of a folder of .npy files named as an npz's keys, or of one images file and its labels beside it.

    One file gives the undivided split `all`. Raises DataError as `read_npz` does.
    """
    if path.is_dir():
        with reading(path):
            files = sorted(p for p in path.glob("*.npy") if not p.name.startswith("."))
        return parts_of(path, {file.stem: npy_member(file) for file in files})
    labels = labels_beside(path)
    members = {"images": npy_member(path), "labels": npy_member(labels)}
    for key in CLASSES_KEYS:
        if (path.parent / f"{key}.npy").is_file():
            members[key] = npy_member(path.parent / f"{key}.npy")
    return parts_of(path, members)


def write_npz(splits: Mapping[str, ImageSet], path: Path) -> None:
    """Write `<split>_images`, `<split>_labels` (plain `images`, `labels` for an undivided set) and `classes`.

    The file is there whole or not at all. Raises DataError when it cannot be written.
    """
    arrays: dict[str, Array] = {}
    for split, images in splits.items():
        prefix = "" if split == UNDIVIDED else f"{split}_"
        arrays |= {f"{prefix}images": images.images, f"{prefix}labels": images.labels}
    arrays["classes"] = np.array(Parts(splits).classes, dtype=np.str_)
    try:
        with whole(path) as temporary, temporary.open("wb") as stream:
            cast(Any, np.savez_compressed)(stream, **arrays)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def role(key: str) -> tuple[str, str] | None:
    """Which split's images or labels a key is by its name, or None.

    >>> role("x_train"), role("val_labels"), role("arr_0"), role("mean")
    (('train', 'images'), ('validation', 'labels'), ('all', 'images'), None)
    """
    name = key.casefold()
    words = {name, *re.split(r"[^a-z0-9]+", name)} - {word for names in SPLIT_WORDS.values() for word in names}
    split = split_name(key) or UNDIVIDED
    if words & set(LABELS_WORDS):
        return split, "labels"
    return (split, "images") if words & set(IMAGES_WORDS) else None


def parts_of(path: Path, members: Mapping[str, Load]) -> Parts:
    """The splits that arrays make by their names."""
    found: dict[tuple[str, str], str] = {}
    for key in members:
        if len(f"{key}.".splitlines()) > 1:  # every message below names arrays, and is one line
            raise DataError(f"{path}: the array {key!r} has the end of a line in its name; rename it")
        place = role(key)
        if place in found:
            raise DataError(f"{path}: {found[place]} and {key} are both the {' '.join(place or ())}; keep one")
        if place:
            found[place] = key
    splits = [split for split in (*SPLITS, UNDIVIDED) if (split, "images") in found]
    if not splits or (UNDIVIDED in splits and len(splits) > 1):
        expected = "images and labels, or train_images, train_labels, test_images, ..."
        raise DataError(f"{path}: expected the arrays {expected}; found {', '.join(members) or 'none'}")
    for split in splits:
        if (split, "labels") not in found:
            raise DataError(f"{path}: {found[split, 'images']} has no labels; found {', '.join(members)}")
    names = [key for key in CLASSES_KEYS if key in members]
    classes = class_names(f"{path} ({names[0]})", members[names[0]]()) if names else None
    sets = {
        split: image_set(path, [found[split, "images"], found[split, "labels"]], members, classes) for split in splits
    }
    return Parts(sets if classes else one_class_list(sets, {s: f"{path} ({found[s, 'images']})" for s in sets}))


def image_set(path: Path, keys: list[str], members: Mapping[str, Load], classes: tuple[str, ...] | None) -> ImageSet:
    """The images and labels under two keys."""
    images = as_images(f"{path} ({keys[0]})", members[keys[0]]())
    where = f"{path} ({keys[1]})"
    labels = as_labels(where, members[keys[1]]())
    if len(images) != len(labels):
        raise DataError(f"{path}: {keys[0]} holds {len(images)} images, {keys[1]} {len(labels)} labels; each needs one")
    if not len(images):
        raise DataError(f"{path}: {keys[0]} holds no images")
    if labels.dtype.kind in "iu" and classes is not None:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(classes):
            raise DataError(f"{where}: labels run from {low} to {high}, but there are {len(classes)} classes")
        return ImageSet(images, labels.astype(np.int64), classes, numbered=True)
    coded, own = encode([[str(label) for label in labels.tolist()]])
    if "" in own:
        raise DataError(f"{where}: label {labels.tolist().index('')} (from 0) is empty text; each image needs a class")
    if classes is None:
        return ImageSet(images, coded, own, labels.dtype.kind in "iu" and is_numbered(own))
    unknown = [name for name in own if name not in classes]
    if unknown:
        raise DataError(f"{where}: the label {unknown[0]!r} is none of the file's {len(classes)} classes")
    place = np.array([classes.index(name) for name in own], np.int64)
    return ImageSet(images, place[coded], classes)


def as_images(where: str, array: Array) -> NDArray[np.uint8]:
    """Images as uint8 [N, H, W, C]: from [N, H, W], [N, H, W, C], or [N, C, H, W] with 1 or 3 channels.

    uint8 is taken as it is, so are whole numbers from 0 to 255 of any type; floats that all lie in [0, 1] are n/255.
    Raises DataError for any other shape, or values that bytes cannot hold exactly.
    """
    if array.ndim not in (3, 4):
        raise DataError(
            f"{where}: has the shape {list(array.shape)}; images are [N, H, W], [N, H, W, C] or [N, C, H, W]"
        )
    if array.ndim == 3:
        array = array[..., None]
    elif array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.size == 0:
        raise DataError(f"{where}: holds no images; its shape is {list(array.shape)}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where}: holds {array.dtype}; images are uint8, or numbers that fit it")
    low, high = array.min(), array.max()
    scale = 255 if array.dtype.kind == "f" and 0 <= low and high <= 1 else 1
    images = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), BLOCK_IMAGES):
        block = array[start : start + BLOCK_IMAGES].astype(np.float64) * scale
        whole_numbers = np.rint(block)
        # a float that stands for n/255 is off by at most half a unit in its last place
        near = 255 * np.finfo(array.dtype).eps if scale == 255 else 0.0
        if not (0 <= low and high <= 255 and (np.abs(block - whole_numbers) <= near).all()):
            raise DataError(
                f"{where}: {array.dtype} values from {low:g} to {high:g} are not exact bytes; "
                "give whole numbers from 0 to 255, or those divided by 255"
            )
        images[start : start + BLOCK_IMAGES] = whole_numbers
    return images


def as_labels(where: str, array: Array) -> Array:
    """Labels as [N] integers or text. Raises DataError for any other shape or type."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{where}: has the shape {list(array.shape)}; labels are [N] or [N, 1] class numbers or names")
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "iuU":
        raise DataError(f"{where}: holds {array.dtype}; labels are integers or text")
    return array


def class_names(where: str, array: Array) -> tuple[str, ...]:
    """The class names of a text array. Raises DataError for any other array, or a name that is there twice."""
    if array.dtype.kind not in "US":
        raise DataError(f"{where}: holds {array.dtype}; class names are text")
    names = tuple(str(name) for name in as_labels(where, array))
    if len(set(names)) != len(names):
        raise DataError(f"{where}: two classes have the same name; each class needs its own")
    return names


def labels_beside(images: Path) -> Path:
    """The labels file that belongs to an images file, by its name. Raises DataError where there is none."""
    for word in IMAGES_WORDS:
        for label in LABELS_WORDS:
            stem = re.sub(rf"(?<![A-Za-z0-9]){word}(?![A-Za-z0-9])", label, images.stem, flags=re.IGNORECASE)
            beside = images.with_name(stem + images.suffix)
            if stem != images.stem and beside.is_file():
                return beside
    raise DataError(
        f"{images}: its labels are missing: no file beside it is named the same but with `labels` or `y` for "
        "`images` or `x`"
    )


def npz_members(path: Path) -> dict[str, Load]:
    """The arrays of an .npz file by their keys, each read when it is called for."""
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise DataError(f"{path}: not an .npz file, or a broken one: {one_line(error)}") from None
    return {info.filename.removesuffix(".npy"): npz_member(path, info) for info in infos}


def npz_member(path: Path, info: zipfile.ZipInfo) -> Load:
    """One array of an .npz file."""

    def load() -> Array:
        where = f"{path} ({info.filename.removesuffix('.npy')})"
        if info.file_size > DEFLATE_LIMIT * (info.compress_size + 1):
            raise DataError(f"{where}: claims {info.file_size:,} bytes, more than the archive can hold")
        with reading(path):
            try:
                with zipfile.ZipFile(path) as archive, archive.open(info) as stream:
                    return read_array(where, cast(BinaryIO, stream), info.file_size)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
                raise DataError(f"{where}: a broken archive member: {one_line(error)}") from None

    return load


def npy_member(path: Path) -> Load:
    """The array of an .npy file."""

    def load() -> Array:
        with reading(path), path.open("rb") as stream:
            return read_array(str(path), stream, path.stat().st_size)

    return load


def read_array(where: str, stream: BinaryIO, size: int) -> Array:
    """The array of a stream in numpy's format, its declared length checked before memory is taken, never unpickled."""
    try:
        version = np.lib.format.read_magic(stream)
        if version[0] == 1:
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, by_column, dtype = np.lib.format.read_array_header_2_0(stream)
    except (ValueError, SyntaxError, TypeError) as error:
        raise DataError(f"{where}: not a numpy array file, or a broken one: {one_line(error)}") from None
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which may run code when read; save plain numbers or text")
    expected, found = math.prod(shape) * dtype.itemsize, size - stream.tell()
    data = read_up_to(stream, expected) if expected == found else bytearray()
    if len(data) != expected:
        raise DataError(
            f"{where}: is cut short or damaged: {dtype} {list(shape)} needs {expected:,} bytes, "
            f"found {len(data) or found:,}"
        )
    try:
        array: Array = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
        return array.reshape(shape, order="F" if by_column else "C")
    except ValueError:
        raise DataError(f"{where}: no array can have the type {dtype} and the shape {list(shape)}") from None
