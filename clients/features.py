# SPDX-License-Identifier: Apache-2.0
"""Fitting the public feature map on samples of the public base generator, never on private rows."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.random_projection import GaussianRandomProjection

from protocols.arrays import Floats, matrix
from protocols.config.training import FeaturesSpec
from protocols.features import FeatureMap


def fit_features(spec: FeaturesSpec, samples: Floats, *, rng: np.random.Generator) -> FeatureMap:
    """Fit the map that all silos will share.

    Args:
        spec: Kind and dimensions.
        samples: Public synthetic samples, shape (n, p), data units.
        rng: Stream of the random projection and of PCA's solver.

    Returns:
        A map R^p -> R^d; the space's scale is the root mean square of the mapped samples.

    Raises:
        ValueError: If dimensions exceed the columns (or, for PCA, the samples), or samples have no spread.
    """
    samples = matrix(samples, "public samples")
    columns = samples.shape[1]
    if spec.dimensions is not None and spec.dimensions > columns:
        raise ValueError(
            f"features.dimensions must be at most the number of columns ({columns}), got {spec.dimensions}"
        )
    offset, weights = _affine(spec, samples, int(rng.integers(2**31)))
    mapped = (samples - offset) @ weights
    center = mapped.mean(axis=0)
    scale = float(np.sqrt(((mapped - center) ** 2).mean()))
    if scale == 0:
        raise ValueError("public samples must not all be equal: they have no spread to scale by")
    return FeatureMap(offset, weights, center, scale)


def _affine(spec: FeaturesSpec, samples: Floats, state: int) -> tuple[Floats, Floats]:
    columns = samples.shape[1]
    if spec.kind == "identity":
        return np.zeros(columns), np.eye(columns)
    mean = samples.mean(axis=0)
    if spec.kind == "standard":
        spread = samples.std(axis=0)
        return mean, np.diag(1.0 / np.where(spread > 0, spread, 1.0))
    if spec.kind == "pca":
        fitted = PCA(spec.dimensions, svd_solver="full").fit(samples)
        return fitted.mean_, np.ascontiguousarray(fitted.components_.T)
    projection = GaussianRandomProjection(spec.dimensions, random_state=state).fit(samples)
    return mean, np.ascontiguousarray(projection.components_.T)
