"""Lists and annotations in JSON: Hugging Face's metadata, mappings, COCO, Label Studio, and CVAT's XML."""

import json
from pathlib import Path
from typing import Any

import pytest

from sightlab.errors import DataError
from tests.picture_files import flat, spread, zipped
from tests.reading import claim

SIX = {f"images/{n}.png": flat(n) for n in range(6)}
LABELS = {f"{n}.png": "cat" if n % 2 else "dog" for n in range(6)}
TRUTH = {f"images/{name}": label for name, label in LABELS.items()}


def read(root: Path, files: dict[str, Any], **words: Any) -> dict[str, str]:
    """The label of each picture."""
    data = {name: text if isinstance(text, bytes) else json.dumps(text).encode() for name, text in files.items()}
    found = claim(spread(root, SIX | data), **words).pairs
    assert found is not None
    return {name: label for pairs in found.values() for name, label in pairs}


ROWS = [{"file_name": name, "label": label} for name, label in LABELS.items()]


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("metadata.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
        ("metadata.jsonl", ("\ufeff" + "\r\n".join(map(json.dumps, ROWS)) + "\r\n\r\n").encode()),
        ("labels.json", ROWS),
        ("labels.json", "\n".join(map(json.dumps, ROWS)).encode()),
        ("labels.json", LABELS),
        ("labels.json", {label: [n for n, text in LABELS.items() if text == label] for label in ("cat", "dog")}),
        ("labels.json", {name: {"label": label, "width": 4} for name, label in LABELS.items()}),
        ("dataset.json", {"labels": [[name, label] for name, label in LABELS.items()]}),
        ("labels.json", [[name, label] for name, label in LABELS.items()]),
        ("labels.json", [{"image": {"path": name}, "annotation": {"class": text}} for name, text in LABELS.items()]),
        ("labels.json", [{"image": name, "label": [label]} for name, label in LABELS.items()]),
        ("via.json", {n: {"filename": n, "file_attributes": {"kind": t}, "regions": []} for n, t in LABELS.items()}),
        (
            "via.json",
            {"_via_img_metadata": {n: {"filename": n, "file_attributes": {"class": t}} for n, t in LABELS.items()}},
        ),
        ("labels.json", json.dumps(LABELS).encode("utf-16")),
    ],
)
def test_json_of_many_forms_gives_file_and_label(tmp_path: Path, name: str, document: Any) -> None:
    assert read(tmp_path, {name: document}) == TRUTH


def test_numbers_and_truth_in_json_are_labels(tmp_path: Path) -> None:
    assert read(tmp_path / "a", {"l.json": {n: int(t == "cat") for n, t in LABELS.items()}}) == {
        name: str(int(label == "cat")) for name, label in TRUTH.items()
    }
    assert set(read(tmp_path / "b", {"l.json": {n: t == "cat" for n, t in LABELS.items()}}).values()) == {
        "true",
        "false",
    }


def test_a_mapping_of_splits_says_the_splits(tmp_path: Path) -> None:
    rows = [[f"images/{name}", label] for name, label in LABELS.items()]
    document = json.dumps({"train": rows[:4], "val": rows[4:5], "test": rows[5:]}).encode()
    found = claim(spread(tmp_path, SIX | {"split.json": document}), classes=None)
    assert {split: len(own) for split, own in (found.pairs or {}).items()} == {"train": 4, "validation": 1, "test": 1}


