"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

Loss = Callable[[Tensor, Tensor], Tensor]


def build_loss(name: str, label_smoothing: float) -> Loss:
    """The loss of this name: (logits [B, C], targets int64 [B] or float [B, C]) -> mean over the batch."""
    if name == "bce":
        return lambda logits, targets: binary_cross_entropy(logits, targets, label_smoothing)
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)


def binary_cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean over images of the sum over classes of each class's own binary cross-entropy, in nats.

    Wightman et al. 2021, "ResNet strikes back", section 2: classes are not exclusive when images are mixed. Smoothing
    is that of cross-entropy: targets * (1 - s) + s / C. logits: [B, C]. targets: int64 [B], or float [B, C].
    """
    classes = logits.shape[1]
    soft = F.one_hot(targets, classes) if targets.ndim == 1 else targets
    smooth = soft * (1 - label_smoothing) + label_smoothing / classes
    return F.binary_cross_entropy_with_logits(logits, smooth.to(logits.dtype), reduction="sum") / len(logits)
