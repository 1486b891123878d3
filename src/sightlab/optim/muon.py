"""Muon: hidden matrices are updated by their orthogonalised momentum, everything else by AdamW."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.optimizer import ParamsT

from sightlab.optim.groupwise import Group, GroupwiseOptimizer
from sightlab.optim.param_groups import Groups

# x -> A x + B x^3 + C x^5, five times, brings every singular value from (0, 1] near 1: Jordan 2024, section "Deriving".
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
# The root of the mean square of an entry of AdamW's updates is about 0.2: Liu et al. 2025, section 2.2.
ADAMW_RMS = 0.2


class Muon(GroupwiseOptimizer):
    """Orthogonalised momentum; w = w - lr * (0.2 * sqrt(max(rows, columns)) * O + weight_decay * w).

    Jordan 2024, Muon: an optimizer for hidden layers in neural networks (kellerjordan.github.io/posts/muon). The
    factor of Liu et al. 2025, Muon is scalable for LLM training, equation 4, gives entries the size of AdamW's, so
    that one lr and one weight_decay serve both. A convolution's weight [out, in, k, k] is a matrix [out, in * k * k].
    torch.optim.Muon does the same for matrices only, and in bfloat16 on every device; here a CPU stays in float32.

    Groups with rule "adamw" move as torch's AdamW moves them, with betas and eps; those with rule "muon", the
    default, have weights of two dimensions or more.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            rule="muon",
        )
        for group in self.param_groups:
            if group["rule"] == "muon" and any(weight.ndim < 2 for weight in group["params"]):
                raise ValueError("Muon moves weights of two dimensions or more; groups of others need rule adamw")

    def move(self, group: Group, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """One step of these weights, by the group's rule."""
        if group["rule"] == "adamw":
            self.move_as_adamw(group, weights, gradients)
            return
        momenta = self.kept("momentum_buffer", weights)
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        blend = torch._foreach_lerp(gradients, momenta, group["momentum"]) if group["nesterov"] else momenta
        for weight, update in zip(weights, blend, strict=True):
            # Rows and columns in the order of the indices, whatever that in memory: the same bits in either layout.
            matrix = update.reshape(len(update), -1)
            # A CPU stays in float32 throughout; a GPU has its speed in bfloat16.
            turned = orthogonal(matrix.bfloat16() if matrix.is_cuda else matrix)
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.add_(turned.view(weight.shape), alpha=-group["lr"] * (ADAMW_RMS * max(matrix.shape) ** 0.5))

    def move_as_adamw(self, group: Group, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """One step of AdamW."""
        beta1, beta2 = group["betas"]
        for weight in weights:
            self.state[weight].setdefault("step", torch.zeros((), dtype=torch.float32))
        adamw(
            weights,
            gradients,
            self.kept("exp_avg", weights),
            self.kept("exp_avg_sq", weights),
            [],
            [self.state[weight]["step"] for weight in weights],
            foreach=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of the matrix U S V^T: five Newton-Schulz iterations leave singular values between 0.7 and 1.2.

    Those of a thousandth of the matrix's norm or less stay smaller. matrix: float [rows, columns]; the
    answer has its shape and dtype, in row-major order. Jordan 2024; Bernstein and Newhouse 2024, Old optimizer, new
    norm, appendix A.

    >>> turned = orthogonal(torch.tensor([[3.0, 0.0], [0.0, 2.0]]))
    >>> bool(((turned - torch.eye(2)).abs() < 0.35).all())
    True
    """
    # The products are of the shorter side's size.
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x.T.contiguous() if matrix.shape[0] > matrix.shape[1] else x


def by_rule(groups: Groups, hidden: Iterable[Tensor], adamw_lr_factor: float) -> Groups:
    """Each group as one of its hidden matrices, rule "muon", and one of the rest, rule "adamw", lr * adamw_lr_factor.

    A group without parameters is left out.
    """
    matrices = set(hidden)
    split: Groups = []
    for group in groups:
        inside = [p for p in group["params"] if p in matrices]
        rest = [p for p in group["params"] if p not in matrices]
        split.append({**group, "params": inside, "rule": "muon"})
        split.append({**group, "params": rest, "rule": "adamw", "lr": group["lr"] * adamw_lr_factor})
    return [group for group in split if group["params"]]
