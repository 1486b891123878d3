"""Makes the embedded data set: a fixed stratified part of Fashion-MNIST as idx files.

Command: python tools/make_fashion_mini.py [FOLDER OF FASHION-MNIST'S FOUR FILES]

1,000 training and 200 test images of each class, drawn with a fixed seed from the official splits, in official order.
The bytes it writes are the same on every machine, so the files in the repository can be checked against it.
"""

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

SOURCE = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts them
TARGET = Path(__file__).parents[1] / "src/sightlab/data/fashion_mini"
PER_CLASS = {"train": 1000, "t10k": 200}


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE
    for seed, (split, per_class) in enumerate(PER_CLASS.items()):
        images = np.frombuffer(gzip.decompress((source / f"{split}-images-idx3-ubyte.gz").read_bytes()), np.uint8)
        labels = np.frombuffer(gzip.decompress((source / f"{split}-labels-idx1-ubyte.gz").read_bytes()), np.uint8)
        images, labels = images[16:].reshape(-1, 28, 28), labels[8:]
        generator = np.random.default_rng(seed)
        chosen = np.sort(
            np.concatenate([generator.permutation(np.flatnonzero(labels == c))[:per_class] for c in range(10)])
        )
        count = len(chosen).to_bytes(4, "big")
        side = (28).to_bytes(4, "big")
        write(f"{split}-images-idx3-ubyte.gz", b"\0\0\x08\x03" + count + side + side + images[chosen].tobytes())
        write(f"{split}-labels-idx1-ubyte.gz", b"\0\0\x08\x01" + count + labels[chosen].tobytes())


def write(name: str, data: bytes) -> None:
    packed = gzip.compress(data, 9, mtime=0)
    (TARGET / name).write_bytes(packed)
    print(f"{name}: {len(packed):,} bytes, sha256 of the content {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
