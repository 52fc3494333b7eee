"""Fisher vectors: what a clip's descriptors would change in a model of all descriptors.

Perronnin et al., Improving the Fisher kernel for large-scale image classification (ECCV 2010), with
the settings of Wang & Schmid (ICCV 2013): PCA to half the dimensions, a Gaussian mixture of
diagonal covariances for each kind of descriptor, gradients for means and variances, power and L2
normalisation.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rstan_lite.lab.idt.libraries import check_libraries
from rstan_lite.system.errors import DataError
from rstan_lite.system.settings import check_count


@dataclass(frozen=True)
class EncodingSettings:
    """How descriptors become a vector a clip.

    components: K, Gaussians of each kind's mixture. samples: training trajectories, drawn at
    random, that PCA and mixtures are fitted to. iterations: of EM, at most. seed: of the draw.
    Raises ConfigError.
    """

    components: int = 256
    samples: int = 100_000
    iterations: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("components", 1), ("samples", 2), ("iterations", 1), ("seed", 0)):
            check_count(name, getattr(self, name), least)


class Codebook:
    """PCA and Gaussian mixture of one kind of descriptor.

    mean: (d,). axes: (d // 2, d), rows of unit length. weights: (K,). means, variances:
    (K, d // 2). All float32.
    """

    PARTS = ("mean", "axes", "weights", "means", "variances")

    def __init__(
        self,
        mean: np.ndarray,
        axes: np.ndarray,
        weights: np.ndarray,
        means: np.ndarray,
        variances: np.ndarray,
    ):
        check_libraries()
        from sklearn.mixture import GaussianMixture

        self.mean, self.axes = mean, axes
        self.weights, self.means, self.variances = weights, means, variances
        self._mixture: Any = GaussianMixture(len(weights), covariance_type="diag")
        self._mixture.weights_, self._mixture.means_ = weights, means
        self._mixture.covariances_ = variances
        self._mixture.precisions_cholesky_ = 1 / np.sqrt(variances)

    @classmethod
    def checked(cls, parts: Mapping[str, np.ndarray]) -> Codebook:
        """A codebook from a file. Raises ValueError where its parts do not fit each other."""
        count, kept = parts["means"].shape
        (whole,) = parts["mean"].shape  # d
        shapes = {"mean": (whole,), "axes": (kept, whole), "weights": (count,)}
        shapes |= {"means": (count, kept), "variances": (count, kept)}
        for name, part in parts.items():
            if part.shape != shapes[name]:
                raise ValueError(f"{name} {part.shape} for {count} components of {kept}")
            if part.dtype != np.float32 or not np.isfinite(part).all():
                raise ValueError(f"{name} with other numbers than finite float32")
        if not (parts["variances"] > 0).all():
            raise ValueError("a variance that is not above 0")
        return cls(**parts)

    @classmethod
    def fit(cls, sample: np.ndarray, settings: EncodingSettings) -> Codebook:
        """The codebook of a random sample of descriptors, (m, d).

        Raises DataError for fewer descriptors than components or dimensions.
        """
        check_libraries()
        from skimage.feature import learn_gmm
        from sklearn.decomposition import PCA
        from sklearn.exceptions import ConvergenceWarning

        kept = sample.shape[1] // 2
        if len(sample) < max(settings.components, kept):
            raise DataError(
                "training trajectories",
                f"{len(sample)} of them",
                f"at least {max(settings.components, kept)}, for {settings.components} components",
                "Give fewer --components, or more clips.",
            )
        pca = PCA(kept, random_state=settings.seed).fit(sample)
        with warnings.catch_warnings():  # EM that is stopped early is a codebook as well
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture = learn_gmm(
                pca.transform(sample),
                n_modes=settings.components,
                gm_args={
                    "covariance_type": "diag",
                    "max_iter": settings.iterations,
                    "random_state": settings.seed,
                },
            )
        parts = (pca.mean_, pca.components_, mixture.weights_, mixture.means_, mixture.covariances_)
        return cls(*(np.asarray(part, dtype=np.float32) for part in parts))

    def encode(self, descriptors: np.ndarray) -> np.ndarray:
        """The Fisher vector of a clip's descriptors (n, d), float32 (2 * K * (d // 2),).

        First the gradients for the means, then those for the variances. A clip without descriptors
        has the zero vector.
        """
        from skimage.feature import fisher_vector

        components, kept = self.means.shape
        if not len(descriptors):
            return np.zeros(2 * components * kept, dtype=np.float32)
        reduced = (descriptors - self.mean) @ self.axes.T  # (n, d // 2)
        whole = fisher_vector(reduced, self._mixture)
        gradients = whole[components:]  # the K for the weights add next to nothing
        rooted = np.sign(gradients) * np.sqrt(np.abs(gradients))
        # scikit-image's own normalisation would have the weights in, and divide zero by zero
        return (rooted / max(float(np.linalg.norm(rooted)), 1e-12)).astype(np.float32)