def test_metadata_in_each_splits_folder_or_above_them(tmp_path: Path) -> None:
    pictures = {f"{split}/{n}.png": flat(n) for split in ("train", "test") for n in range(4)}
    each = "\n".join(json.dumps({"file_name": f"{n}.png", "label": n % 2}) for n in range(4)).encode()
    own = claim(spread(tmp_path / "a", pictures | {f"{split}/metadata.jsonl": each for split in ("train", "test")}))
    above = "".join(f"{name},{int(name[-5]) % 2}\n" for name in pictures)
    one = claim(spread(tmp_path / "b", pictures | {"metadata.csv": f"file_name,label\n{above}".encode()}))
    assert own.pairs == one.pairs and own.splits == {"train": 4, "test": 4}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({**LABELS, "gone.png": "cat"}, r"labels\.json, entry 7: there is no picture `gone\.png`"),
        ({**LABELS, "0.png": None}, r"labels\.json, entry 1: `0\.png` has no label"),
        ({name: [label, "pet"] for name, label in LABELS.items()}, "several labels in one cell"),
        (b'{"0.png": "cat", "1.png": "dog", "0.png": "dog"}', r"is not whole JSON: key `0\.png` stands twice"),
        (b'{"0.png": "cat", "1.png": ', r"labels\.json: is not whole JSON: .*write it again"),
    ],
)
def test_what_is_wrong_in_json_is_named_by_entry(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, {"labels.json": document})


@pytest.mark.parametrize(
    "document", [b"9" * 5000, b"[" * 100_000, {"a": 1}, [1, 2], [], {}, "x", b'{"version": "1.0"}']
)
def test_json_of_other_things_is_no_list(tmp_path: Path, document: Any) -> None:
    with pytest.raises(DataError, match=r"`images` is the name of a place|is not whole JSON"):
        read(tmp_path, {"x.json": document})


def coco(pairs: list[tuple[str, int]], ids: dict[int, str]) -> dict[str, Any]:
    files = list(dict.fromkeys(name for name, _ in pairs))
    return {
        "info": {},
        "images": [{"id": 100 + n, "file_name": name} for n, name in enumerate(files)],
        "annotations": [
            {"id": n, "image_id": 100 + files.index(name), "category_id": category, "bbox": [0, 0, 1, 1]}
            for n, (name, category) in enumerate(pairs)
        ],
        "categories": [{"id": key, "name": name} for key, name in ids.items()],
    }


IDS = {7: "dog", 3: "cat", 0: "animals"}
PAIRS = [(name, 3 if label == "cat" else 7) for name, label in LABELS.items()]


def test_coco_of_one_category_a_picture_is_read_in_its_order(tmp_path: Path) -> None:
    document = coco([*PAIRS, PAIRS[0]], IDS)
    assert read(tmp_path, {"annotations.json": document}) == TRUTH
    found = claim(tmp_path)
    assert (found.layout, found.classes) == ("coco", ("cat", "dog"))
    assert claim(tmp_path / "annotations.json").classes == ("cat", "dog")


def test_coco_of_splits_in_folders_and_in_an_archive(tmp_path: Path) -> None:
    pictures = {f"{split}2017/{n}.png": flat(n) for split in ("train", "val") for n in range(6)}
    lists = {f"annotations/instances_{s}2017.json": json.dumps(coco(PAIRS, IDS)).encode() for s in ("train", "val")}
    found = claim(zipped(tmp_path / "coco.zip", pictures | lists))
    assert found.splits == {"train": 6, "validation": 6}
    assert found.pairs is not None and ("val2017/0.png", "dog") in found.pairs["validation"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["annotations"].append({"image_id": 100, "category_id": 3}),
            r"`0\.png` is of the classes `dog` and `cat`",
        ),
        (
            lambda d: d["annotations"].append({"image_id": 100, "category_id": 9}),
            r"image 100 has category_id 9, which is none",
        ),
        (lambda d: d["images"][2].update(file_name="gone.png"), r"there is no picture `gone\.png`"),
    ],
)
def test_coco_that_says_more_or_less_than_one_class_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    document = coco(PAIRS, IDS)
    change(document)
    with pytest.raises(DataError, match=said):
        read(tmp_path, {"annotations.json": document})


def test_pictures_of_coco_without_an_annotation_are_left_aside_and_said(tmp_path: Path) -> None:
    document = coco(PAIRS, IDS)
    document["annotations"] = [one for one in document["annotations"] if one["image_id"] != 105]
    found = claim(spread(tmp_path, SIX | {"annotations.json": json.dumps(document).encode()}))
    assert found.splits == {"all": 5}
    assert "annotations.json: 1 picture without a class ignored" in found.notes


