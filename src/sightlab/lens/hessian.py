"""The curvature of a network's loss: Hessian-vector products, and the Hessian's largest eigenvalues by Lanczos."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Product = Callable[[Tensor], Tensor]
Loss = Callable[[], Tensor]
BREAKDOWN = 1e-12  # of the largest eigenvalue: what is left of a vector that lies in the space of those before it


class Spectrum(NamedTuple):
    """Eigenvalues of a symmetric matrix. values: the largest, falling, float64 [k]. least: the smallest one found.

    residuals: float64 [k]; an eigenvalue of the matrix lies within this distance of each value, up to rounding. steps:
    products with the matrix.
    """

    values: NDArray[np.float64]
    residuals: NDArray[np.float64]
    least: float
    least_residual: float
    steps: int


@contextmanager
def differentiable(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Within the context, the parameters require gradients; afterwards those do that did before."""
    before = [one.requires_grad for one in parameters]
    try:
        for one in parameters:
            one.requires_grad_()
        yield
    finally:
        for one, required in zip(parameters, before, strict=True):
            one.requires_grad_(required)


def hessian_product(parts: Sequence[Loss], parameters: Sequence[Tensor]) -> Product:
    """The function v -> H v for the Hessian H of the sum of some losses, by differentiating twice.

    Pearlmutter 1994, "Fast exact multiplication by the Hessian": H v is the gradient of the gradient's product with v.
    parts: each gives a scalar, such as one batch's share of a mean; one at a time is held in memory. parameters: they
    require gradients; v and H v are [P], their values one after another. Attention is computed by plain products, since
    its fused kernels can be differentiated only once. No parameter's `grad` is touched. Raises RuntimeError, here or in
    the function that it gives, where an operation has no second derivative.
    """
    # Imported here: it loads torch's compiler, which takes seconds.
    from torch.nn.attention import SDPBackend, sdpa_kernel

    sizes = [one.numel() for one in parameters]
    for part in parts[:1]:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            check_second_derivatives(slopes_of(part, parameters))

    def product(vector: Tensor) -> Tensor:
        pieces = [
            piece.view(one.shape) for piece, one in zip(torch.split(vector.detach(), sizes), parameters, strict=True)
        ]
        total = torch.zeros_like(vector)
        for part in parts:
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                slopes = slopes_of(part, parameters)
                along = torch.stack([(slope * piece).sum() for slope, piece in zip(slopes, pieces, strict=True)]).sum()
                if not along.requires_grad:  # the loss is linear
                    continue
                curved = torch.autograd.grad(along, parameters, materialize_grads=True)
            total += torch.cat([one.detach().reshape(-1) for one in curved])
        return total

    return product


def slopes_of(loss: Loss, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradient of a loss, as a function that can be differentiated again."""
    return torch.autograd.grad(loss(), parameters, create_graph=True, materialize_grads=True)


def graph_bytes(loss: Loss, parameters: Sequence[Tensor]) -> int:
    """The memory that one product with a loss's Hessian holds for its graph, without the parameters' own."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    held = {one.data_ptr(): 0 for one in parameters}

    def pack(saved: Tensor) -> Tensor:
        held.setdefault(saved.data_ptr(), saved.nbytes)
        return saved

    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), hooks:
        slopes = slopes_of(loss, parameters)  # alive until all is counted, so that no address is used twice
    del slopes
    return sum(held.values())


def check_second_derivatives(slopes: Sequence[Tensor]) -> None:
    """Raises RuntimeError where a gradient passes through an operation that is marked as once differentiable.

    torch would take such a gradient for a constant, and its Hessian would lack terms without a word.
    """
    nodes = [slope.grad_fn for slope in slopes if slope.grad_fn is not None]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        if node.name().endswith("::Error"):
            raise RuntimeError("an operation of its own can be differentiated only once")
        following = {one for one, _ in node.next_functions if one is not None} - seen
        seen |= following
        nodes += following


def largest_eigenvalues(
    product: Product,
    start: Tensor,
    *,
    count: int = 5,
    steps: int = 40,
    tolerance: float = 1e-3,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
) -> Spectrum:
    """The largest eigenvalues of a symmetric matrix that is known by its products, by Lanczos' method.

    With full reorthogonalisation, twice at each step (Parlett 1998, "The symmetric eigenvalue problem", sections 13.1
    to 13.7; residuals: equation 13.9). Ends when the residuals of the `count` largest are within `tolerance` of the
    largest by magnitude, after `steps` products, or when the vectors span all that the products of `start` reach.
    start: [P], any vector but 0; memory is steps x P. Raises ValueError for a start of 0, and for products that are not
    finite.

    >>> matrix = torch.diag(torch.tensor([5.0, -3.0, 1.0, 0.5], dtype=torch.float64))
    >>> found = largest_eigenvalues(lambda v: matrix @ v, torch.ones(4, dtype=torch.float64), count=2, tolerance=1e-9)
    >>> found.values.round(6).tolist(), round(found.least, 6)
    ([5.0, 1.0], -3.0)
    """
    length = float(start.norm())
    if not length:
        raise ValueError("Lanczos' method cannot start from 0")
    most = min(steps, len(start))
    basis = torch.empty((most, len(start)), dtype=start.dtype, device=start.device)
    basis[0] = start / length
    diagonal: list[float] = []
    beside: list[float] = []
    while True:
        step = len(diagonal)
        found = product(basis[step])
        diagonal.append(float(found @ basis[step]))
        for _ in range(2):
            found = found - basis[: step + 1].T @ (basis[: step + 1] @ found)
        left = float(found.norm())
        if not math.isfinite(left):
            raise ValueError("its products are not finite")
        spectrum = ritz_values(diagonal, beside, left, count)
        scale = max(abs(spectrum.least), abs(float(spectrum.values[0])))
        settled = len(spectrum.values) == min(count, most) and spectrum.residuals.max() <= tolerance * scale
        if settled or step + 1 == most or left <= BREAKDOWN * scale:
            tick(most, most)
            return spectrum
        tick(step + 1, most)
        beside.append(left)
        basis[step + 1] = found / left


def ritz_values(diagonal: Sequence[float], beside: Sequence[float], left: float, count: int) -> Spectrum:
    """Eigenvalues of the tridiagonal matrix of Lanczos' method, with residuals.

    diagonal: [m]. beside: [m - 1]. left: the norm of what the last product has beyond the m vectors.
    """
    matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    values, vectors = np.linalg.eigh(matrix)
    residuals = np.abs(left * vectors[-1])
    top = slice(None, -count - 1, -1)
    return Spectrum(values[top], residuals[top], float(values[0]), float(residuals[0]), len(diagonal))
