"""The schema of a recipe: one training described by a frozen, validated, hashed value."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationInfo, field_validator, model_validator

from sightlab.parts.registry import check_part_name
from sightlab.recipes.group import Group, NotNegative, Positive, Share, is_stored, listed, plain_options
from sightlab.recipes.hashing import result_hash, training_hash
from sightlab.recipes.part_groups import (
    SGD,
    Averaging,
    Constant,
    CrossEntropy,
    Loss,
    NoAveraging,
    Optimizer,
    Schedule,
)

FORMAT = 1


class Data(Group):
    """Which images are used, and how they are split.

    source: a name of `sightlab data`, a path or an address. size: pixels of the shorter side, then a centre crop; None
    keeps the images' own size. channels: None keeps their own. bit_depth: bits that 16-bit images use, 8 to 16; None
    takes what their largest value needs. skip_broken: leave out images that cannot be decoded. The next keys say how
    the source is read, and each is detected if it is not given. layout: an entry of docs/data.md. label: the column of
    labels. classes: names, in this order. split: `train:DIR,test:DIR`, or a column. config: a folder or configuration.
    list: a file that lists images. label_from: a pattern of file names. shape: of images in tables, as `28x28`.
    ignore: patterns of files. encoding: of texts. limit_per_class: images of each class taken from the training split,
    before validation is held out. validation: share of the training split held out if the source has no validation
    split. split_seed: of the random splits; it is not the training's seed, so that runs with other seeds have the same
    test images.
    """

    short_for = "source"
    source: str = "fashion-mini"
    size: Annotated[int, Field(ge=1, le=4096)] | None = None
    channels: Annotated[int, Field(ge=1, le=64)] | None = None
    bit_depth: Annotated[int, Field(ge=8, le=16)] | None = None
    label: str | None = None
    skip_broken: bool = False
    layout: str | None = None
    classes: tuple[str, ...] = ()
    split: str | None = None
    config: str | None = None
    list: str | None = None
    label_from: str | None = None
    shape: str | None = None
    ignore: tuple[str, ...] = ()
    encoding: str | None = None
    limit_per_class: Annotated[int, Field(ge=2)] | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    split_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @field_validator("classes", "ignore", mode="before")
    @classmethod
    def _names_in_a_row(cls, value: Any) -> Any:
        """`cat,dog` stands for a list of the two."""
        return listed(value)

    @field_validator("label", "config", "split", mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any) -> Any:
        """The name of a column or a folder may be a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def reading(self) -> dict[str, Any]:
        """How the source is read: the keys that `sightlab.load_data` takes."""
        kept = self.model_dump(exclude={"source", "limit_per_class", "validation", "split_seed"})
        return {key: value for key, value in kept.items() if value not in (None, ())}


