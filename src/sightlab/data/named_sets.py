"""The registry of data sets known by name: classes, files, checksums and URLs."""

from __future__ import annotations

from dataclasses import dataclass, field

DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
HIRAGANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

# Krizhevsky 2009: the 20 superclasses of CIFAR-100 and the five classes of each.
SUPERCLASSES = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium-sized_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
FINE = tuple(sorted(name for names in SUPERCLASSES.values() for name in names))


@dataclass(frozen=True)
class NamedSet:
    """A data set with a name.

    classes: in the order of its official label numbers. counts: images a split. files: name -> md5 of the official
    files; mirrors: where they are, tried in order. aliases: names that folders and archives of it are known by.
    repacked: name -> md5 of the same data compressed anew, as Debian's package dataset-fashion-mnist has it.
    A set without files has no published checksums: it is found on this machine by its name, never downloaded.
    """

    classes: tuple[str, ...]
    counts: dict[str, int]
    files: dict[str, str]
    mirrors: tuple[str, ...]
    aliases: tuple[str, ...]
    repacked: dict[str, str] = field(default_factory=dict)


def _idx_files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte.gz": train_images,
        "train-labels-idx1-ubyte.gz": train_labels,
        "t10k-images-idx3-ubyte.gz": test_images,
        "t10k-labels-idx1-ubyte.gz": test_labels,
    }


# Addresses and checksums of the idx files are torchvision's (a test compares them). CIFAR is taken in its binary
# version: the Python version that torchvision downloads is a pickle, and sightlab unpickles nothing from outside.
NAMED = {
    "fashion-mnist": NamedSet(
        FASHION,
        {"train": 60_000, "test": 10_000},
        _idx_files(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        ("fashion-mnist", "fashion_mnist", "fashionmnist"),
        _idx_files(
            "cf8536b0aa1a6ac5fa3f23001093305c",
            "10bea18fdb374794d4bb42e356e600c9",
            "f78720b4224f21cce2f2ccf2d7a94c9a",
            "0d30e22e447f3c33dab9ed536400ac01",
        ),
    ),
    "kmnist": NamedSet(
        HIRAGANA,
        {"train": 60_000, "test": 10_000},
        _idx_files(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        ("kmnist",),
    ),
    "mnist": NamedSet(
        DIGITS,
        {"train": 60_000, "test": 10_000},
        _idx_files(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
        ("mnist",),
    ),
    # Ganin et al. 2016; its makers publish no checksums.
    "mnist-m": NamedSet(DIGITS, {"train": 59_001, "test": 9_001}, {}, (), ("mnist-m", "mnist_m", "mnistm")),
    "cifar10": NamedSet(
        OBJECTS,
        {"train": 50_000, "test": 10_000},
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar10", "cifar-10", "cifar_10"),
    ),
    "cifar100": NamedSet(
        FINE,
        {"train": 50_000, "test": 10_000},
        {"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar100", "cifar-100", "cifar_100"),
    ),
    # Geirhos et al. 2019: pictures with the shape of one category and the texture of another, in their names. They are
    # read as pictures of one class; the analysis of shape reads both categories.
    "cue-conflict": NamedSet(("cue-conflict",), {}, {}, (), ("cue-conflict", "cue_conflict")),
}
EMBEDDED = "fashion-mini"
