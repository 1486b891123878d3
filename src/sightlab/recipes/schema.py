"""What a recipe is: one training described by a frozen, validated, hashed value."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sightlab.recipes.hashing import hash_of

FORMAT = 1

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Group(BaseModel):
    """Keys that belong together: frozen, unknown ones refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    short_for: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`data: kmnist` stands for `data: {source: kmnist}`."""
        return {cls.short_for: value} if cls.short_for and isinstance(value, str) else value


class Data(Group):
    """Which pictures, and how they are divided.

    size: pixels of the shorter side, then a centre crop; None keeps the pictures' own size. channels: None keeps
    their own. bit_depth: bits that 16-bit pictures use, 8 to 16; None takes what their largest value needs.
    skip_broken: leave out pictures that cannot be decoded. How the source is read, each left to the evidence where it
    is not given: layout (an entry of docs/data.md), label (column), classes (names, in this order), split
    (`train:DIR,test:DIR`, or a column), config (folder or configuration), list (file), label_from (pattern of file
    names), shape (`28x28`), ignore (patterns of files), encoding (of texts). limit_per_class: images a class taken from
    the training split (before validation is cut from it). validation: share of the training split set aside where the
    source has no validation split. split_seed draws the divisions; it is not the training's seed, so that runs with
    several seeds see the same test images.
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
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return () if value is None else value

    @field_validator("label", "config", "split", mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any) -> Any:
        """A column or a folder may be called by a number."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def reading(self) -> dict[str, Any]:
        """The keys that say how the source is read, as `sightlab.data.load` takes them."""
        kept = self.model_dump(exclude={"source", "limit_per_class", "validation", "split_seed"})
        return {key: value for key, value in kept.items() if value not in (None, ())}


class Model(Group):
    """Which network. name: one of `sightlab models`, timm/NAME, or path/to/file.py:ClassOrFunction.

    stem: auto, 3x3 or 7x7, for the models that have a choice. pretrained: start from the published weights.
    weights: a .safetensors or .pth file of tensors to start from, or a run: its id's beginning, `last`, its folder or
    bundle. freeze: what is not trained: none, `backbone` (all but the head), or names of the network's modules.
    options: what the model itself takes.
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
        if not isinstance(value, str):
            return () if value is None else value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        return () if parts == ("none",) else parts

    @field_validator("options")
    @classmethod
    def _plain_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, value in options.items():
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, bool | int | float | str) for part in parts):
                raise ValueError(f"option {key} must be a number, a text, true, false or a list of these")
        return options

    @model_validator(mode="after")
    def _one_start(self) -> Model:
        if self.pretrained and self.weights:
            raise ValueError("has both pretrained and weights; start from one of them")
        return self


class Augment(Group):
    """What is done to training images only, in this order.

    resized_crop: smallest share of the area that a random part has which is stretched to the image's size, 0 for none.
    crop_padding: pixels around the image before a random crop of its own size; crop_mode: what they are. flip:
    probability of a mirror image; alternating mirrors each image every other epoch (Jordan 2024). translate: largest
    shift in pixels. rotate: largest turn in degrees. scale: largest change of size, a share. policy: AutoAugment,
    RandAugment or TrivialAugment. colour_jitter: largest changes of brightness, contrast, saturation and hue.
    greyscale: probability of an image without colour. erase: probability that a rectangle is wiped out. mixup, cutmix:
    alpha of the Beta distribution, 0 for none; mixed: the share of images that are mixed at all.
    """

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


class Optimizer(Group):
    """How weights move. momentum, nesterov, betas, eps: None takes the optimizer's own.

    decay_norms_and_biases: weight decay also on these (left out by default). bias_lr_factor: biases of norms move at
    lr times this. adamw_lr_factor: what muon leaves to AdamW moves at lr times this. layer_lr_decay: each layer moves
    at the lr of the one behind it times this, the last at lr itself; 1 moves all alike.
    """

    short_for = "name"
    name: Literal["sgd", "adam", "adamw", "lion", "lamb", "muon"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    nesterov: bool | None = None
    weight_decay: NotNegative = 0.0
    decay_norms_and_biases: bool = False
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] | None = None
    eps: Positive | None = None
    bias_lr_factor: Positive = 1.0
    adamw_lr_factor: Positive = 1.0
    layer_lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


