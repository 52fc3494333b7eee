"""Fisher vectors: what a clip's descriptors would change in a model of all descriptors.

Perronnin et al., Improving the Fisher kernel for large-scale image classification (ECCV 2010), with
the settings of Wang & Schmid (ICCV 2013): PCA to half the dimensions, a Gaussian mixture of
diagonal covariances for each kind of descriptor, gradients for means and variances.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from rstan_lite.data.clips import Clip
from rstan_lite.features.store import Store
from rstan_lite.lab.idt.descriptors import NAMES
from rstan_lite.system.errors import DataError
from rstan_lite.system.settings import check_count, require_libraries
from rstan_lite.system.tables import progress_bar

LIBRARIES = {"scikit-image": "skimage"}  # the optional ones: the extra `idt`


def check_libraries() -> None:
    """Raise ConfigError, saying how to install them, where a library is not there."""
    require_libraries("iDT-FV", LIBRARIES, "idt")


@dataclass(frozen=True)
class EncodingSettings:
    """How descriptors become a vector a clip; raises ConfigError.

    components: K, Gaussians of each kind's mixture. samples: training trajectories, drawn at
    random, that PCA and mixtures are fitted to. iterations: of EM, at most. seed: of the draw.
    """

    components: int = 256
    samples: int = 100_000
    iterations: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("components", 1), ("samples", 2), ("iterations", 1), ("seed", 0)):
            check_count(name, getattr(self, name), least)


@dataclass(frozen=True)
class Codebook:
    """PCA and Gaussian mixture of one kind of descriptor, all float32.

    mean: (d,). axes: (d // 2, d), of unit length. weights: (K,). means, variances: (K, d // 2).
    """

    mean: np.ndarray
    axes: np.ndarray
    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    @cached_property
    def mixture(self) -> Any:
        """The Gaussians as scikit-learn's mixture, fitted."""
        mixture: Any = GaussianMixture(len(self.weights), covariance_type="diag")
        mixture.weights_, mixture.means_ = self.weights, self.means
        mixture.covariances_ = self.variances
        mixture.precisions_cholesky_ = 1 / np.sqrt(self.variances)
        return mixture

    @classmethod
    def fit(cls, sample: np.ndarray, settings: EncodingSettings) -> Self:
        """The codebook of a random sample of descriptors, (m, d).

        Raises DataError for fewer descriptors than components or dimensions.
        """
        kept = sample.shape[1] // 2
        least = max(settings.components, kept)
        if len(sample) < least:
            expected = f"at least {least}, for {settings.components} components"
            hint = "Give fewer --components, or more clips."
            raise DataError("training trajectories", f"{len(sample)} of them", expected, hint)
        pca = PCA(kept, random_state=settings.seed).fit(sample)
        how = {"max_iter": settings.iterations, "random_state": settings.seed}
        mixture = GaussianMixture(settings.components, covariance_type="diag", **how)
        with warnings.catch_warnings():  # EM that is stopped early is a codebook as well
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(pca.transform(sample))
        parts = (pca.mean_, pca.components_, mixture.weights_, mixture.means_, mixture.covariances_)
        return cls(*(np.asarray(part, dtype=np.float32) for part in parts))

    def encode(self, descriptors: np.ndarray) -> np.ndarray:
        """The Fisher vector of a clip's descriptors (n, d), float32 (2 * K * (d // 2),).

        Gradients for the means, then for the variances; zeros for a clip without descriptors.
        """
        check_libraries()
        from skimage.feature import fisher_vector

        components, kept = self.means.shape
        if not len(descriptors):
            return np.zeros(2 * components * kept, dtype=np.float32)
        reduced = (descriptors - self.mean) @ self.axes.T  # (n, d // 2)
        gradients = fisher_vector(reduced, self.mixture)[components:]  # without the weights' K
        rooted = np.sign(gradients) * np.sqrt(np.abs(gradients))
        # scikit-image's own normalisation would have the weights in, and divide zero by zero
        return (rooted / max(float(np.linalg.norm(rooted)), 1e-12)).astype(np.float32)


def fisher_kernel(
    descriptors: Store, train: Sequence[Clip], clips: Sequence[Clip], settings: EncodingSettings,
    progress: bool = True,
) -> np.ndarray:  # fmt: skip
    """Dot products of clips' Fisher vectors, float64 (n, n), with codebooks that are of `train`.

    The kinds of descriptors are concatenated, so their dot products add up. The same call gives the
    same ones. Raises DataError (too few trajectories), StoreError.
    """
    counts = [len(descriptors.read(clip, NAMES[0])) for clip in train]
    rows = sample_rows(counts, settings.samples, settings.seed)
    kernel = np.zeros((len(clips), len(clips)))
    for name in progress_bar(NAMES, progress, desc=f"{settings.components} components"):
        parts = [_read(descriptors, c, name)[chosen] for c, chosen in zip(train, rows, strict=True)]
        codebook = Codebook.fit(np.concatenate(parts), settings)
        vectors = np.stack([codebook.encode(_read(descriptors, clip, name)) for clip in clips])
        kernel += vectors @ vectors.T
    return kernel


def sample_rows(counts: Sequence[int], samples: int, seed: int) -> list[np.ndarray]:
    """A random draw from the trajectories of all clips: each clip's row numbers, sorted.

    counts: trajectories of each clip. At most `samples` in all, each trajectory equally likely.
    """
    edges = np.cumsum([0, *counts])
    drawn = np.sort(np.random.default_rng(seed).permutation(edges[-1])[:samples])
    parts = np.split(drawn, np.searchsorted(drawn, edges[1:-1]))
    return [part - first for part, first in zip(parts, edges[:-1], strict=True)]


def _read(descriptors: Store, clip: Clip, name: str) -> np.ndarray:
    return descriptors.read(clip, name).float().numpy()
