"""Well-known public picture sets, made small: their folders, lists and names, with pictures of one value each."""

import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from tests.picture_files import flat, spread, tarred

WNIDS = ("n02085620", "n02123045", "n01443537")
Form = Callable[[], "Made"]


class Made:
    """Files, and what reading them must give: the values of the pictures by split and class."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.expected: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.values = itertools.count(1)

    def picture(self, name: str, split: str = "", label: str = "") -> None:
        """A new picture; one that no split is said of must be ignored."""
        value = next(self.values)
        assert value < 256
        self.files[name] = flat(value)
        if split:
            self.expected[split][label].append(value)

    def pictures(self, names: Iterable[str], split: str = "", label: str = "") -> None:
        for name in names:
            self.picture(name, split, label)

    def text(self, name: str, *lines: str, end: str = "\n") -> None:
        self.files[name] = "".join(line + end for line in lines).encode()

    def mat(self, name: str, **variables: Any) -> None:
        stream = io.BytesIO()
        savemat(stream, variables)
        self.files[name] = stream.getvalue()

    def at(self, root: Path) -> Path:
        return spread(root, self.files)

    def tar(self, path: Path) -> Path:
        return tarred(path, self.files)


def cells(texts: Iterable[str]) -> Any:
    """MATLAB's cell array of texts, a column as it has them."""
    every = list(texts)
    found = np.empty((len(every), 1), object)
    found[:, 0] = every
    return found


def structs(rows: list[dict[str, Any]]) -> Any:
    """MATLAB's array of structures."""
    found = np.empty((1, len(rows)), [(key, object) for key in rows[0]])
    for place, row in enumerate(rows):
        found[0, place] = tuple(row.values())
    return found


def boxes(name: str, n: int) -> str:
    return "\t".join((name, *map(str, (n % 2, 0, 30 + n % 2, 31))))


def tiny_imagenet() -> Made:
    made = Made()
    for wnid in WNIDS:
        names = [f"{wnid}_{n}.JPEG" for n in range(4)]
        made.pictures((f"tiny-imagenet-200/train/{wnid}/images/{name}" for name in names), "train", wnid)
        made.text(f"tiny-imagenet-200/train/{wnid}/{wnid}_boxes.txt", *(boxes(name, n) for n, name in enumerate(names)))
    labels = [WNIDS[n % 3] for n in range(6)]
    for n, wnid in enumerate(labels):
        made.picture(f"tiny-imagenet-200/val/images/val_{n}.JPEG", "validation", wnid)
    lines = (f"val_{n}.JPEG\t{wnid}\t{n % 2}\t1\t{30 + n % 2}\t31" for n, wnid in enumerate(labels))
    made.text("tiny-imagenet-200/val/val_annotations.txt", *lines)
    made.pictures(f"tiny-imagenet-200/test/images/test_{n}.JPEG" for n in range(5))
    made.text("tiny-imagenet-200/wnids.txt", *WNIDS)
    made.text(
        "tiny-imagenet-200/words.txt",
        "n00001740\tentity",
        *(f"{w}\tword of {i}, more" for i, w in zip("abc", WNIDS, strict=True)),
    )
    return made


def tiny_imagenet_train() -> Made:
    whole, made = tiny_imagenet(), Made()
    made.files = {name.partition("/train/")[2]: data for name, data in whole.files.items() if "/train/" in name}
    made.expected = {"all": whole.expected["train"]}
    return made


def tiny_imagenet_val() -> Made:
    whole, made = tiny_imagenet(), Made()
    made.files = {name.partition("/val/")[2]: data for name, data in whole.files.items() if "/val/" in name}
    made.expected = {"validation": whole.expected["validation"]}
    return made


def imagenet_kaggle(top: str = "ILSVRC/Data/CLS-LOC/") -> Made:
    made = Made()
    for wnid in WNIDS:
        made.pictures((f"{top}train/{wnid}/{wnid}_{n}.JPEG" for n in range(4)), "train", wnid)
    labels = [WNIDS[n % 3] for n in range(1, 8)]
    for n, wnid in enumerate(labels, 1):
        made.picture(f"{top}val/ILSVRC2012_val_{n:08}.JPEG", "validation", wnid)
    made.pictures(f"{top}test/ILSVRC2012_test_{n:08}.JPEG" for n in range(1, 6))
    box = ("111 108 441 193", "70 142 285 250 {} 16 142 300 250")
    made.text(
        "LOC_val_solution.csv",
        "ImageId,PredictionString",
        *(f"ILSVRC2012_val_{n:08},{wnid} {box[n % 2].format(wnid)} " for n, wnid in enumerate(labels, 1)),
    )
    made.text(
        "LOC_train_solution.csv",
        "ImageId,PredictionString",
        *(f"{wnid}_{n},{wnid} 1 2 3 4 " for wnid in WNIDS for n in range(4)),
    )
    made.text("LOC_synset_mapping.txt", *(f"{wnid} thing of {i}, other" for i, wnid in zip("abc", WNIDS, strict=True)))
    samples = (f"ILSVRC2012_test_{n:08},{WNIDS[0]} 0 0 100 100" for n in range(1, 6))
    made.text("LOC_sample_submission.csv", "ImageId,PredictionString", *samples)
    return made


