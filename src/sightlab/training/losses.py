"""Loss functions: (logits float [B, C], targets int64 [B] or float [B, C]) -> the loss of each image, float [B]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name that torch's own documentation gives it

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, reduction: str = "none") -> Tensor:
    """Cross-entropy in nats; label_smoothing spreads a share evenly over the classes (Szegedy et al. 2016, 7)."""
    return F.cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction=reduction)


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, reduction: str = "none"
) -> Tensor:
    """The sum over classes of each class's own binary cross-entropy, in nats.

    Wightman et al. 2021, "ResNet strikes back", section 2: classes are not exclusive when images are mixed. Smoothing
    is that of cross-entropy: targets * (1 - s) + s / C.
    """
    classes = logits.shape[1]
    soft = F.one_hot(targets, classes) if targets.ndim == 1 else targets
    smooth = (soft * (1 - label_smoothing) + label_smoothing / classes).to(logits.dtype)
    if reduction == "mean":
        return F.binary_cross_entropy_with_logits(logits, smooth, reduction="sum") / len(logits)
    return F.binary_cross_entropy_with_logits(logits, smooth, reduction="none").sum(1)


LOSSES: Mapping[str, Callable[..., Tensor]] = {"bce": binary_cross_entropy, "cross-entropy": cross_entropy}


def in_one_operation(loss: Loss) -> Loss:
    """A shipped loss as its mean over the batch, float [], in one operation; any other as it is.

    The mean of single losses rounds differently.
    """
    if isinstance(loss, partial) and loss.func in LOSSES.values():
        return partial(loss.func, *loss.args, **{**loss.keywords, "reduction": "mean"})
    return loss


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
