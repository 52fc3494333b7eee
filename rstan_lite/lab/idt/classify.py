"""One linear SVM a class on Fisher vectors, and probabilities from its margins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from rstan_lite.lab.idt.libraries import check_libraries
from rstan_lite.system.errors import DataError

LOG_TEMPERATURE = (-6.0, 4.0)  # where it is sought


def margins(
    kernel: np.ndarray, labels: np.ndarray, rows: np.ndarray, classes: Sequence[str], c: float
) -> np.ndarray:
    """Each class's margin for some clips, by linear SVMs of one class against the rest.

    The SVMs are fitted in the dual, on dot products: a clip's vector has many times more numbers
    than there are clips.
    kernel: (n, n), dot products of the training clips. labels: int (n,). rows: (m, n), dot products
    of the clips in question with the training clips. c: weight of the errors.
    Returns float64 (m, C).
    Raises DataError for a class that no training clip or every training clip has.
    """
    check_libraries()
    from sklearn.svm import SVC

    found = np.zeros((len(rows), len(classes)))
    for label, name in enumerate(classes):
        own = labels == label
        if own.all() or not own.any():
            raise DataError(
                name, f"{own.sum()} of the {len(own)} training clips", "some, but not all"
            )
        if len(rows):
            machine = SVC(C=c, kernel="precomputed").fit(kernel, own)
            found[:, label] = machine.decision_function(rows)
    return found


def fit_temperature(margin: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which the margins' softmax gives labels the highest likelihood.

    Guo et al., On calibration of modern neural networks (ICML 2017), for margins in place of
    logits. margin: (n, C), of clips that the SVMs were not fitted to. labels: int (n,).
    """

    def loss(log_temperature: float) -> float:
        scores = log_softmax(margin / np.exp(log_temperature), axis=1)
        return -float(scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURE, method="bounded").x))


def probabilities(margin: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of margins (n, C) over a temperature, float32; rows sum to one."""
    return softmax(margin / temperature, axis=1).astype(np.float32)