def imagenet_kaggle_whole() -> Made:
    """With the lists of pictures, each with its running number, and boxes in XML."""
    made = imagenet_kaggle()
    made.text("ILSVRC/ImageSets/CLS-LOC/val.txt", *(f"ILSVRC2012_val_{n:08} {n}" for n in range(1, 8)))
    made.text("ILSVRC/ImageSets/CLS-LOC/test.txt", *(f"ILSVRC2012_test_{n:08} {n}" for n in range(1, 6)))
    train = [f"{wnid}/{wnid}_{n}" for wnid in WNIDS for n in range(4)]
    made.text("ILSVRC/ImageSets/CLS-LOC/train_cls.txt", *(f"{name} {n}" for n, name in enumerate(train, 1)))
    for n in range(1, 8):
        made.text(f"ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_{n:08}.xml", "<annotation></annotation>")
    return made


def imagenet_flat_val() -> Made:
    made = imagenet_kaggle("")
    made.files = {name: data for name, data in made.files.items() if not name.startswith(("test/", "LOC_sample"))}
    return made


def imagenet_caffe() -> Made:
    """The training folders, and Caffe's val.txt, which numbers classes by the lines of synset_words.txt."""
    made = imagenet_kaggle("")
    made.files = {name: data for name, data in made.files.items() if not name.startswith(("LOC_", "test/"))}
    places = sorted(WNIDS)
    labels = [places.index(WNIDS[n % 3]) for n in range(1, 8)]
    made.text("val.txt", *(f"ILSVRC2012_val_{n:08}.JPEG {place}" for n, place in enumerate(labels, 1)))
    made.text("synset_words.txt", *(f"{wnid} a thing, another" for wnid in places))
    return made


def imagenet_devkit() -> Made:
    made = Made()
    ids = {WNIDS[0]: 3, WNIDS[1]: 1, WNIDS[2]: 2}  # the kit's own order, not the alphabet's
    for wnid in WNIDS:
        made.pictures((f"ILSVRC2012_img_train/{wnid}/{wnid}_{n}.JPEG" for n in range(4)), "train", wnid)
    labels = [WNIDS[n * n % 3] for n in range(1, 7)]
    for n, wnid in enumerate(labels, 1):
        made.picture(f"ILSVRC2012_img_val/ILSVRC2012_val_{n:08}.JPEG", "validation", wnid)
    kit = "ILSVRC2012_devkit_t12/data"
    made.text(f"{kit}/ILSVRC2012_validation_ground_truth.txt", *(str(ids[wnid]) for wnid in labels))
    made.mat(
        f"{kit}/meta.mat",
        synsets=structs([{"ILSVRC2012_ID": float(n), "WNID": wnid, "words": "a, b"} for wnid, n in ids.items()]),
    )
    return made


def places365() -> Made:
    """The large pictures' form: class folders under their letters, flat validation pictures with numbers."""
    made = Made()
    classes = ["airfield", "apartment_building/outdoor", "barn", "beach"]
    for text in classes:
        made.pictures((f"data_256/{text[0]}/{text}/0000000{n}.jpg" for n in range(3)), "train", text)
    labels = [classes[n % 4] for n in range(8)]
    for n, text in enumerate(labels, 1):
        made.picture(f"val_256/Places365_val_{n:08}.jpg", "validation", text)
    made.pictures(f"test_256/Places365_test_{n:08}.jpg" for n in range(3))
    made.text("categories_places365.txt", *(f"/{text[0]}/{text} {n}" for n, text in enumerate(classes)))
    lines = (f"Places365_val_{n:08}.jpg {classes.index(text)}" for n, text in enumerate(labels, 1))
    made.text("places365_val.txt", *lines)
    return made


def sun397() -> Made:
    made = Made()
    for text in ("abbey", "bakery/shop", "barn"):
        made.pictures((f"SUN397/{text[0]}/{text}/sun_{text[0]}{n}{len(text)}.jpg" for n in range(3)), "all", text)
    made.text("SUN397/ClassName.txt", "/a/abbey", "/b/bakery/shop", "/b/barn")
    return made


