"""Scaling logits so that probabilities are calibrated: temperature and vector scaling.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks", section 4.2. Both minimise the mean
cross-entropy on labelled images that the network was not trained on, in float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightlab.metrics.checks import check_logits
from sightlab.metrics.probability import mean_cross_entropy, probabilities

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

STEEPEST, LARGEST_BIAS = 10.0, 10.0  # of vector scaling, where a class has no error that would hold it back
PRECISION = 1e-14


class Temperature(NamedTuple):
    """A temperature and its 95 % interval; low and high are infinite where there is no bound."""

    value: float
    low: float
    high: float


def temperature(logits: NDArray[np.floating[Any]], labels: Labels) -> Temperature | None:
    """The temperature T that minimises the mean cross-entropy of logits / T: above 1 where a model is overconfident.

    logits: [N, C], finite. labels: int64 [N]. The loss is convex in 1 / T, and T is where its slope, the mean of the
    expected logit less the true one, is 0. The interval comes from the sandwich variance of 1 / T (White 1982,
    "Maximum likelihood estimation of misspecified models", theorem 3.2).

    None where no temperature is best: no class has a larger logit than the true one, so that the loss falls as T goes
    to 0; or the true class has no larger logit than the mean of the classes, so that it falls as T grows.

    Raises ValueError for no rows, logits that are not finite, or labels that do not match.

    >>> logits = np.array([[4.0, 0.0]] * 3 + [[0.0, 4.0]])
    >>> round(temperature(logits, np.zeros(4, np.int64)).value, 6)  # 3 of 4 are right: sigmoid(4 / T) = 3 / 4
    3.640957
    """
    from scipy.optimize import brentq

    check_logits(logits, labels)
    values = logits.astype(np.float64)
    true = np.take_along_axis(values, labels[:, None], axis=1)
    above = values - true  # softmax does not change, and the true logit is 0

    def slopes(steepness: float) -> Floats:
        return np.asarray((probabilities(steepness * above) * above).sum(axis=1))

    if slopes(0.0).mean() >= 0 or not (above > 0).any():
        return None
    steepest = 1.0
    while slopes(steepest).mean() <= 0:
        steepest *= 2
    root = float(brentq(lambda steepness: slopes(steepness).mean(), 0.0, steepest, xtol=PRECISION, rtol=PRECISION))
    gradients = slopes(root)
    curvature = float(((probabilities(root * above) * above**2).sum(axis=1) - gradients**2).sum())
    half = 1.96 * math.sqrt(float((gradients**2).sum())) / curvature
    return Temperature(1 / root, 1 / (root + half), 1 / (root - half) if half < root else math.inf)


def vector_scaling(logits: NDArray[np.floating[Any]], labels: Labels) -> tuple[Floats, Floats]:
    """A factor and a bias for each class, float64 [C] each, that minimise the cross-entropy of factor * logits + bias.

    logits: [N, C], finite. labels: int64 [N]. By L-BFGS-B from temperature scaling, which it contains. Factors stay
    within 0 and 10 times that of the temperature, biases within -10 and 10: without bounds the bias of a class without
    an image here would go to minus infinity. Raises ValueError for no rows, logits that are not finite, or labels that
    do not match.

    >>> logits = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> factor, bias = vector_scaling(logits, np.array([0, 0, 1, 1, 1]))
    >>> (np.exp(logits[0] * factor + bias)[0] / np.exp(logits[0] * factor + bias).sum()).round(4)  # 2 of 3
    np.float64(0.6667)
    """
    from scipy.optimize import minimize

    found = temperature(logits, labels)
    start = 1 / found.value if found else 1.0
    values = logits.astype(np.float64) * start
    count, classes = values.shape
    truth = np.zeros_like(values)
    truth[np.arange(count), labels] = 1

    def loss(both: Floats) -> tuple[float, Floats]:
        scaled = values * both[:classes] + both[classes:]
        error = (probabilities(scaled) - truth) / count
        return mean_cross_entropy(scaled, labels), np.concatenate([(error * values).sum(axis=0), error.sum(axis=0)])

    bounds = [(0.0, STEEPEST)] * classes + [(-LARGEST_BIAS, LARGEST_BIAS)] * classes
    options = {"maxiter": 500, "maxfun": 1000, "ftol": PRECISION, "gtol": 1e-8}
    best = minimize(loss, np.repeat([1.0, 0.0], classes), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return start * best.x[:classes], best.x[classes:]