def task(name: str, *choices: str, **more: Any) -> dict[str, Any]:
    result = [{"from_name": "kind", "type": "choices", "value": {"choices": list(choices)}}] if choices else []
    return {"id": 1, "data": {"image": f"/data/upload/1/3f2a9c1b-{name}"}, "annotations": [{"result": result, **more}]}


def test_label_studio_by_choice_with_the_names_of_uploads(tmp_path: Path) -> None:
    document = [task(name, label) for name, label in LABELS.items()]
    assert read(tmp_path / "a", {"project-1.json": document}) == TRUTH
    assert claim(tmp_path / "a").layout == "label-studio"
    uploaded = {f"media/3f2a9c1b-{n}.png": flat(n) for n in range(6)}
    spread(tmp_path / "b", uploaded | {"project-1.json": json.dumps(document).encode()})
    assert claim(tmp_path / "b").splits == {"all": 6}


def test_label_studio_in_csv_and_short_json_is_a_list(tmp_path: Path) -> None:
    rows = "".join(
        f"{n},{label},/data/upload/1/3f2a9c1b-{name},4.5\n" for n, (name, label) in enumerate(LABELS.items())
    )
    assert read(tmp_path / "a", {"project.csv": f"annotation_id,choice,image,lead_time\n{rows}".encode()}) == TRUTH
    short = [
        {"id": n, "image": f"/data/upload/1/{name}", "choice": text} for n, (name, text) in enumerate(LABELS.items())
    ]
    assert read(tmp_path / "b", {"project.json": short}) == TRUTH


def test_label_studio_of_several_choices_is_refused_and_cancelled_ones_do_not_count(tmp_path: Path) -> None:
    document = [task(name, label) for name, label in LABELS.items()]
    with pytest.raises(DataError, match="is of the classes `cat` and `dog`"):
        read(tmp_path, {"p.json": [*document, task("0.png", "cat", "dog")]})
    cancelled = {"was_cancelled": True, **task("0.png", "cat")["annotations"][0]}
    document[0]["annotations"].insert(0, cancelled)
    assert read(tmp_path, {"p.json": document}) == TRUTH


def test_label_studio_with_two_controls_asks_which(tmp_path: Path) -> None:
    document = [task(name, label) for name, label in LABELS.items()]
    for one in document:
        one["annotations"][0]["result"].append({"from_name": "light", "value": {"choices": ["bright"]}})
    with pytest.raises(DataError, match="`kind` or `light` could be the label; say which, as in `label=kind`"):
        read(tmp_path, {"p.json": document})
    assert read(tmp_path, {}, label="kind") == TRUTH


def cvat(tags: dict[str, list[str]]) -> bytes:
    images = "".join(
        f'<image name="{name}">{"".join(f"<tag label={chr(34)}{t}{chr(34)}/>" for t in own)}</image>'
        for name, own in tags.items()
    )
    labels = "<labels><label><name>dog</name></label><label><name>cat</name></label></labels>"
    return f'<?xml version="1.0"?><annotations><meta><task>{labels}</task></meta>{images}</annotations>'.encode()


def test_cvat_by_tags_in_its_order(tmp_path: Path) -> None:
    assert read(tmp_path, {"annotations.xml": cvat({name: [label] for name, label in LABELS.items()})}) == TRUTH
    assert (claim(tmp_path).layout, claim(tmp_path).classes) == ("cvat", ("dog", "cat"))


def test_cvat_of_several_tags_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`0\.png` is of the classes `cat` and `dog`"):
        read(tmp_path, {"annotations.xml": cvat({"0.png": ["cat", "dog"], "1.png": ["dog"]})})
    with pytest.raises(DataError, match="its images have no tags"):
        read(tmp_path, {"annotations.xml": cvat({"0.png": [], "1.png": []})})


def test_xml_with_entities_is_not_read(tmp_path: Path) -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "'
        + b"y" * 99
        + b'">]><annotations><image name="&x;"/></annotations>'
    )
    with pytest.raises(DataError, match="`images` is the name of a place"):
        read(tmp_path, {"annotations.xml": bomb})