def gtsrb_kaggle() -> Made:
    made = Made()
    heading = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"
    train, test = [], []
    for label in range(12):
        for n in range(2):
            path = f"Train/{label}/{label:05}_00000_{n:05}.png"
            made.picture(path, "train", str(label))
            train.append(f"29,30,5,6,24,25,{label},{path}")
    for n in range(9):
        made.picture(f"Test/{n:05}.png", "test", str(n * 5 % 12))
        test.append(f"53,54,{n % 7},5,48,49,{n * 5 % 12},Test/{n:05}.png")
    made.pictures(f"Meta/{label}.png" for label in range(12))
    made.text("Train.csv", heading, *train, end="\r\n")
    made.text("Test.csv", heading, *test, end="\r\n")
    made.text("Meta.csv", "Path,ClassId,ShapeId,ColorId,SignId", *(f"Meta/{n}.png,{n},1,0,3.29" for n in range(12)))
    return made


def gtsrb_without_tables() -> Made:
    made = gtsrb_kaggle()
    made.files = {name: data for name, data in made.files.items() if name.endswith(".png")}
    return made


def gtsrb_original(training: str = "GTSRB/Final_Training/Images", truth: str = "") -> Made:
    """As the institute's archives unpack: GT-00000.csv in each class folder, GT-final_test.csv for the test."""
    made = Made()
    heading = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2"
    for label in range(4):
        names = [f"00000_{n:05}.ppm" for n in range(3)]
        made.pictures((f"{training}/{label:05}/{name}" for name in names), "train", f"{label:05}")
        lines = (f"{name};29;30;5;6;24;25;{label}" for name in names)
        made.text(f"{training}/{label:05}/GT-{label:05}.csv", f"{heading};ClassId", *lines, end="\r\n")
    for n in range(6):
        made.picture(f"GTSRB/Final_Test/Images/{n:05}.ppm", "test", f"{n * 3 % 4:05}")
    lines = (f"{n:05}.ppm;53;54;6;5;48;49;{n * 3 % 4}" for n in range(6))
    made.text(f"{truth}GT-final_test.csv", f"{heading};ClassId", *lines, end="\r\n")
    bare = (f"{n:05}.ppm;53;54;6;5;48;49" for n in range(6))
    made.text("GTSRB/Final_Test/Images/GT-final_test.test.csv", heading, *bare, end="\r\n")
    return made


def gtsrb_torchvision() -> Made:
    return gtsrb_original("GTSRB/Training")


def cub() -> Made:
    made = Made()
    classes = ["001.Black_footed_Albatross", "002.Laysan_Albatross"]
    images, labels, split = [], [], []
    for place, text in enumerate(classes, 1):
        for n in range(6):
            name, number, train = f"{text}/{text[4:]}_{n:04}_{n}.jpg", 6 * place - 5 + n, n % 2
            made.picture(f"CUB_200_2011/images/{name}", "train" if train else "test", text)
            images.append(f"{number} {name}")
            labels.append(f"{number} {place}")
            split.append(f"{number} {train}")
    made.text("CUB_200_2011/images.txt", *images)
    made.text("CUB_200_2011/image_class_labels.txt", *labels)
    made.text("CUB_200_2011/train_test_split.txt", *split)
    made.text("CUB_200_2011/classes.txt", *(f"{n} {text}" for n, text in enumerate(classes, 1)))
    made.text("CUB_200_2011/bounding_boxes.txt", *(f"{n} 60.0 27.0 325.0 304.0" for n in range(1, 13)))
    made.text("CUB_200_2011/attributes/image_attribute_labels.txt", *(f"{n} 1 0 3 27.7" for n in range(1, 13)))
    made.text("attributes.txt", "1 has_bill_shape::curved_(up_or_down)", "2 has_bill_shape::dagger")
    for text in classes:
        made.pictures(f"segmentations/{text}/{text[4:]}_{n:04}_{n}.png" for n in range(6))
    return made


def nabirds() -> Made:
    """The same lists, with sparse numbers and class folders that are called by them."""
    made = Made()
    images, labels, split = [], [], []
    for number, text in ((817, "Oak Titmouse"), (295, "Common Eider (Adult male)")):
        for n in range(4):
            key = f"00{number}-{n}"
            made.picture(f"images/{number:04}/{key}.jpg", "train" if n < 2 else "test", text)
            images.append(f"{key} {number:04}/{key}.jpg")
            labels.append(f"{key} {number}")
            split.append(f"{key} {int(n < 2)}")
    made.text("images.txt", *images)
    made.text("image_class_labels.txt", *labels)
    made.text("train_test_split.txt", *split)
    made.text("classes.txt", "0 Birds", "295 Common Eider (Adult male)", "817 Oak Titmouse")
    return made