class Schedule(Group):
    """The learning rate as a function of the step, as a factor of `lr`.

    warmup_epochs: linear rise from warmup_factor first. step: x gamma every step_epochs. exponential: x gamma each
    epoch. cosine: down to final_factor. one-cycle: up to lr at the share peak_at, then down to final_factor.
    """

    short_for = "name"
    name: Literal["constant", "step", "exponential", "cosine", "one-cycle"] = "constant"
    warmup_epochs: NotNegative = 0.0
    warmup_factor: Share = 0.0
    step_epochs: Annotated[int, Field(ge=1)] = 10
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    final_factor: Share = 0.0
    peak_at: Annotated[float, Field(gt=0, lt=1)] = 0.3


class Loss(Group):
    """Cross-entropy, or binary cross-entropy of each class (bce; Wightman et al. 2021, 2: for mixed labels).

    label_smoothing: share of each label spread evenly over the classes (Szegedy et al. 2016, 7).
    """

    short_for = "name"
    name: Literal["cross-entropy", "bce"] = "cross-entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Averaging(Group):
    """Averages of the weights, which are then what is validated, kept and shipped.

    ema: decay, and warmup_power p that bounds it by 1 - (step + 1)**-p. lookahead: every so many steps, by alpha, a
    share or `falling` as in airbench (Jordan 2024).
    """

    short_for = "name"
    name: Literal["none", "ema", "lookahead"] = "none"
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    warmup_power: Positive | None = None
    every: Annotated[int, Field(ge=1)] = 5
    alpha: Annotated[float, Field(gt=0, le=1)] | Literal["falling"] = 0.5


class Distillation(Group):
    """A teacher whose answers are learnt beside the labels (Hinton, Vinyals & Dean 2015, section 2).

    teacher: a run (its id's beginning, `last`, its folder) or a bundle; None for none. temperature: what both networks'
    logits are divided by before their softmax. alpha: share of the loss that is the teacher's, the rest is the labels'.
    """

    teacher: str | None = None
    temperature: Positive = 4.0
    alpha: Share = 0.9

    @property
    def asks(self) -> bool:
        """Whether a teacher is asked at all: there is one, and its share of the loss is not 0."""
        return self.teacher is not None and self.alpha > 0


class Recipe(Group):
    """A frozen description of one training.

    clip_norm: the gradients' largest global norm; None does not clip. early_stop: epochs without a better
    validation accuracy after which training ends; None never does. device: auto, cpu, cuda, cuda:N or mps.
    workers: processes that share each batch on a CPU. compile: torch.compile, auto where a measured probe says it
    pays. precision: of GPUs; CPUs work in float32. deterministic: ask torch for deterministic kernels alone.
    test_flips: also report the score of each image and its mirror image together, beside the plain one.
    log: where else the run is written as it goes, tensorboard or mlflow or both.
    notes: what the author of the recipe states: command, expected time and accuracy with n.

    >>> Recipe(model="cnn", epochs=3).model.name
    'cnn'
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    name: Annotated[str, Field(min_length=1, max_length=80)] = "demo"
    notes: str = ""
    data: Data = Data()
    model: Model = Model()
    augment: Augment = Augment()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    loss: Loss = Loss()
    averaging: Averaging = Averaging()
    distillation: Distillation = Distillation()
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    clip_norm: Positive | None = None
    early_stop: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    device: str = "auto"
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    deterministic: bool = False
    test_flips: bool = False
    compile: Literal["auto", "on", "off"] = "auto"
    log: tuple[Literal["tensorboard", "mlflow"], ...] = ()

    @field_validator("log", mode="before")
    @classmethod
    def _names_in_a_row(cls, value: Any) -> Any:
        """`tensorboard,mlflow` stands for a list of the two."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("compile", mode="before")
    @classmethod
    def _yaml_truth(cls, value: Any) -> Any:
        """YAML reads a bare on and off as true and false."""
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @property
    def hash(self) -> str:
        """Sixteen hex digits: equal for two recipes that describe the same result.

        The name, the notes and where else a run is logged are left out, and so is what the chosen optimizer, schedule
        and averaging do not read, and of distillation all where no teacher is asked.
        Defaults are left out too, so that a key that a later version adds does not change the hashes of before.

        >>> a = Recipe(name="a", schedule=Schedule(gamma=0.5))
        >>> a.hash == Recipe(name="b").hash, a.hash == Recipe(seed=1).hash
        (True, False)
        """
        return hash_of(self)

    def to_yaml(self) -> str:
        """The whole recipe as YAML that `read_recipe` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