class Model(Group):
    """Which network. name: one of `sightlab models`, timm/NAME, or path/to/file.py:ClassOrFunction.

    stem: auto, 3x3 or 7x7, for models that have the choice. pretrained: start from the published weights.
    weights: a .safetensors or .pth file of tensors to start from, or a run: its id's beginning, `last`, its folder or
    bundle. freeze: what is not trained: none, `backbone` (all but the head), or names of the network's modules.
    options: the model's own options.
    """

    short_for = "name"
    name: str = "mini-resnet-v4"
    stem: Literal["auto", "3x3", "7x7"] = "auto"
    pretrained: bool = False
    weights: str | None = None
    freeze: tuple[str, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("freeze", mode="before")
    @classmethod
    def _parts_in_a_row(cls, value: Any) -> Any:
        """`layer1,layer2` stands for a list of the two, `none` for an empty one."""
        names = listed(value)
        return () if names == ("none",) else names

    @field_validator("options")
    @classmethod
    def _plain_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        return plain_options(options)

    @model_validator(mode="after")
    def _one_start(self) -> Model:
        if self.pretrained and self.weights:
            raise ValueError("has both pretrained and weights; keep one of them")
        return self


class Augment(Group):
    """Augmentation of the training images, in this order.

    resized_crop: smallest share of the area of a random part that is resized to the image's size, 0 for none.
    crop_padding: pixels around the image before a random crop of its own size; crop_mode: what they are. flip:
    probability of a horizontal flip; alternating flips each image every other epoch (Jordan 2024). translate: largest
    shift in pixels. rotate: largest rotation in degrees. scale: largest change of size, a share. policy: AutoAugment,
    RandAugment or TrivialAugment. colour_jitter: largest changes of brightness, contrast, saturation and hue.
    greyscale: probability of an image in greyscale. erase: probability that a rectangle is erased. mixup, cutmix:
    alpha of the Beta distribution, 0 for none; mixed: the share of images that are mixed at all. custom: an
    augmentation of the user's own after those and before mixing, `path/to/file.py:Name` or what an installed package
    registers; options: what it takes.
    """

    short_for = "custom"
    resized_crop: Share = 0.0
    crop_padding: Annotated[int, Field(ge=0, le=512)] = 0
    crop_mode: Literal["black", "reflect"] = "black"
    flip: Share = 0.0
    flip_mode: Literal["random", "alternating"] = "random"
    translate: Annotated[int, Field(ge=0, le=512)] = 0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    policy: Literal[
        "none", "autoaugment-cifar10", "autoaugment-svhn", "autoaugment-imagenet", "randaugment", "trivialaugment"
    ] = "none"
    randaugment_ops: Annotated[int, Field(ge=1, le=16)] = 2
    randaugment_magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    colour_jitter: tuple[NotNegative, NotNegative, NotNegative, Annotated[float, Field(ge=0, le=0.5)]] | None = None
    greyscale: Share = 0.0
    erase: Share = 0.0
    erase_fill: Literal["black", "noise"] = "black"
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    mixed: Share = 1.0
    custom: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def mixes(self) -> bool:
        """Whether pairs of images are mixed, so that targets are shares of classes."""
        return self.mixup > 0 or self.cutmix > 0

    @field_validator("custom")
    @classmethod
    def _known_part(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and not is_stored(info):
            check_part_name("augment", name)
        return name

    @field_validator("options")
    @classmethod
    def _plain_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        return plain_options(options)

    @model_validator(mode="after")
    def _options_have_a_reader(self) -> Augment:
        if self.options and self.custom is None:
            raise ValueError("has options, and no custom augmentation that reads them")
        return self


class Distillation(Group):
    """Distillation: a teacher's predictions are learnt beside the labels (Hinton, Vinyals & Dean 2015, section 2).

    teacher: a run (its id's beginning, `last`, its folder) or a bundle; None for none. temperature: what both networks'
    logits are divided by before their softmax. alpha: share of the loss that is the teacher's, the rest is the labels'.
    """

    teacher: str | None = None
    temperature: Positive = 4.0
    alpha: Share = 0.9

    @property
    def unused(self) -> tuple[str, ...]:
        """Without a teacher that is asked, every key."""
        return () if self.asks else tuple(type(self).model_fields)

    @property
    def asks(self) -> bool:
        """Whether there is a teacher and its share of the loss is not 0."""
        return self.teacher is not None and self.alpha > 0


class Recipe(Group):
    """A frozen description of one training.

    clip_norm: the gradients' largest global norm; None does not clip. early_stop: epochs without a better validation
    score after which training ends; None never does. device: auto, cpu, cuda, cuda:N or mps. processes: how many
    share each batch on a CPU. compile: torch.compile, on, off or auto, which measures whether it pays. precision: on
    GPUs; CPUs work in float32. deterministic: use deterministic kernels only. test_flips: also report the score of
    each image averaged with its mirror image. report: draw charts and write report.html at the end; without it
    `sightlab report RUN` does so later. metrics: measured after every epoch and in the test, each a name or
    `file.py:Name`. select_by: the metric by which the best epoch is chosen. callbacks: called while the training
    runs: tensorboard, mlflow, wandb, another name or `file.py:Name`. notes: what the author of the recipe states:
    command, expected time and accuracy with n.

    >>> Recipe(model="cnn", epochs=3).model.name
    'cnn'
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    name: Annotated[str, Field(min_length=1, max_length=80)] = "demo"
    notes: str = ""
    data: Data = Data()
    model: Model = Model()
    augment: Augment = Augment()
    optimizer: Optimizer = SGD()
    schedule: Schedule = Constant()
    loss: Loss = CrossEntropy()
    averaging: Averaging = NoAveraging()
    distillation: Distillation = Distillation()
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    clip_norm: Positive | None = None
    early_stop: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    device: str = "auto"
    processes: Annotated[int, Field(ge=1, le=1024)] = 1
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    deterministic: bool = False
    test_flips: bool = False
    report: bool = True
    compile: Literal["auto", "on", "off"] = "auto"
    metrics: tuple[str, ...] = ()
    select_by: str = "accuracy"
    callbacks: tuple[str, ...] = ()

    @field_validator("metrics", "callbacks", mode="before")
    @classmethod
    def _listed_names(cls, value: Any) -> Any:
        """`tensorboard,mlflow` stands for a list of the two."""
        return listed(value)

    @field_validator("metrics", "select_by", "callbacks")
    @classmethod
    def _known_parts(cls, value: Any, info: ValidationInfo) -> Any:
        if not is_stored(info):
            slot = "callback" if info.field_name == "callbacks" else "metric"
            for name in (value,) if isinstance(value, str) else value:
                check_part_name(slot, name)
        return value

    @field_validator("compile", mode="before")
    @classmethod
    def _truth_as_word(cls, value: Any) -> Any:
        """YAML reads a bare on and off as true and false; either spelling is taken."""
        word = str(value).casefold()
        return "on" if word in ("true", "yes", "on") else "off" if word in ("false", "no", "off") else value

    @property
    def hash(self) -> str:
        """Sixteen hex digits: equal for two recipes that describe the same result.

        The name, the notes and where else a run is logged are left out, and of distillation all where no teacher is
        asked. Defaults are left out too, so that a key that a later version adds does not change the hashes of before.

        >>> a = Recipe(name="a", optimizer={"name": "sgd", "momentum": 0.9})
        >>> a.hash == Recipe(name="b").hash, a.hash == Recipe(seed=1).hash
        (True, False)
        """
        return result_hash(self)

    @property
    def training_hash(self) -> str:
        """Sixteen hex digits: what of a run's identity the recipe alone decides.

        The hash without what an identity holds beside it, or what no number of the training depends on: seed, data,
        processes, callbacks, paths (of weights, of a teacher, of files with parts) and the index of a CUDA device.

        >>> Recipe(seed=1, data="kmnist").training_hash == Recipe(device="cuda:1").training_hash
        False
        >>> Recipe(device="cuda").training_hash == Recipe(device="cuda:1", seed=2).training_hash
        True
        """
        return training_hash(self)

    def to_yaml(self) -> str:
        """The whole recipe as YAML that `read_recipe` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