def oxford_pets() -> Made:
    made = Made()
    lines: dict[str, list[str]] = {"train": [], "test": []}
    breeds = (("Abyssinian", 1, 1, 1), ("american_bulldog", 2, 2, 1), ("Bengal", 3, 1, 2))
    for breed, *numbers in breeds:
        for n in (1, 2, 10, 100):
            split = "train" if n < 10 else "test"
            made.picture(f"images/{breed}_{n}.jpg", split, breed)
            made.picture(f"annotations/trimaps/{breed}_{n}.png")
            made.text(f"annotations/xmls/{breed}_{n}.xml", "<annotation/>")
            lines[split].append(" ".join(map(str, (f"{breed}_{n}", *numbers))))
    made.files["images/Abyssinian_100.mat"] = b"MATLAB 5.0 MAT-file, unread"
    made.text(
        "annotations/list.txt",
        "#Image CLASS-ID SPECIES BREED ID",
        "#ID: 1:37 Class ids",
        *lines["train"],
        *lines["test"],
    )
    made.text("annotations/trainval.txt", *lines["train"])
    made.text("annotations/test.txt", *lines["test"])
    made.text("annotations/README", "a text of some words")
    return made


def oxford_flowers() -> Made:
    made = Made()
    numbers = [77, 77, 77, 2, 2, 2, 102, 102, 102]
    splits = {"trnid": [1, 4, 7], "valid": [2, 5, 8], "tstid": [9, 6, 3]}
    words = {
        place: split
        for split, own in zip(("train", "validation", "test"), splits.values(), strict=True)
        for place in own
    }
    for place, number in enumerate(numbers, 1):
        made.picture(f"jpg/image_{place:05}.jpg", words[place], str(number))
    made.mat("imagelabels.mat", labels=np.array([numbers], np.uint8))
    made.mat("setid.mat", **{key: np.array([own], np.uint16) for key, own in splits.items()})
    return made


def food101() -> Made:
    made = Made()
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for text in ("apple_pie", "ramen"):
        for n in range(6):
            split = "train" if n % 3 else "test"
            made.picture(f"food-101/images/{text}/100{n}.jpg", split, text)
            lists[split].append(f"{text}/100{n}")
    made.text("food-101/meta/train.txt", *lists["train"])
    made.text("food-101/meta/test.txt", *lists["test"])
    made.text("food-101/meta/classes.txt", "apple_pie", "ramen")
    made.text("food-101/meta/labels.txt", "Apple pie", "Ramen")
    made.text("food-101/meta/train.json", '{"ramen": ["ramen/1001"]}')
    made.text("food-101/README.txt", "Food-101 Data Set", "", "This is the data set of a paper.")
    return made


def dtd() -> Made:
    made = Made()
    names = [f"{text}/{text}_{n:04}.jpg" for text in ("banded", "dotted") for n in range(6)]
    for n, name in enumerate(names):
        made.picture(f"dtd/images/{name}", ("train", "validation", "test")[n % 3], name.partition("/")[0])
    for number in range(1, 11):
        for place, split in enumerate(("train", "val", "test")):
            own = [name for n, name in enumerate(names) if (n + number - 1) % 3 == place]
            made.text(f"dtd/labels/{split}{number}.txt", *own)
    made.text("dtd/labels/labels_joint_anno.txt", *(f"{name} {name.partition('/')[0]} lined" for name in names))
    return made


def indoor67() -> Made:
    made = Made()
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for text in ("airport_inside", "living room"):
        for n in range(6):
            split = ("train", "test", "")[n % 3]
            made.picture(f"Images/{text}/{text} {n}.jpg", split, text)
            if split:
                lists[split].append(f"{text}/{text} {n}.jpg")
    made.text("TrainImages.txt", *lists["train"])
    made.text("TestImages.txt", *lists["test"])
    return made


def stanford_dogs() -> Made:
    made = Made()
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for text in ("n02085620-Chihuahua", "n02085782-Japanese_spaniel"):
        for n in range(4):
            name = f"{text}/{text[:9]}_{n}"
            made.picture(f"Images/{name}.jpg", "train" if n < 2 else "test", text)
            made.text(f"Annotation/{name}", "<annotation><object><name>Chihuahua</name></object></annotation>")
            lists["train" if n < 2 else "test"].append(f"{name}.jpg")
    for split, own in lists.items():
        made.mat(f"{split}_list.mat", file_list=cells(own), labels=np.ones((len(own), 1)))
    made.mat("file_list.mat", file_list=cells(lists["train"] + lists["test"]), labels=np.ones((8, 1)))
    return made


def stanford_cars() -> Made:
    made = Made()
    names = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Ram C/V Cargo Van Minivan 2012"]
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for split, own in rows.items():
        for n in range(1, 7):
            made.picture(f"cars_{split}/{n:05}.jpg", split, names[n * n % 3])
            own.append(
                {"bbox_x1": 1, "bbox_y1": 2, "bbox_x2": 3, "bbox_y2": 4, "class": n * n % 3 + 1, "fname": f"{n:05}.jpg"}
            )
    made.mat("devkit/cars_train_annos.mat", annotations=structs(rows["train"]))
    bare = [{key: value for key, value in row.items() if key != "class"} for row in rows["test"]]
    made.mat("devkit/cars_test_annos.mat", annotations=structs(bare))
    made.mat("devkit/cars_meta.mat", class_names=cells(names).T)
    made.mat("cars_test_annos_withlabels.mat", annotations=structs(rows["test"]))
    made.expected["test"] = {text: made.expected["test"][text] for text in names if made.expected["test"][text]}
    return made


