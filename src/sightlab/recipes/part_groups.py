"""The groups of a recipe that a name decides: optimizer, schedule, loss, averaging; and the keys each part reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from sightlab.recipes.group import BelowOne, CustomPart, NotNegative, Part, Positive, Share

CUSTOM = "custom"
Betas = tuple[BelowOne, BelowOne]


def chosen_from(parts: Mapping[str, type[Part]], usual: str, custom: bool) -> Callable[[Any], str]:
    """Which part a group's value is of: its name where that ships, else `custom`. usual: where no name is given."""

    def choose(value: Any) -> str:
        name = value.get("name", usual) if isinstance(value, Mapping) else getattr(value, "name", value)
        # A value that is no name falls to a part that says so.
        known = isinstance(name, str) and name in parts
        return name if known else CUSTOM if custom else usual

    return choose


class OptimizerKeys(Part):
    """What all optimizers read.

    lr: the learning rate, in which a schedule's factor is 1. decay_norms_and_biases: weight decay also on these (left
    out by default). bias_lr_factor: biases of normalisation layers move at lr times this. layer_lr_decay: each layer
    moves at the lr of the one behind it times this, the last at lr itself; 1 moves all alike.
    """

    once_shared: ClassVar[Mapping[str, Any]] = {
        "momentum": None,
        "nesterov": None,
        "betas": None,
        "eps": None,
        "adamw_lr_factor": 1.0,
    }
    lr: Positive = 0.1
    weight_decay: NotNegative = 0.0
    decay_norms_and_biases: bool = False
    bias_lr_factor: Positive = 1.0
    layer_lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0


class SGD(OptimizerKeys):
    """Stochastic gradient descent with momentum."""

    # Recipes stated the momentum and hashed it even where it was 0.9, the default: those hashes stay.
    always_hashed = ("momentum",)
    name: Literal["sgd"] = "sgd"
    momentum: BelowOne = 0.9
    nesterov: bool = False


class Adam(OptimizerKeys):
    """Adam; weight decay is added to the gradient."""

    name: Literal["adam"] = "adam"
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class AdamW(OptimizerKeys):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"] = "adamw"
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-8


class Lion(OptimizerKeys):
    """Steps of size lr in the direction of a momentum's sign."""

    name: Literal["lion"] = "lion"
    betas: Betas = (0.9, 0.99)


class Lamb(OptimizerKeys):
    """Adam's direction at a length in proportion to each layer's weights."""

    name: Literal["lamb"] = "lamb"
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1e-6


class Muon(OptimizerKeys):
    """Orthogonalised momentum for hidden matrices, AdamW with betas and eps for all else.

    adamw_lr_factor: what is left to AdamW moves at lr times this.
    """

    name: Literal["muon"] = "muon"
    momentum: BelowOne = 0.95
    nesterov: bool = True
    betas: Betas = (0.9, 0.95)
    eps: Positive = 1e-10
    adamw_lr_factor: Positive = 1.0


class CustomOptimizer(CustomPart, OptimizerKeys):
    """An optimizer of the user's own: `(param_groups, lr=..., **options) -> torch.optim.Optimizer`."""

    slot = "optimizer"


OPTIMIZERS: dict[str, type[OptimizerKeys]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "lion": Lion,
    "lamb": Lamb,
    "muon": Muon,
}
Optimizer = Annotated[
    Annotated[SGD, Tag("sgd")]
    | Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[Lion, Tag("lion")]
    | Annotated[Lamb, Tag("lamb")]
    | Annotated[Muon, Tag("muon")]
    | Annotated[CustomOptimizer, Tag(CUSTOM)],
    Discriminator(chosen_from(OPTIMIZERS, "sgd", custom=True)),
]


class ScheduleKeys(Part):
    """What all schedules have in common: a factor of `lr` for each step."""

    once_shared: ClassVar[Mapping[str, Any]] = {
        "warmup_epochs": 0.0,
        "warmup_factor": 0.0,
        "step_epochs": 10,
        "gamma": 0.1,
        "final_factor": 0.0,
        "peak_at": 0.3,
    }


class WarmedUp(ScheduleKeys):
    """Schedules that a warm-up may precede.

    warmup_epochs: how long lr rises linearly at first; need not be whole. warmup_factor: where the rise starts.
    """

    warmup_epochs: NotNegative = 0.0
    warmup_factor: Share = 0.0

    @property
    def unused(self) -> tuple[str, ...]:
        """Without a warm-up, where it would start from."""
        return () if self.warmup_epochs else ("warmup_factor",)


class Constant(WarmedUp):
    """The learning rate stays as it is."""

    name: Literal["constant"] = "constant"


