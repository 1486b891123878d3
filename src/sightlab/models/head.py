"""The head: the layers between a network's features and its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

from sightlab.errors import ModelError, suggestion
from sightlab.models.regularise import share

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "none": nn.Identity}


@dataclass(frozen=True)
class Hidden:
    """The layers before the last linear layer: for each size a linear layer, batch norm if asked for, an activation.

    >>> [type(layer).__name__ for layer in Hidden((64,), norm=True, activation="gelu").layers(128)]
    ['Linear', 'BatchNorm1d', 'GELU']
    """

    sizes: tuple[int, ...] = ()
    norm: bool = False
    activation: str = "relu"

    def layers(self, features: int) -> nn.Sequential:
        """[N, features] -> [N, width(features)]; empty where there are no sizes."""
        found = nn.Sequential()
        for size in self.sizes:
            found.append(nn.Linear(features, size))
            if self.norm:
                found.append(nn.BatchNorm1d(size))
            found.append(ACTIVATIONS[self.activation]())
            features = size
        return found

    def width(self, features: int) -> int:
        """The number of input features of the last linear layer.

        >>> Hidden((256, 64)).width(512), Hidden().width(512)
        (64, 512)
        """
        return self.sizes[-1] if self.sizes else features


def hidden(sizes: Sequence[int] | int, norm: bool, activation: str) -> Hidden:
    """The hidden layers that a model's options describe. sizes: one number, or a list of them.

    Raises ModelError for a size that is not a whole number from 1, or an unknown activation.
    """
    listed = [sizes] if isinstance(sizes, int | float | str) else list(sizes)
    for size in listed:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ModelError(
                f"option head is {sizes!r}; it must be the sizes of hidden layers, such as [128] or [256, 64]"
            )
    if activation not in ACTIVATIONS:
        raise ModelError(f"unknown head_activation '{activation}'; {suggestion(str(activation), ACTIVATIONS)}")
    return Hidden(tuple(listed), norm, activation)


class DropoutLinear(nn.Linear):
    """A linear layer with dropout before it, under the state-dict names of a plain linear layer.

    For networks of other libraries that have no dropout before their last layer. [N, features] -> [N, classes].
    """

    def __init__(self, features: int, classes: int, rate: float) -> None:
        super().__init__(features, classes)
        self.rate = share("dropout", rate)

    def forward(self, features: Tensor) -> Tensor:
        """[N, features] -> [N, classes]."""
        return super().forward(F.dropout(features, self.rate, self.training))

    def extra_repr(self) -> str:
        """The settings shown when the module is printed."""
        return f"{super().extra_repr()}, dropout={self.rate:.3g}"