def stanford_cars_one_list() -> Made:
    made = Made()
    names = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012"]
    rows = []
    for n in range(1, 9):
        made.picture(f"car_ims/{n:06}.jpg", "test" if n > 4 else "train", names[n % 2])
        rows.append({"relative_im_path": f"car_ims/{n:06}.jpg", "class": n % 2 + 1, "test": int(n > 4)})
    made.mat("cars_annos.mat", annotations=structs(rows), class_names=cells(names).T)
    return made


def fgvc_aircraft() -> Made:
    made = Made()
    variants = [
        ("Boeing 707-320", "Boeing 707", "Boeing"),
        ("F/A-18", "F/A-18", "McDonnell Douglas"),
        ("C-47", "DC-3", "Douglas Aircraft Company"),
    ]
    lists: dict[str, list[str]] = defaultdict(list)
    for place, levels in enumerate(variants):
        for n, split in enumerate(("train", "val", "test")):
            number = f"00{place}{n}309"
            made.picture(f"data/images/{number}.jpg", {"val": "validation"}.get(split, split), levels[0])
            for level, text in zip(("variant", "family", "manufacturer"), levels, strict=True):
                lists[f"images_{level}_{split}"].append(f"{number} {text}")
                if split != "test":
                    lists[f"images_{level}_trainval"].append(f"{number} {text}")
            lists[f"images_{split}"].append(number)
            lists["images_box"].append(f"{number} 3 144 998 431")
    for name, lines in lists.items():
        made.text(f"data/{name}.txt", *lines)
    for level, names in zip(("variants", "families", "manufacturers"), zip(*variants, strict=True), strict=True):
        made.text(f"data/{level}.txt", *names)
    return made


def stl10() -> Made:
    """Pictures of which every value tells channel, row and column apart."""
    made = Made()
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", 3)):
        made.files[f"stl10_binary/{split}_X.bin"] = rng.integers(0, 256, (count, 3, 96, 96), np.uint8).tobytes()
        made.files[f"stl10_binary/{split}_y.bin"] = bytes([2, 10, 1, 2][:count])
    made.files["stl10_binary/unlabeled_X.bin"] = bytes(2 * 27648)
    names = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    made.text("stl10_binary/class_names.txt", *names)
    made.text("stl10_binary/fold_indices.txt", "0 1", "2 3")
    return made


def celeba(text: bool = True) -> Made:
    made = Made()
    names = ["5_o_Clock_Shadow", "Male", "Smiling"]
    rows = []
    for n in range(1, 10):
        made.picture(f"img_align_celeba/{n:06}.jpg", ("train", "validation", "test")[n % 3], "1" if n > 4 else "-1")
        rows.append([f"{n:06}.jpg", "-1", "1", "1" if n > 4 else "-1"])
    if text:
        made.text("list_attr_celeba.txt", "9", " ".join(names) + " ", *("  ".join(row) for row in rows))
        made.text("list_eval_partition.txt", *(f"{n:06}.jpg {n % 3}" for n in range(1, 10)))
        made.text("identity_CelebA.txt", *(f"{n:06}.jpg {n % 4}" for n in range(1, 10)))
        made.text(
            "list_bbox_celeba.txt",
            "9",
            "image_id x_1 y_1 width height",
            *(f"{n:06}.jpg    95  71 226 313" for n in range(1, 10)),
        )
    else:
        made.text("list_attr_celeba.csv", ",".join(["image_id", *names]), *(",".join(row) for row in rows))
        made.text("list_eval_partition.csv", "image_id,partition", *(f"{n:06}.jpg,{n % 3}" for n in range(1, 10)))
    return made


def celeba_kaggle() -> Made:
    made = celeba(text=False)
    made.files = {
        f"img_align_celeba/{name}" if name.endswith("jpg") else name: data for name, data in made.files.items()
    }
    return made


def caltech101() -> Made:
    made = Made()
    for text in ("BACKGROUND_Google", "Faces", "accordion"):
        made.pictures((f"101_ObjectCategories/{text}/image_{n:04}.jpg" for n in range(1, 4)), "all", text)
    made.files["Annotations/accordion/annotation_0001.mat"] = b"MATLAB 5.0 MAT-file, unread"
    return made


def caltech256() -> Made:
    made = Made()
    for text in ("001.ak47", "002.american-flag", "257.clutter"):
        made.pictures((f"256_ObjectCategories/{text}/{text[:3]}_{n:04}.jpg" for n in range(1, 4)), "all", text)
    return made


