"""Arrays of images and labels, by any name and in any container, give the same set; what is not clear is refused."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightlab.data.formats.array_plan import plan_of
from sightlab.data.formats.arrays import write_npz
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import UNDIVIDED, ImageSet
from sightlab.errors import DataError
from tests.array_files import COLOUR, GREY, LABELS, claimed, fault, npy_bytes, parts_of, save, save_npy


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        *(("images", "labels"), ("x", "y"), ("data", "labels"), ("arr_0", "arr_1"), ("X", "Y"), ("imgs", "targets")),
        *(("data", "target"), ("inputs", "outputs"), ("features", "label"), ("train_data", "train_labels")),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_pair_of_names_is_one_set(tmp_path: Path, images: str, labels: str, packed: bool) -> None:
    write = np.savez_compressed if packed else np.savez
    write(tmp_path / "a.npz", **{images: GREY, labels: LABELS})  # type: ignore[arg-type]
    parts = parts_of(tmp_path / "a.npz")
    assert list(parts.splits) == ["train" if "train" in images else UNDIVIDED] and not parts.notes
    (found,) = parts.splits.values()
    np.testing.assert_array_equal(found.images, GREY[..., None])
    assert found.labels.tolist() == LABELS.tolist() and found.classes == ("0", "1", "2") and found.numbered


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("Xtrain", "ytrain", "Xtest", "ytest"),
        ("trainX", "trainY", "testX", "testY"),
        ("Xtr", "Ytr", "Xte", "Yte"),
        ("trainImages", "trainLabels", "testImages", "testLabels"),
        ("images_train", "labels_train", "images_t10k", "labels_t10k"),
        ("train_set_x", "train_set_y", "test_set_x", "test_set_y"),
        ("train/images", "train/labels", "test/images", "test/labels"),
        ("images/train", "targets/train", "images/holdout", "targets/holdout"),
    ],
)
def test_every_spelling_of_a_split_is_known(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays = dict(zip(names, (COLOUR, LABELS[:, None], COLOUR[:2], LABELS[:2, None].astype(np.uint8)), strict=True))
    parts = parts_of(save(tmp_path / "a.npz", **arrays))
    assert list(parts.splits) == ["train", "test"] and parts.classes == ("0", "1", "2")
    np.testing.assert_array_equal(parts.splits["test"].images, COLOUR[:2])
    assert parts.splits["test"].labels.tolist() == [2, 0]


def test_medmnist_has_a_validation_split(tmp_path: Path) -> None:
    arrays = {f"{s}_images": GREY for s in ("train", "val", "test")} | {
        f"{s}_labels": LABELS[:, None] for s in ("train", "val", "test")
    }
    path = save(tmp_path / "a.npz", **arrays)
    assert list(parts_of(path).splits) == ["train", "validation", "test"]
    assert dict(claimed(path).splits) == {"train": 6, "validation": 6, "test": 6}


def kmnist(folder: Path) -> Path:
    save(folder / "kmnist-train-imgs.npz", arr_0=GREY)
    save(folder / "kmnist-train-labels.npz", arr_0=LABELS)
    save(folder / "kmnist-test-imgs.npz", arr_0=GREY[::-1])
    save(folder / "kmnist-test-labels.npz", arr_0=LABELS[::-1])
    return folder


def test_a_folder_of_npz_files_of_one_array_each_is_one_set(tmp_path: Path) -> None:
    parts = parts_of(kmnist(tmp_path / "kmnist"))
    assert list(parts.splits) == ["train", "test"]
    for split, step in (("train", 1), ("test", -1)):
        np.testing.assert_array_equal(parts.splits[split].images[..., 0], GREY[::step])
        assert parts.splits[split].labels.tolist() == LABELS[::step].tolist()


def test_an_array_alone_takes_its_labels_from_the_file_beside_it(tmp_path: Path) -> None:
    save(tmp_path / "kmnist-train-imgs.npz", arr_0=GREY)
    assert "no labels" in fault(tmp_path / "kmnist-train-imgs.npz")
    kmnist(tmp_path)
    found = parts_of(tmp_path / "kmnist-train-imgs.npz").splits[UNDIVIDED]
    assert found.labels.tolist() == LABELS.tolist()
    assert claimed(tmp_path / "kmnist-train-imgs.npz").beside == ("kmnist-train-labels.npz",)


def test_what_lies_beside_is_a_part_of_the_readings_identity(tmp_path: Path) -> None:
    kmnist(tmp_path)
    before = claimed(tmp_path / "kmnist-train-imgs.npz").identity
    save(tmp_path / "kmnist-train-labels.npz", arr_0=LABELS[::-1])
    assert claimed(tmp_path / "kmnist-train-imgs.npz").identity != before


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tar.gz", "zip in a folder"])
def test_arrays_are_read_from_any_container(tmp_path: Path, form: str) -> None:
    folder = kmnist(tmp_path / "in" / "kmnist")
    path = tmp_path / "in"
    if form.startswith("zip"):
        path = tmp_path / "out" / "a.zip"
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, f"kmnist/{file.name}")
        path = path.parent if form == "zip in a folder" else path
    elif form.startswith("tar"):
        path = tmp_path / f"a.{form}"
        with tarfile.open(path, "w:gz" if form == "tar.gz" else "w") as archive:
            archive.add(folder, "kmnist")
    parts = parts_of(path)
    assert list(parts.splits) == ["train", "test"]
    np.testing.assert_array_equal(parts.splits["test"].images[..., 0], GREY[::-1])


def test_npy_files_are_read_as_a_pair_or_a_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_npy(tmp_path / "a" / f"{split}_images.npy", GREY)
        save_npy(tmp_path / "a" / f"{split}_labels.npy", LABELS)
    assert list(parts_of(tmp_path / "a").splits) == ["train", "test"]
    assert list(parts_of(tmp_path / "a" / "test_images.npy").splits) == [UNDIVIDED]
    save_npy(tmp_path / "xy" / "x_train.npy", np.asfortranarray(COLOUR))
    save_npy(tmp_path / "xy" / "y_train.npy", np.array(["cat", "ant", "bee", "bee", "cat", "ant"]))
    for path in (tmp_path / "xy", tmp_path / "xy" / "x_train.npy"):
        (found,) = parts_of(path).splits.values()
        np.testing.assert_array_equal(found.images, COLOUR)
        assert [found.classes[n] for n in found.labels] == ["cat", "ant", "bee", "bee", "cat", "ant"]
        assert not found.numbered


@pytest.mark.parametrize("names", [("train/images.npy", "train/labels.npy"), ("images/train.npy", "labels/train.npy")])
def test_folders_say_splits_and_roles(tmp_path: Path, names: tuple[str, str]) -> None:
    for split, step in (("train", 1), ("val", -1)):
        save_npy(tmp_path / names[0].replace("train", split), GREY[::step])
        save_npy(tmp_path / names[1].replace("train", split), LABELS[::step])
    parts = parts_of(tmp_path)
    assert list(parts.splits) == ["train", "validation"]
    np.testing.assert_array_equal(parts.splits["validation"].images[..., 0], GREY[::-1])


def test_numbered_files_of_one_split_are_joined_in_their_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        images, labels = np.full((2, 3, 3), number, np.uint8), np.array([0, 1])
        save(tmp_path / f"train_data_batch_{number}.npz", data=images, labels=labels)
    save(tmp_path / "val_data.npz", data=GREY[:, :3, :3], labels=LABELS)
    with pytest.raises(DataError, match="which train has no image of"):
        parts_of(tmp_path)
    save(tmp_path / "val_data.npz", data=GREY[:, :3, :3], labels=LABELS % 2)
    parts = parts_of(tmp_path)
    assert parts.splits["train"].images[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 10, 10]
    assert parts.splits["train"].labels.tolist() == [0, 1] * 3


def test_a_name_that_says_nothing_is_images_by_its_shape(tmp_path: Path) -> None:
    faces = np.linspace(0, 1, 6 * 5 * 4).reshape(6, 5, 4)
    save_npy(tmp_path / "olivetti_faces.npy", faces)
    save_npy(tmp_path / "olivetti_faces_target.npy", LABELS)
    (found,) = parts_of(tmp_path).splits.values()
    np.testing.assert_array_equal(found.images[..., 0], np.rint(faces * 255))
    save_npy(tmp_path / "more.npy", faces)
    assert "could all be the images" in fault(tmp_path)


def test_other_arrays_are_left_aside_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=GREY, labels=LABELS, mean=GREY.mean(0), ids=np.arange(6), embeddings=COLOUR)
    parts = parts_of(path)
    assert parts.notes == ("3 arrays (embeddings, ids, mean) ignored",)
    assert len(parts.splits[UNDIVIDED]) == 6


def test_scikit_learns_flattened_copy_is_left_aside(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", data=GREY.reshape(6, 20), images=GREY, target=LABELS, target_names=np.array("abc"))
    with pytest.raises(DataError, match="labels run from 0 to 2, but there are 1 classes"):
        parts_of(path)
    names = np.array(["a", "b", "c"])
    path = save(tmp_path / "a.npz", data=GREY.reshape(6, 20), images=GREY, target=LABELS, target_names=names)
    parts = parts_of(path)
    assert parts.classes == ("a", "b", "c") and parts.notes == ("1 array (data) ignored",)
    np.testing.assert_array_equal(parts.splits[UNDIVIDED].images[..., 0], GREY)


def test_the_user_says_which_labels_are_meant(tmp_path: Path) -> None:
    arrays = {"train_images": GREY, "train_fine": LABELS, "test_images": GREY, "test_fine": LABELS}
    path = save(tmp_path / "a.npz", **arrays)
    assert "`label=train_fine` takes train_fine as them" in fault(path)
    assert list(parts_of(path, label="fine").splits) == ["train", "test"]
    both = {"images": GREY, "fine_labels": LABELS, "coarse_labels": LABELS // 2}
    path = save(tmp_path / "b.npz", **both)
    assert "`label=coarse_labels` or `label=fine_labels`" in fault(path)
    assert parts_of(path, label="coarse_labels").classes == ("0", "1")
    assert "names no array" in fault(path, label="age")


def test_several_data_sets_in_a_folder_are_asked_about(tmp_path: Path) -> None:
    for name, step in (("bloodmnist", 1), ("pathmnist", -1)):
        save(tmp_path / f"{name}.npz", train_images=GREY[::step], train_labels=LABELS)
    assert "`config=bloodmnist` or `config=pathmnist`" in fault(tmp_path)
    found = parts_of(tmp_path, config="pathmnist").splits["train"]
    np.testing.assert_array_equal(found.images[..., 0], GREY[::-1])
    assert "does not name it" in fault(tmp_path / "pathmnist.npz", config="bloodmnist")


def test_the_user_says_which_files_are_which_split(tmp_path: Path) -> None:
    for name in ("first", "second"):
        save(tmp_path / f"{name}.npz", x=GREY, y=LABELS)
    assert "`config=" in fault(tmp_path)
    parts = parts_of(tmp_path, split="train:second.npz,test:first")
    assert list(parts.splits) == ["train", "test"]
    assert "no array lies" in fault(tmp_path, split="train:third.npz")
    assert "takes `split=train:FILE,test:FILE`" in fault(tmp_path / "first.npz", split="usage").replace(
        "arrays take", "takes"
    )


@pytest.mark.parametrize(("word", "value"), [("list", "a.txt"), ("label_from", "{label}_{number}")])
def test_words_for_picture_files_are_refused(tmp_path: Path, word: str, value: str) -> None:
    path = save(tmp_path / "a.npz", x=GREY, y=LABELS)
    assert f"`{word}={value}` is for picture files" in fault(path, **{word: value})


def test_the_users_own_classes_alone_are_read(tmp_path: Path) -> None:
    arrays = {"x_train": GREY, "y_train": LABELS, "x_test": COLOUR[..., 0], "y_test": LABELS}
    path = save(tmp_path / "a.npz", **arrays)
    parts = parts_of(path, classes="2,0")
    assert parts.classes == ("2", "0") and parts.splits["train"].labels.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(parts.splits["test"].images[..., 0], COLOUR[[0, 1, 4, 5], ..., 0])
    assert parts.notes == ("4 pictures of classes not asked for ignored",)
    assert "there is no class 'cat'; found 0, 1, 2" in fault(path, classes="cat,0")
    assert parts_of(path, names={"0": "ant", "1": "bee", "2": "cat"}).classes == ("ant", "bee", "cat")


@pytest.mark.parametrize("split", ["train", UNDIVIDED])
@pytest.mark.parametrize("classes", [("0", "1", "2"), ("zebra", "ant", "mole")])
def test_what_is_written_is_read(tmp_path: Path, split: str, classes: tuple[str, ...]) -> None:
    splits = {split: ImageSet(COLOUR, LABELS, classes, numbered=True)}
    if split == "train":
        splits["test"] = ImageSet(COLOUR[:2], LABELS[:2], classes, numbered=True)
    write_npz(splits, tmp_path / "new" / "a.npz")
    parts = parts_of(tmp_path / "new" / "a.npz")
    assert list(parts.splits) == list(splits)
    for name, images in splits.items():
        np.testing.assert_array_equal(parts.splits[name].images, images.images)
        np.testing.assert_array_equal(parts.splits[name].labels, images.labels)
        assert parts.splits[name].classes == classes and parts.splits[name].numbered
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.npz"]
    with np.load(tmp_path / "new" / "a.npz", allow_pickle=False) as plain:
        assert plain["classes"].tolist() == list(classes)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        write_npz({"train": ImageSet(COLOUR, LABELS, ("0", "1", "2"))}, tmp_path / "taken" / "a.npz")


def test_names_that_do_not_make_a_set_are_listed(tmp_path: Path) -> None:
    assert "found mean, notes" in fault(save(tmp_path / "a.npz", mean=LABELS, notes=LABELS))
    assert "x_train has no labels (`sightlab predict` takes pictures without); found x_train, y_test" in fault(
        save(tmp_path / "b.npz", x_train=GREY, y_test=LABELS)
    )
    assert "images and x are both the images; keep one" in fault(
        save(tmp_path / "c.npz", x=GREY, images=GREY, labels=LABELS)
    )
    assert "found images, labels, x_train" in fault(save(tmp_path / "d.npz", images=GREY, labels=LABELS, x_train=GREY))
    four = {f"arr_{n}": array for n, array in enumerate((GREY, LABELS, GREY, LABELS))}
    assert "found arr_0, arr_1, arr_2, arr_3" in fault(save(tmp_path / "e.npz", **four))


def test_arrays_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    assert "images holds 6 images, labels 5 labels" in fault(
        save(tmp_path / "a.npz", images=GREY, labels=LABELS[:5])
    ).replace(" [", " ")
    extra = {"train_images": GREY, "train_labels": LABELS, "test_images": GREY[:1], "test_labels": np.array([7])}
    assert "the label '7'" in fault(save(tmp_path / "e.npz", **extra))
    extra |= {"test_images": GREY[:1, :3], "test_labels": LABELS[:1]}
    assert "images are 3 x 4, those" in fault(save(tmp_path / "f.npz", **extra))


def stored(key: str, *shape: int, dtype: Any = np.uint8) -> StoredArray:
    return StoredArray(key, key, key, shape, np.dtype(dtype), lambda: np.zeros(shape, dtype))


def test_a_plan_is_made_without_reading_any_array() -> None:
    def never() -> Any:
        raise AssertionError("read")

    arrays = [
        StoredArray(key, key, key, shape, np.dtype(np.uint8), never)
        for key, shape in (("x_train", (9, 28, 28)), ("y_train", (9,)), ("x_test", (3, 28, 28)), ("y_test", (3,)))
    ]
    plan = plan_of(arrays)
    assert plan is not None and {s: [p.labels.key for p in own] for s, own in plan.splits.items()} == {
        "train": ["y_train"],
        "test": ["y_test"],
    }


def test_class_lists_are_told_from_labels_by_their_length() -> None:
    plan = plan_of([stored("images", 9, 4, 4), stored("classes", 9), stored("names", 3, dtype="U3")])
    assert plan is not None and plan.splits["all"][0].labels.key == "classes"
    plan = plan_of([stored("images", 9, 4, 4), stored("classes", 3, dtype="U3"), stored("labels", 9)])
    assert plan is not None and plan.splits["all"][0].labels.key == "labels" and plan.names is not None


def test_arrays_beside_class_folders_are_no_second_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("L", (4, 4), number).save(tmp_path / name / f"{number}.png")
    save_npy(tmp_path / "embeddings.npy", np.zeros((4, 16)))
    assert parts_of(tmp_path).classes == ("cat", "dog")
    save(tmp_path / "a.npz", x=GREY, y=LABELS)
    assert "`layout=arrays`" in fault(tmp_path)
    assert parts_of(tmp_path, layout="arrays").classes == ("0", "1", "2")
    shutil.rmtree(tmp_path / "cat")


def test_labels_in_a_text_of_one_column_are_in_the_arrays_order(tmp_path: Path) -> None:
    names = np.array(["cat", "ant", "bee"])[LABELS]
    save_npy(tmp_path / "images.npy", COLOUR)
    (tmp_path / "Labels.csv").write_text("Label\n" + "\n".join(names))
    for path in (tmp_path, tmp_path / "images.npy"):
        found = parts_of(path).splits[UNDIVIDED]
        assert [found.classes[n] for n in found.labels] == names.tolist()
    assert claimed(tmp_path / "images.npy").beside == ("Labels.csv",)
    (tmp_path / "Labels.csv").write_text("\n".join(map(str, LABELS)))
    assert parts_of(tmp_path).splits[UNDIVIDED].labels.tolist() == LABELS.tolist()
    (tmp_path / "Labels.csv").write_text("id,kind\n" + "\n".join(f"{n},{name}" for n, name in enumerate(names)))
    assert "no labels" in fault(tmp_path)
    assert parts_of(tmp_path, label="kind").classes == ("ant", "bee", "cat")
    (tmp_path / "Labels.csv").write_text("Label\n" + "\n".join(names[:4]))
    assert "images holds 6 images, Labels 4 labels" in fault(tmp_path)


def test_pictures_to_be_answered_are_left_aside(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x_train=GREY, y_train=LABELS, x_test=GREY[:2])
    parts = parts_of(path)
    assert list(parts.splits) == ["train"] and parts.notes == ("1 array (x_test) ignored",)


def test_single_pictures_in_class_folders_are_refused_with_the_way_out(tmp_path: Path) -> None:
    for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
        save_npy(tmp_path / f"{name}.npy", COLOUR[0])
    assert "save them as PNG" in fault(tmp_path)
    for name in ("cat", "dog"):
        shutil.rmtree(tmp_path / name)
        save_npy(tmp_path / f"{name}.npy", COLOUR)
    assert parts_of(tmp_path).classes == ("cat", "dog")


def test_a_packed_npy_file_is_read_as_it_is(tmp_path: Path) -> None:
    import gzip

    for name, array in (("x_train", GREY), ("y_train", LABELS)):
        (tmp_path / f"{name}.npy.gz").write_bytes(gzip.compress(npy_bytes(array)))
    for path in (tmp_path, tmp_path / "x_train.npy.gz"):
        (found,) = parts_of(path).splits.values()
        np.testing.assert_array_equal(found.images[..., 0], GREY)


WORDS = (
    "x",
    "y",
    "train",
    "test",
    "images",
    "labels",
    "data",
    "arr_0",
    "arr_1",
    "mean",
    "é",
    "",
    "1",
    "classes",
    "a/b",
)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("_".join),
            st.lists(st.sampled_from([0, 1, 3, 9]), max_size=4),
            st.sampled_from(["u1", "f4", "U3", "O", "?", "c8"]),
        ),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from([None, "y", "labels", "x/y"]),
    st.sampled_from([None, "a", "train"]),
)
def test_any_names_and_shapes_make_a_plan_or_a_line(
    arrays: list[tuple[str, list[int], str]], label: str | None, config: str | None
) -> None:
    plan = plan_of([stored(key, *shape, dtype=dtype) for key, shape, dtype in arrays], label, config)
    if plan is not None and not plan.refusal:
        pairs = [pair for own in plan.splits.values() for pair in own]
        assert pairs and all(pair.images is not pair.labels for pair in pairs)
        assert len({id(pair.images) for pair in pairs}) == len(pairs)
    elif plan is not None:
        assert "\n" not in plan.refusal
