"""Well-known public picture sets as they unpack: pictures, labels, splits, order; or one line with the way out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sightlab.data.imageset import Parts
from sightlab.data.inventory import look
from sightlab.data.layouts.copies import without_copies
from sightlab.errors import DataError
from tests import public_forms as forms
from tests.picture_files import flat, spread, tarred, zipped
from tests.public_forms import WNIDS, Made
from tests.reading import claim, decision, read

SORTED_WNIDS = tuple(sorted(WNIDS))
PNEUMONIA = ("NORMAL", "PNEUMONIA")
CARS = ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")

# The set, the layout that must be chosen, and the classes in their order.
READ: list[tuple[Callable[[], Made], str, tuple[str, ...]]] = [
    (forms.tiny_imagenet, "split-labels", SORTED_WNIDS),
    (forms.tiny_imagenet_train, "class-folders", SORTED_WNIDS),
    (forms.imagenet_kaggle, "split-labels", SORTED_WNIDS),
    (forms.imagenet_kaggle_whole, "split-labels", SORTED_WNIDS),
    (forms.imagenet_flat_val, "split-labels", SORTED_WNIDS),
    (forms.imagenet_caffe, "split-labels", SORTED_WNIDS),
    (forms.imagenet_devkit, "imagenet", SORTED_WNIDS),
    (forms.imagenette, "split-folders", SORTED_WNIDS),
    (forms.places365, "letter-folders", ("airfield", "apartment_building/outdoor", "barn", "beach")),
    (forms.sun397, "letter-folders", ("abbey", "bakery/shop", "barn")),
    (forms.gtsrb_kaggle, "split-labels", tuple(str(n) for n in range(12))),
    (forms.gtsrb_twice, "split-labels", tuple(str(n) for n in range(12))),
    (forms.gtsrb_original, "split-labels", ("00000", "00001", "00002", "00003")),
    (forms.gtsrb_torchvision, "split-labels", ("00000", "00001", "00002", "00003")),
    (forms.cub, "cub", ("001.Black_footed_Albatross", "002.Laysan_Albatross")),
    (forms.nabirds, "cub", ("Common Eider (Adult male)", "Oak Titmouse")),
    (forms.oxford_pets, "oxford-pets", ("Abyssinian", "american_bulldog", "Bengal")),
    (forms.oxford_flowers, "oxford-flowers", ("2", "77", "102")),
    (forms.flower_folders, "split-folders", ("1", "2", "10")),
    (forms.food101, "split-lists", ("apple_pie", "ramen")),
    (forms.dtd, "split-lists", ("banded", "dotted")),
    (forms.indoor67, "split-lists", ("airport_inside", "living room")),
    (forms.stanford_dogs, "stanford-dogs", ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")),
    (forms.stanford_cars, "stanford-cars", CARS),
    (forms.stanford_cars_one_list, "stanford-cars", CARS),
    (forms.fgvc_aircraft, "fgvc-aircraft", ("Boeing 707-320", "F/A-18", "C-47")),
    (forms.caltech101, "caltech", ("accordion", "BACKGROUND_Google", "Faces")),
    (forms.caltech256, "caltech", ("001.ak47", "002.american-flag", "257.clutter")),
    (forms.chest_xray, "split-folders", PNEUMONIA),
    (forms.chest_xray_twice, "split-folders", PNEUMONIA),
    (forms.malaria, "class-folders", ("Parasitized", "Uninfected")),
    (forms.brain_tumour, "class-folders", ("no", "yes")),
    (forms.cinic10, "split-folders", ("airplane", "automobile")),
    (forms.seedlings, "split-folders", ("Charlock", "Sugar beet")),
    (forms.state_farm, "list", ("c0", "c1", "c2")),
    (forms.ham10000, "list", ("bkl", "df", "mel", "nv")),
    (
        forms.cassava,
        "list",
        ("Cassava Bacterial Blight (CBB)", "Cassava Brown Streak Disease (CBSD)", "Healthy"),
    ),
    (forms.dog_breeds, "list", ("boston_bull", "dingo", "pekinese")),
    (forms.aptos, "list", ("0", "1", "2", "4")),
    (forms.cifar_kaggle, "list", ("deer", "frog", "truck")),
    (forms.histopathology, "list", ("0", "1")),
    (forms.plant_pathology, "list", ("healthy", "multiple_diseases", "rust", "scab")),
    (forms.isic2019, "list", ("BCC", "MEL", "NV")),
    (forms.eurosat, "class-folders", ("AnnualCrop", "Forest")),
]
NAMES = [form.__name__ for form, *_ in READ]

# The set, and words of the line that refuses it.
REFUSED: list[tuple[Callable[[], Made], tuple[str, ...]]] = [
    (forms.pascal_voc, ("Pascal VOC", "class folders")),
    (forms.chest_xray14, ("Data_Entry_2017.csv", "several findings")),
    (
        forms.other_pictures_within,
        ("holds folders of the same names as those beside it", "`ignore='cell_images/cell_images/*'`"),
    ),
    (forms.covid_radiography, ("`images`, `masks`", "`ignore=masks`")),
    (forms.mini_imagenet, ("of the validation split has no picture in train",)),
    (forms.svhn_numbers, ("digitStruct.mat", "train_32x32.mat")),
    (forms.celeba, ("3 attributes", "`label=Smiling`")),
    (forms.celeba_kaggle, ("3 attributes", "`label=Smiling`")),
    (forms.dogs_vs_cats, ("`cat.0.jpg`", "`label_from='{label}.{number}.jpg'`")),
    (forms.gtsrb_without_tables, ("`Meta`", "`split=train:Train`")),
    (forms.plant_village, ("`color`, `grayscale`, `segmented`", "`config=color`")),
    (forms.fruits360, ("test-multiple_fruits", "`split=train:fruits-360/Training,test:fruits-360/Test`")),
]


def values(parts: Parts) -> dict[str, dict[str, list[int]]]:
    """The one value of each picture, by split and class."""
    found: dict[str, dict[str, list[int]]] = {}
    for split, images in parts.splits.items():
        pixels = images.images.reshape(len(images), -1)
        assert (pixels == pixels[:, :1]).all()
        own = found[split] = {}
        for label in np.unique(images.labels):
            own[images.classes[label]] = sorted(int(v) for v in pixels[images.labels == label, 0])
    return renamed(found)


def expected(made: Made) -> dict[str, dict[str, list[int]]]:
    return renamed({split: {text: sorted(own) for text, own in by.items()} for split, by in made.expected.items()})


def renamed(found: dict[str, dict[str, list[int]]]) -> dict[str, dict[str, list[int]]]:
    """Training pictures alone as undivided ones: a test split is held out of either."""
    return {"all": found["train"]} if list(found) == ["train"] else found


def notes(source: Path) -> str:
    return "\n".join(read(source).notes)


@pytest.mark.parametrize(("form", "layout", "classes"), READ, ids=NAMES)
def test_pictures_labels_splits_and_order_are_right(
    form: Callable[[], Made], layout: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    made = form()
    source = made.at(tmp_path)
    chosen, parts = claim(source), read(source)
    assert chosen.layout == layout
    assert (parts.classes, chosen.classes) == (classes, classes)
    assert values(parts) == expected(made)
    assert sum(chosen.splits.values()) == sum(len(own) for by in made.expected.values() for own in by.values())
    assert all(str(tmp_path) not in note for note in parts.notes)


@pytest.mark.parametrize(("form", "layout", "classes"), READ, ids=NAMES)
def test_they_read_the_same_from_an_archive(
    form: Callable[[], Made], layout: str, classes: tuple[str, ...], tmp_path: Path
) -> None:
    made = form()
    parts = read(made.tar(tmp_path / "set.tar"), layout=layout)
    assert parts.classes == classes
    assert values(parts) == expected(made)


@pytest.mark.parametrize(("form", "words"), REFUSED, ids=[form.__name__ for form, _ in REFUSED])
def test_what_is_no_set_of_one_class_a_picture_is_refused_in_a_line(
    form: Callable[[], Made], words: tuple[str, ...], tmp_path: Path
) -> None:
    refusal = decision(form().at(tmp_path)).refusal
    assert all(word in refusal for word in words), refusal
    assert len(refusal.replace(str(tmp_path), "")) <= 280
    assert "\n" not in refusal


# Copies


@pytest.mark.parametrize("form", [forms.malaria, forms.brain_tumour, forms.chest_xray_twice, forms.gtsrb_twice])
def test_copies_are_left_aside_with_a_note(form: Callable[[], Made], tmp_path: Path) -> None:
    made = form()
    whole = look(made.at(tmp_path))
    kept = without_copies(whole)
    content = [made.files[name] for name in kept.pictures]
    assert len(set(content)) == len(content) == len({made.files[name] for name in whole.pictures})
    assert any("holds the same pictures as" in note for note in kept.notes)


def test_folders_with_other_pictures_are_no_copies(tmp_path: Path) -> None:
    made = forms.other_pictures_within()
    made.text("cell_images/train/readme.txt", "a text")
    whole = look(made.at(tmp_path))
    assert without_copies(whole) is whole
    assert without_copies(look(forms.tiny_imagenet().at(tmp_path / "other"))).notes == ()


def test_a_folder_of_copies_within_a_tar_is_found_too(tmp_path: Path) -> None:
    assert len(without_copies(look(forms.malaria().tar(tmp_path / "cells.tar"))).pictures) == 6


# ImageNet


def test_imagenets_own_tars_are_read_as_they_are(tmp_path: Path) -> None:
    made = forms.imagenet_devkit()
    folders: dict[str, dict[str, bytes]] = {}
    for name, data in made.files.items():
        archive, _, inner = name.partition("/")
        folders.setdefault(archive, {})[inner if "devkit" not in archive else name] = data
    training = {}
    for wnid in WNIDS:
        own = {name.partition("/")[2]: data for name, data in folders["ILSVRC2012_img_train"].items() if wnid in name}
        training[f"{wnid}.tar"] = tarred(tmp_path / "one.tar", own).read_bytes()
    (tmp_path / "one.tar").unlink()
    tarred(tmp_path / "ILSVRC2012_img_train.tar", training)
    tarred(tmp_path / "ILSVRC2012_img_val.tar", folders["ILSVRC2012_img_val"])
    tarred(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", folders["ILSVRC2012_devkit_t12"], "w:gz")
    assert values(read(tmp_path)) == expected(made)
    assert values(read(tmp_path / "ILSVRC2012_img_train.tar")) == {"all": expected(made)["train"]}


def test_imagenets_ground_truth_without_its_meta_mat_is_refused_with_the_way_out(tmp_path: Path) -> None:
    made = forms.imagenet_devkit()
    del made.files["ILSVRC2012_devkit_t12/data/meta.mat"]
    refusal = decision(made.at(tmp_path)).refusal
    assert "meta.mat" in refusal
    assert "ILSVRC2012_devkit_t12.tar.gz" in refusal


def test_validation_of_tiny_imagenet_alone_is_read_by_its_list(tmp_path: Path) -> None:
    made = forms.tiny_imagenet_val()
    source = made.at(tmp_path)
    assert "`label=1`" in decision(source).refusal  # the boxes' numbers could be labels too
    assert values(read(source, label="1")) == expected(made)


def test_words_of_wordnet_ids_are_named_in_a_note(tmp_path: Path) -> None:
    said = notes(forms.tiny_imagenet().at(tmp_path))
    assert "words.txt names them (n01443537: word of c)" in said
    assert "5 pictures in tiny-imagenet-200/test have no labels" in said
    assert "`sightlab predict`" in said


def test_a_part_of_imagenets_validation_pictures_is_labelled_by_the_whole_list(tmp_path: Path) -> None:
    made = forms.imagenet_flat_val()
    gone = made.expected["validation"][WNIDS[1]].pop(0)
    made.files = {name: data for name, data in made.files.items() if data != flat(gone)}
    assert values(read(made.at(tmp_path))) == expected(made)


def test_validation_classes_that_train_lacks_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    made = forms.imagenet_flat_val()
    made.files = {name: data for name, data in made.files.items() if f"train/{WNIDS[2]}/" not in name}
    source = made.at(tmp_path)
    refusal = decision(source).refusal
    assert f"class `{WNIDS[2]}` of the validation split has no picture in train" in refusal
    del made.expected["train"][WNIDS[2]], made.expected["validation"][WNIDS[2]]
    assert values(read(source, classes=list(SORTED_WNIDS[1:]))) == expected(made)


# Flat splits and the tables that label them


def flat_test(*rows: str, heading: str = "name,class", files: int = 4) -> Made:
    """Class folders cat and dog, and flat test pictures 0.png, ... with a table of them."""
    made = Made()
    forms.class_folders(made, "train", "train/")
    made.pictures(f"test/{n}.png" for n in range(files))
    made.text("test_labels.csv", heading, *rows)
    return made


def test_a_table_that_gives_every_picture_one_class_is_no_table_of_labels(tmp_path: Path) -> None:
    made = flat_test(*(f"{n}.png,cat" for n in range(4)))
    chosen = claim(made.at(tmp_path))
    assert chosen.layout == "split-folders"
    assert chosen.splits == {"train": 6}


def test_of_two_columns_that_name_classes_the_one_called_a_label_is_taken(tmp_path: Path) -> None:
    rows = [f"{n}.png,{'cat' if n < 2 else 'dog'},{'cat' if n % 2 else 'dog'}" for n in range(4)]
    source = flat_test(*rows, heading="name,seen_with,class").at(tmp_path)
    assert [name for name, text in claim(source).pairs["test"] if text == "cat"] == ["test/1.png", "test/3.png"]


def test_of_two_columns_called_alike_label_chooses(tmp_path: Path) -> None:
    rows = [f"{n}.png,{'cat' if n < 2 else 'dog'},{'cat' if n % 2 else 'dog'}" for n in range(4)]
    source = flat_test(*rows, heading="name,first,second").at(tmp_path)
    refusal = decision(source, layout="split-labels").refusal
    assert "`label=first` or `label=second`" in refusal
    pairs = claim(source, label="second", layout="split-labels").pairs
    assert [name for name, text in pairs["test"] if text == "cat"] == ["test/1.png", "test/3.png"]


def test_a_picture_of_two_labels_is_refused(tmp_path: Path) -> None:
    source = flat_test("0.png,cat", "1.png,dog", "2.png,dog", "3.png,cat", "3.png,dog").at(tmp_path)
    assert "gives a picture two labels" in decision(source, layout="split-labels").refusal


def test_two_tables_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    made = flat_test("0.png,cat", "1.png,dog", "2.png,dog", "3.png,cat")
    made.text("other.csv", "name,class", "0.png,dog", "1.png,dog", "2.png,dog", "3.png,cat")
    source = made.at(tmp_path)
    refusal = decision(source, layout="split-labels").refusal
    assert "other.csv and test_labels.csv label the same pictures differently; `ignore=test_labels.csv`" in refusal
    assert claim(source, ignore="other.csv", layout="split-labels").splits == {"train": 6, "test": 4}


def test_pictures_that_the_table_leaves_out_are_counted(tmp_path: Path) -> None:
    source = flat_test("0.png,cat", "1.png,dog", "2.png,dog").at(tmp_path)
    assert claim(source, layout="split-labels").splits == {"train": 6, "test": 3}
    assert "1 test pictures that test_labels.csv does not label ignored" in claim(source, layout="split-labels").notes


@pytest.mark.parametrize(
    ("names", "numbers", "classes"),
    [
        (("cat", "dog"), (0, 1, 1, 0), ("cat", "dog", "dog", "cat")),
        (("dog", "cat"), (0, 1, 1, 0), ("dog", "cat", "cat", "dog")),
        (("cat", "dog"), (1, 2, 2, 1), ("cat", "dog", "dog", "cat")),
        (("7 cat", "3 dog"), (7, 3, 3, 7), ("cat", "dog", "dog", "cat")),
    ],
    ids=["from 0", "in the list's order", "from 1", "by the list's numbers"],
)
def test_numbers_are_classes_by_a_list_of_their_names(
    names: tuple[str, ...], numbers: tuple[int, ...], classes: tuple[str, ...], tmp_path: Path
) -> None:
    made = flat_test(*(f"{n}.png,{number}" for n, number in enumerate(numbers)))
    made.text("classes.txt", *names)
    assert dict(claim(made.at(tmp_path), layout="split-labels").pairs["test"]) == {
        f"test/{n}.png": text for n, text in enumerate(classes)
    }


def test_numbers_are_not_guessed_to_be_classes(tmp_path: Path) -> None:
    rows = [f"{n}.png,{n % 2}" for n in range(4)]
    assert "classes.txt" in decision(flat_test(*rows).at(tmp_path), layout="split-labels").refusal


def test_numbers_from_one_place_or_the_other_are_not_guessed(tmp_path: Path) -> None:
    made = Made()
    forms.class_folders(made, "train", "train/", classes=("cat", "cow", "dog"))
    made.pictures(f"test/{n}.png" for n in range(4))
    made.text("test.csv", "name,class", "0.png,1", "1.png,2", "2.png,2", "3.png,1")  # of 0 to 2, or of 1 to 3
    made.text("classes.txt", "cat", "cow", "dog")
    assert "it cannot be told which class a number is" in decision(made.at(tmp_path), layout="split-labels").refusal


def test_running_numbers_are_no_labels(tmp_path: Path) -> None:
    made = flat_test(*(f"{n}.png,{n}" for n in range(2)), files=2)
    made.text("classes.txt", "cat", "dog")
    assert claim(made.at(tmp_path)).splits == {"train": 6}


def test_signs_beside_the_splits_are_left_aside_with_a_note(tmp_path: Path) -> None:
    assert "12 pictures in Meta, beside the splits, ignored" in notes(forms.gtsrb_kaggle().at(tmp_path))


# Lists of splits over class folders


def test_the_textures_other_partitions_can_be_chosen(tmp_path: Path) -> None:
    made = forms.dtd()
    source = made.at(tmp_path)
    assert "partition 1 of 10; `split=train:dtd/labels/train2.txt," in notes(source)
    lists = {split: f"dtd/labels/{split}4.txt" for split in ("train", "val", "test")}
    chosen = claim(source, split=",".join(f"{split}:{name}" for split, name in lists.items()))
    listed = {
        split: {f"dtd/images/{line}" for line in made.files[name].decode().split()} for split, name in lists.items()
    }
    found = {split: {name for name, _ in pairs} for split, pairs in chosen.pairs.items()}
    assert found == {"train": listed["train"], "validation": listed["val"], "test": listed["test"]}


def partitioned(count: int) -> Made:
    made = Made()
    forms.class_folders(made, "train", "images/")
    for number in range(1, count + 1):
        made.text(f"splits/train_{number}.txt", "cat/0.jpg", "cat/1.jpg", "dog/0.jpg", f"dog/{number}.jpg")
        made.text(f"splits/test_{number}.txt", "cat/2.jpg", f"dog/{3 - number}.jpg")
    return made


def test_one_of_several_partitions_is_not_chosen_in_silence(tmp_path: Path) -> None:
    source = partitioned(2).at(tmp_path)
    places = "train:splits/train_1.txt,test:splits/test_1.txt"
    refusal = decision(source).refusal
    assert f"`split={places}`" in refusal
    assert claim(source, split=places).splits == {"train": 4, "test": 2}
    assert claim(source, layout="class-folders").splits == {"all": 6}


def test_lists_of_validation_and_test_leave_the_rest_for_training(tmp_path: Path) -> None:
    made = Made()
    forms.class_folders(made, "all", "", classes=("yes", "no"), each=4)
    made.text("validation_list.txt", "yes/0.jpg", "no/0.jpg")
    made.text("testing_list.txt", "yes/1.jpg", "no/1.jpg")
    chosen = claim(made.at(tmp_path))
    assert chosen.splits == {"train": 4, "validation": 2, "test": 2}
    assert "4 pictures in no list are for training" in chosen.notes


def test_a_picture_in_two_lists_is_refused(tmp_path: Path) -> None:
    made = forms.food101()
    made.files["food-101/meta/test.txt"] += b"ramen/1001\n"
    assert (
        "meta/test.txt: `food-101/images/ramen/1001.jpg` is listed in food-101/meta/train.txt too"
        in decision(made.at(tmp_path), layout="split-lists").refusal
    )


def test_lists_of_other_pictures_divide_nothing(tmp_path: Path) -> None:
    made = Made()
    forms.class_folders(made, "all", "")
    made.text("train.txt", *(f"other/{n}" for n in range(5)))
    made.text("test.txt", *(f"else/{n}" for n in range(5)))
    source = made.at(tmp_path)
    assert (claim(source).layout, values(read(source))) == ("class-folders", expected(made))


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = forms.dtd().at(tmp_path)
    with pytest.raises(DataError, match=r"no list `dtd/labels/test99.txt`"):
        decision(source, split="train:dtd/labels/train1.txt,test:dtd/labels/test99.txt")


# Letters


def test_letters_with_few_letters_in_them_are_classes(tmp_path: Path) -> None:
    made = Made()
    for letter in "AB":
        made.pictures((f"{letter}/{letter}{n}/1.png" for n in range(3)), "all", letter)
    assert "letter-folders" not in [one.layout for one in decision(made.at(tmp_path)).claims]


# Official numbers, other labels, what is missing


def test_aircraft_are_told_by_family_where_label_says_so(tmp_path: Path) -> None:
    source = forms.fgvc_aircraft().at(tmp_path)
    assert read(source, label="family").classes == ("Boeing 707", "F/A-18", "DC-3")
    assert "`label=family` and `label=manufacturer`" in notes(source)
    with pytest.raises(DataError, match="label=wings"):
        decision(source, label="wings")


def test_pets_are_cats_and_dogs_where_label_says_species(tmp_path: Path) -> None:
    source = forms.oxford_pets().at(tmp_path)
    parts = read(source, label="species")
    assert parts.classes == ("cat", "dog")
    assert [np.bincount(images.labels).tolist() for images in parts.splits.values()] == [[4, 2], [4, 2]]


def test_pets_without_their_pictures_are_refused(tmp_path: Path) -> None:
    made = forms.oxford_pets()
    made.files = {name: data for name, data in made.files.items() if not name.startswith("images/")}
    made.picture("images/Abyssinian_1.jpg")
    assert "images.tar.gz" in decision(made.at(tmp_path)).refusal


def test_the_archives_of_pets_are_read_as_they_are(tmp_path: Path) -> None:
    made = forms.oxford_pets()
    for folder in ("images", "annotations"):
        files = {name: data for name, data in made.files.items() if name.startswith(f"{folder}/")}
        tarred(tmp_path / f"{folder}.tar.gz", files, "w:gz")
    assert values(read(tmp_path)) == expected(made)


def test_the_archives_of_dogs_are_read_as_they_are(tmp_path: Path) -> None:
    made = forms.stanford_dogs()
    lists = {name: data for name, data in made.files.items() if name.endswith(".mat")}
    tarred(tmp_path / "images.tar", {name: data for name, data in made.files.items() if name.startswith("Images/")})
    tarred(tmp_path / "lists.tar", lists)
    assert values(read(tmp_path)) == expected(made)


@pytest.mark.parametrize("form", [forms.oxford_flowers, forms.stanford_cars])
def test_archives_beside_mat_files_are_named(form: Callable[[], Made], tmp_path: Path) -> None:
    made = form()
    spread(tmp_path, {name: data for name, data in made.files.items() if name.endswith(".mat")})
    tarred(tmp_path / "pictures.tgz", {name: data for name, data in made.files.items() if name.endswith("jpg")}, "w:gz")
    assert "1 archive (pictures.tgz); unpack them there" in decision(tmp_path).refusal


@pytest.mark.parametrize("form", [forms.celeba, forms.celeba_kaggle])
def test_one_attribute_of_celeba_is_the_label(form: Callable[[], Made], tmp_path: Path) -> None:
    made = form()
    parts = read(made.at(tmp_path), label="Smiling")
    assert parts.classes == ("-1", "1")
    assert values(parts) == expected(made)
    with pytest.raises(DataError, match="did you mean Smiling"):
        decision(tmp_path, label="Smilin")


def test_caltechs_background_is_named_and_can_be_left_aside(tmp_path: Path) -> None:
    source = forms.caltech101().at(tmp_path)
    assert "`ignore=BACKGROUND_Google`" in notes(source)
    assert read(source, ignore="BACKGROUND_Google").classes == ("accordion", "Faces")


def test_stl10_is_read_from_its_columns_of_pixels(tmp_path: Path) -> None:
    made = forms.stl10()
    for source in (made.at(tmp_path / "folder"), made.tar(tmp_path / "stl10_binary.tar")):
        parts = read(source)
        assert claim(source).layout == "stl10"
        assert parts.classes[:3] == ("airplane", "bird", "car")
        assert {split: images.labels.tolist() for split, images in parts.splits.items()} == {
            "train": [1, 9, 0, 1],
            "test": [1, 9, 0],
        }
        stored = np.frombuffer(made.files["stl10_binary/test_X.bin"], np.uint8).reshape(3, 3, 96, 96)
        assert (parts.splits["test"].images[1, 5, 70] == stored[1, :, 70, 5]).all()
        assert "2 pictures of stl10_binary/unlabeled_X.bin have no labels" in "\n".join(parts.notes)


def test_stl10_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    made = forms.stl10()
    made.files["stl10_binary/train_X.bin"] = made.files["stl10_binary/train_X.bin"][:-5]
    assert "27,648 bytes" in decision(made.at(tmp_path)).refusal


def test_cars_whose_list_is_of_other_pictures_are_refused(tmp_path: Path) -> None:
    made = forms.stanford_cars_one_list()
    made.files = {name.replace("car_ims/0", "cars_train/cars_train/"): data for name, data in made.files.items()}
    assert "cars_train_annos.mat" in decision(made.at(tmp_path)).refusal


def test_cars_without_labels_for_the_test_are_left_aside(tmp_path: Path) -> None:
    made = forms.stanford_cars()
    del made.files["cars_test_annos_withlabels.mat"]
    del made.expected["test"]
    source = made.at(tmp_path)
    assert values(read(source)) == expected(made)
    assert "6 pictures without labels ignored (`sightlab predict` takes them)" in notes(source)


@pytest.mark.parametrize(
    "form", [forms.oxford_flowers, forms.stanford_dogs, forms.stanford_cars], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("spoilt", [b"", b"MATLAB 7.3 MAT-file", b"\0" * 400, "half"])
def test_damaged_mat_files_are_refused_by_name(form: Callable[[], Made], spoilt: bytes | str, tmp_path: Path) -> None:
    made = form()
    broken = [name for name in made.files if name.endswith(".mat") and "meta" not in name]
    for name in broken:
        data = made.files[name]
        made.files[name] = spoilt if isinstance(spoilt, bytes) else data[: len(data) // 2]
    refusal = decision(made.at(tmp_path)).refusal
    assert ".mat" in refusal
    assert "\n" not in refusal


def test_cub_lists_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    made = forms.cub()
    made.text("CUB_200_2011/image_class_labels.txt", "1 1", "2 1")
    assert "images.txt: image 3 has no label or split" in decision(made.at(tmp_path)).refusal


def test_words_that_a_form_cannot_honour_are_refused(tmp_path: Path) -> None:
    source = forms.cub().at(tmp_path)
    with pytest.raises(DataError, match="`layout=cub` takes no `label=`"):
        decision(source, layout="cub", label="species")


def test_a_zip_of_flowers_reads_its_mat_files(tmp_path: Path) -> None:
    made = forms.oxford_flowers()
    assert values(read(zipped(tmp_path / "flowers.zip", made.files))) == expected(made)


def test_folders_above_and_around_are_looked_through(tmp_path: Path) -> None:
    made = forms.oxford_pets()
    spread(tmp_path / "data" / "oxford-iiit-pet", made.files)
    assert values(read(tmp_path)) == expected(made)