def pascal_voc() -> Made:
    made = Made()
    for n in range(6):
        made.picture(f"VOCdevkit/VOC2012/JPEGImages/2007_{n:06}.jpg")
        made.text(f"VOCdevkit/VOC2012/Annotations/2007_{n:06}.xml", "<annotation/>")
    made.pictures(f"VOCdevkit/VOC2012/SegmentationClass/2007_{n:06}.png" for n in range(3))
    made.pictures(f"VOCdevkit/VOC2012/SegmentationObject/2007_{n:06}.png" for n in range(3))
    main = "VOCdevkit/VOC2012/ImageSets/Main"
    for split, numbers in (("train", (0, 1, 2)), ("val", (3, 4, 5))):
        made.text(f"{main}/{split}.txt", *(f"2007_{n:06}" for n in numbers))
        made.text(f"{main}/dog_{split}.txt", *(f"2007_{n:06} {'-1' if n % 2 else ' 1'}" for n in numbers))
    return made


def svhn_numbers() -> Made:
    made = Made()
    for split in ("train", "test"):
        made.pictures(f"{split}/{n}.png" for n in range(1, 5))
        made.files[f"{split}/digitStruct.mat"] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
    return made


def class_folders(made: Made, split: str, *roots: str, classes: Iterable[str] = ("cat", "dog"), each: int = 3) -> None:
    """Class folders in one or several places."""
    for root in roots:
        for text in classes:
            made.pictures((f"{root}{text}/{n}.jpg" for n in range(each)), split, text)


def intel() -> Made:
    """seg_pred holds pictures to classify."""
    made = Made()
    class_folders(made, "train", "seg_train/seg_train/", classes=("buildings", "forest"))
    class_folders(made, "test", "seg_test/seg_test/", classes=("buildings", "forest"))
    made.pictures(f"seg_pred/seg_pred/{n}.jpg" for n in range(3))
    return made


def chest_xray() -> Made:
    made = Made()
    for folder, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        class_folders(made, split, f"chest_xray/{folder}/", classes=("NORMAL", "PNEUMONIA"))
    return made


def cinic10() -> Made:
    made = Made()
    for folder, split in (("train", "train"), ("valid", "validation"), ("test", "test")):
        class_folders(made, split, f"{folder}/", classes=("airplane", "automobile"))
    made.text("README.md", "# CINIC-10")
    return made


def imagenette() -> Made:
    """noisy_imagenette.csv tells labels that are wrong on purpose, beside the folders."""
    made, rows = Made(), []
    for folder, split in (("train", "train"), ("val", "validation")):
        for place, wnid in enumerate(sorted(WNIDS)):
            for n in range(4):
                name = f"{folder}/{wnid}/{wnid}_{n}.JPEG"
                made.picture(f"imagenette2/{name}", split, wnid)
                noisy = sorted(WNIDS)[(place + (n == 0)) % 3]
                rows.append(",".join((name, wnid, wnid, noisy, noisy, noisy, str(folder == "val"))))
    heading = "path,noisy_labels_0,noisy_labels_1,noisy_labels_5,noisy_labels_25,noisy_labels_50,is_valid"
    made.text("imagenette2/noisy_imagenette.csv", heading, *rows)
    return made


def seedlings() -> Made:
    """Class folders for training, and a sample submission that gives all test pictures one class."""
    made = Made()
    class_folders(made, "train", "train/", classes=("Charlock", "Sugar beet"))
    made.pictures(f"test/{n}.png" for n in range(4))
    made.text("sample_submission.csv", "file,species", *(f"{n}.png,Sugar beet" for n in range(4)))
    return made


def state_farm() -> Made:
    made, rows = Made(), []
    for text in ("c0", "c1", "c2"):
        for n in range(3):
            made.picture(f"imgs/train/{text}/img_{text}{n}.jpg", "train", text)
            rows.append(f"p00{n},{text},img_{text}{n}.jpg")
    made.pictures(f"imgs/test/img_{n}.jpg" for n in range(1, 6))
    made.text("driver_imgs_list.csv", "subject,classname,img", *rows)
    made.text("sample_submission.csv", "img,c0,c1,c2", *(f"img_{n}.jpg,0.1,0.1,0.1" for n in range(1, 6)))
    return made


def ham10000() -> Made:
    made, rows = Made(), []
    for n in range(16):
        label, kind = ("nv", "mel", "bkl", "df")[n % 4], "histo" if n % 3 else "consensus"
        made.picture(f"HAM10000_images_part_{1 + n // 8}/ISIC_00243{n:02}.jpg", "all", label)
        rows.append(f"HAM_0000{n // 2:03},ISIC_00243{n:02},{label},{kind},{40 + 5 * (n % 5)}.0,male,back")
    made.text("HAM10000_metadata.csv", "lesion_id,image_id,dx,dx_type,age,sex,localization", *rows)
    return made