class Step(WarmedUp):
    """Times gamma every so many epochs.

    step_epochs: how many epochs. gamma: the factor.
    """

    name: Literal["step"] = "step"
    step_epochs: Annotated[int, Field(ge=1)] = 10
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


class Exponential(WarmedUp):
    """Times a factor each epoch.

    gamma: the factor.
    """

    name: Literal["exponential"] = "exponential"
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1


class Cosine(WarmedUp):
    """Half a cosine down.

    final_factor: where it ends, as a share of lr.
    """

    name: Literal["cosine"] = "cosine"
    final_factor: Share = 0.0


class OneCycle(ScheduleKeys):
    """Up to lr, then down, each along half a cosine.

    peak_at: the share of the training after which lr is reached. final_factor: where it ends, as a share of lr.
    """

    name: Literal["one-cycle"] = "one-cycle"
    final_factor: Share = 0.0
    peak_at: Annotated[float, Field(gt=0, lt=1)] = 0.3


class CustomSchedule(CustomPart, ScheduleKeys):
    """A schedule of the user's own: `(step, total_steps, **options) -> factor`, or a class of torch's LRScheduler.

    interval: what its steps are, optimizer steps or epochs.
    """

    slot = "schedule"
    interval: Literal["step", "epoch"] = "step"


SCHEDULES: dict[str, type[ScheduleKeys]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "one-cycle": OneCycle,
}
Schedule = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Step, Tag("step")]
    | Annotated[Exponential, Tag("exponential")]
    | Annotated[Cosine, Tag("cosine")]
    | Annotated[OneCycle, Tag("one-cycle")]
    | Annotated[CustomSchedule, Tag(CUSTOM)],
    Discriminator(chosen_from(SCHEDULES, "constant", custom=True)),
]


class LossKeys(Part):
    """What all losses have in common."""


class Smoothed(LossKeys):
    """Losses of smoothed labels.

    label_smoothing: share of each label spread evenly over the classes (Szegedy et al. 2016, 7).
    """

    label_smoothing: BelowOne = 0.0


class CrossEntropy(Smoothed):
    """Softmax cross-entropy."""

    name: Literal["cross-entropy"] = "cross-entropy"


class BinaryCrossEntropy(Smoothed):
    """Binary cross-entropy of each class by itself (Wightman et al. 2021, 2: for mixed labels)."""

    name: Literal["bce"] = "bce"


class CustomLoss(CustomPart, LossKeys):
    """A loss of the user's own: (logits float [B, C], targets int64 [B] or float [B, C]) -> float [B]."""

    slot = "loss"


LOSSES: dict[str, type[LossKeys]] = {"cross-entropy": CrossEntropy, "bce": BinaryCrossEntropy}
Loss = Annotated[
    Annotated[CrossEntropy, Tag("cross-entropy")]
    | Annotated[BinaryCrossEntropy, Tag("bce")]
    | Annotated[CustomLoss, Tag(CUSTOM)],
    Discriminator(chosen_from(LOSSES, "cross-entropy", custom=True)),
]


class AveragingKeys(Part):
    """Averages of the weights, which are then what is validated, kept and shipped."""

    once_shared: ClassVar[Mapping[str, Any]] = {"decay": 0.999, "warmup_power": None, "every": 5, "alpha": 0.5}


class NoAveraging(AveragingKeys):
    """The weights themselves."""

    name: Literal["none"] = "none"


class EMA(AveragingKeys):
    """Exponential moving average.

    decay: of the average each step. warmup_power: p bounds it by 1 - (step + 1)**-p; null does not.
    """

    name: Literal["ema"] = "ema"
    decay: BelowOne = 0.999
    warmup_power: Positive | None = None


class Lookahead(AveragingKeys):
    """Lookahead: slow weights move towards the fast ones, which then start from there.

    every: steps between two moves. alpha: how far, a share, or `falling` as in airbench (Jordan 2024).
    """

    name: Literal["lookahead"] = "lookahead"
    every: Annotated[int, Field(ge=1)] = 5
    alpha: Annotated[float, Field(gt=0, le=1)] | Literal["falling"] = 0.5


AVERAGINGS: dict[str, type[AveragingKeys]] = {"none": NoAveraging, "ema": EMA, "lookahead": Lookahead}
Averaging = Annotated[
    Annotated[NoAveraging, Tag("none")] | Annotated[EMA, Tag("ema")] | Annotated[Lookahead, Tag("lookahead")],
    Discriminator(chosen_from(AVERAGINGS, "none", custom=False)),
]

# The groups that are unions of parts, and the parts of each that ship, by name.
PARTS: dict[str, Mapping[str, type[Part]]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "loss": LOSSES,
    "averaging": AVERAGINGS,
}
