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


def soft_target_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(softmax(v / T) || softmax(z / T)) in nats, mean over images. Logits z and v [B, C], temperature T above 0.

    Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network", sections 2 and 2.1. The gradient is
    that of the cross-entropy with soft targets, of which the Kullback-Leibler divergence leaves out what no weight
    changes, the entropy of the targets: it is 0 where the student answers as the teacher does. T^2 undoes that softer
    targets make gradients smaller by 1 / T^2, so that alpha means the same whatever the temperature.

    >>> import torch
    >>> soft_target_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 5.0]]), temperature=4).item()
    0.0
    """
    ours, theirs = (F.log_softmax(one / temperature, dim=1) for one in (logits, teacher_logits))
    return temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