def cassava() -> Made:
    made, rows = Made(), []
    names = ("Cassava Bacterial Blight (CBB)", "Cassava Brown Streak Disease (CBSD)", "Healthy")
    for n in range(12):
        made.picture(f"train_images/100{n:02}.jpg", "train", names[n % 3])
        rows.append(f"100{n:02}.jpg,{n % 3}")
    made.pictures(f"test_images/221{n}.jpg" for n in range(3))
    made.text("train.csv", "image_id,label", *rows)
    made.text("sample_submission.csv", "image_id,label", *(f"221{n}.jpg,2" for n in range(3)))
    made.text("label_num_to_disease_map.json", "{" + ", ".join(f'"{n}": "{t}"' for n, t in enumerate(names)) + "}")
    return made


def kaggle_ids(table: str, heading: str, train: str, test: str, labels: tuple[str, ...]) -> Made:
    """Pictures called by ids, a table of ids without suffix, and a sample submission of the test pictures' ids."""
    made, rows = Made(), []
    for n in range(12):
        made.picture(f"{train}/a{n:02}f.png", "train", labels[n % len(labels)])
        rows.append(f"a{n:02}f,{labels[n % len(labels)]}")
    made.pictures(f"{test}/b{n}e.png" for n in range(4))
    made.text(table, heading, *rows)
    made.text("sample_submission.csv", heading, *(f"b{n}e,{labels[0]}" for n in range(4)))
    return made


def dog_breeds() -> Made:
    """The sample submission has a column of probabilities for each breed."""
    made = kaggle_ids("labels.csv", "id,breed", "train", "test", ("boston_bull", "dingo", "pekinese"))
    made.text("sample_submission.csv", "id,boston_bull,dingo,pekinese", *(f"b{n}e,0.3,0.3,0.4" for n in range(4)))
    return made


def aptos() -> Made:
    made = kaggle_ids("train.csv", "id_code,diagnosis", "train_images", "test_images", ("0", "1", "2", "4"))
    made.text("test.csv", "id_code", *(f"b{n}e" for n in range(4)))
    return made


def histopathology() -> Made:
    return kaggle_ids("train_labels.csv", "id,label", "train", "test", ("0", "1"))


def cifar_kaggle() -> Made:
    made, rows = Made(), []
    labels = ("frog", "truck", "deer")
    for n in range(1, 13):
        made.picture(f"train/{n}.png", "train", labels[n % 3])
        rows.append(f"{n},{labels[n % 3]}")
    made.pictures(f"test/{n}.png" for n in range(1, 6))
    made.text("trainLabels.csv", "id,label", *rows)
    made.text("sampleSubmission.csv", "id,label", *(f"{n},cat" for n in range(1, 6)))
    return made


def plant_pathology() -> Made:
    made, rows = Made(), []
    names = ("healthy", "multiple_diseases", "rust", "scab")
    for n in range(12):
        made.picture(f"images/Train_{n}.jpg", "train", names[n % 4])
        rows.append(",".join((f"Train_{n}", *("1" if place == n % 4 else "0" for place in range(4)))))
    made.pictures(f"images/Test_{n}.jpg" for n in range(4))
    made.text("train.csv", "image_id," + ",".join(names), *rows)
    made.text("test.csv", "image_id", *(f"Test_{n}" for n in range(4)))
    answers = (f"Test_{n},0.25,0.25,0.25,0.25" for n in range(4))
    made.text("sample_submission.csv", "image_id," + ",".join(names), *answers)
    return made


def isic2019() -> Made:
    made, rows = Made(), []
    names = ("MEL", "NV", "BCC", "UNK")
    for n in range(12):
        made.picture(f"ISIC_2019_Training_Input/ISIC_2019_Training_Input/ISIC_00000{n:02}.jpg", "train", names[n % 3])
        rows.append(",".join((f"ISIC_00000{n:02}", *("1.0" if place == n % 3 else "0.0" for place in range(4)))))
    made.text("ISIC_2019_Training_GroundTruth.csv", "image," + ",".join(names), *rows)
    lines = (f"ISIC_00000{n:02},{55 + n % 3}.0,anterior torso,,female" for n in range(12))
    made.text("ISIC_2019_Training_Metadata.csv", "image,age_approx,anatom_site_general,lesion_id,sex", *lines)
    return made


def mini_imagenet() -> Made:
    """Made for few-shot learning: the splits share no class."""
    made = Made()
    for place, split in enumerate(("train", "val", "test")):
        rows = []
        for n in range(6):
            name = f"n0{place}{n % 2}0000{n:02}.jpg"
            made.picture(f"images/{name}")
            rows.append(f"{name},n0{place}{n % 2}")
        made.text(f"{split}.csv", "filename,label", *rows)
    return made


def chest_xray14() -> Made:
    made, rows = Made(), []
    labels = ("No Finding", "Cardiomegaly|Emphysema", "Emphysema", "Cardiomegaly")
    for n in range(12):
        made.picture(f"images_{1 + n // 6:03}/images/0000{n:04}_000.png")
        rows.append(f"0000{n:04}_000.png,{labels[n % 4]},0,{n},058Y,M,PA,2682,2749,0.143,0.143,")
    heading = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    made.text("Data_Entry_2017.csv", f"{heading},OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],", *rows)
    box = "00000002_000.png,Emphysema,225.0,547.0,86.7,79.1,,,"
    made.text("BBox_List_2017.csv", "Image Index,Finding Label,Bbox [x,y,w,h],,,", box)
    made.text("train_val_list.txt", *(f"0000{n:04}_000.png" for n in range(8)))
    made.text("test_list.txt", *(f"0000{n:04}_000.png" for n in range(8, 12)))
    return made


def fruits360() -> Made:
    made = Made()
    class_folders(made, "train", "fruits-360/Training/", classes=("Apple Braeburn", "Lemon"))
    class_folders(made, "test", "fruits-360/Test/", classes=("Apple Braeburn", "Lemon"))
    made.pictures(f"fruits-360/test-multiple_fruits/apples{n}.jpg" for n in range(3))
    return made


def plant_village() -> Made:
    made = Made()
    for variant in ("color", "grayscale", "segmented"):
        folder = f"plantvillage dataset/{variant}/"
        class_folders(made, "", folder, classes=("Tomato___healthy", "Tomato___Late_blight"))
    return made


def again(made: Made, folder: str, inside: str) -> Made:
    """All pictures of a folder once more in a folder inside it, as badly packed archives have them."""
    copies = {f"{folder}/{inside}/{name[len(folder) + 1 :]}": data for name, data in made.files.items()}
    made.files |= copies
    return made


def malaria() -> Made:
    made = Made()
    class_folders(made, "all", "cell_images/", classes=("Parasitized", "Uninfected"))
    return again(made, "cell_images", "cell_images")


def brain_tumour() -> Made:
    made = Made()
    class_folders(made, "all", "archive/", classes=("no", "yes"))
    return again(made, "archive", "brain_tumor_dataset")


def chest_xray_twice() -> Made:
    return again(chest_xray(), "chest_xray", "chest_xray")


def other_pictures_within() -> Made:
    """A folder beside the class folders holds folders of their names, with other pictures in them."""
    made = Made()
    for root in ("cell_images/", "cell_images/cell_images/"):
        class_folders(made, "", root, classes=("Parasitized", "Uninfected"))
    return made


def covid_radiography() -> Made:
    """Each class folder holds pictures and their masks."""
    made = Made()
    for text in ("COVID", "Normal"):
        made.pictures((f"COVID-19_Radiography_Dataset/{text}/images/{text}-{n}.png" for n in range(3)), "all", text)
        made.pictures(f"COVID-19_Radiography_Dataset/{text}/masks/{text}-{n}.png" for n in range(3))
    return made


def busi() -> Made:
    made = Made()
    for text in ("benign", "malignant"):
        for n in range(1, 4):
            made.picture(f"Dataset_BUSI_with_GT/{text}/{text} ({n}).png", "all", text)
            made.picture(f"Dataset_BUSI_with_GT/{text}/{text} ({n})_mask.png")
    return made


def dogs_vs_cats() -> Made:
    made = Made()
    for n in range(8):
        label = "dog" if n % 2 else "cat"
        made.picture(f"train/{label}.{n}.jpg", "train", label)
    made.pictures(f"test1/{n}.jpg" for n in range(1, 5))
    made.text("sampleSubmission.csv", "id,label", *(f"{n},0" for n in range(1, 5)))
    return made


def eurosat() -> Made:
    made = Made()
    class_folders(made, "all", "2750/", classes=("AnnualCrop", "Forest"))
    return made


def flower_folders() -> Made:
    """Kaggle's copy of the flowers: class folders called by numbers, test pictures without."""
    made = Made()
    class_folders(made, "train", "dataset/train/", classes=("1", "2", "10"))
    class_folders(made, "validation", "dataset/valid/", classes=("1", "2", "10"))
    made.pictures(f"dataset/test/image_0{n}.jpg" for n in range(3))
    made.text("cat_to_name.json", '{"1": "pink primrose", "10": "globe thistle", "2": "canterbury bells"}')
    return made


def gtsrb_twice() -> Made:
    """The folders once more under small letters, as Kaggle's archive has them."""
    made = gtsrb_kaggle()
    copies = {name[0].lower() + name[1:]: data for name, data in made.files.items() if name.endswith(".png")}
    made.files |= copies
    return made
