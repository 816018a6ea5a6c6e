# SPDX-License-Identifier: Apache-2.0
"""Sliced sketches as whole numbers, so that they add up exactly under masks."""

import math

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import cosine as cosine_mechanism
from tailweave.protocols.privacy.mechanisms.grid import SMALLEST_SCALE, blocks, bounded, capped, rounding
from tailweave.protocols.references import histogram
from tailweave.protocols.references.cosine import basis
from tailweave.protocols.references.sliced import SlicedSummary, sketch_shape
from tailweave.protocols.secure_sum.masks import Words

STEP = 2.0**-8
"""Grid of a row's cosine features: at L = 512 a silo of 100,000 rows stays below 1.8e8, inside 32 bits."""


def width(spec: SlicedReference) -> int:
    """Return how many whole numbers an integer sketch has: L J + 1 (the rows' own last), or L B."""
    return math.prod(sketch_shape(spec)) + (spec.basis == "cosine")


def integer_sketch(rows: Floats, spec: SlicedReference, space: PublicSpace) -> Ints:
    """Sum the rows' features as whole numbers.

    Cosine: each row's features and its own coordinate 0.3 sqrt(L), shortened to the cap and rounded to 2^-8.
    Histogram: counts.

    Args:
        rows: Shape (n, d), feature units.
        spec: Basis, directions and range; aggregated as a mixture.
        space: Public space; fixes directions, centre and scale.

    Returns:
        Shape (L J + 1,) in steps of 2^-8, the rows' own coordinate last; or (L B,) in rows.

    Raises:
        ValueError: If rows are not finite or of another dimension, or a barycenter is wanted: it is no sum.

    Privacy:
        None by itself: add noise of ``noise_share`` before the sum is masked.
    """
    if spec.aggregate != "mixture":
        raise ValueError(f"a secure sum gives a mixture, got aggregate: {spec.aggregate}")
    rows = matrix(rows, "rows", columns=space.dimension)
    length = width(spec)
    directions = space.directions(spec.directions)
    sums = np.zeros(length)
    for block in blocks(rows, length):
        positions = space.project_alike(bounded(block, space), directions, spec.range)  # (b, L)
        if spec.basis == "histogram":
            sums += histogram.counts(positions, spec.bins).ravel()
            continue
        features = np.full((len(block), length), _own(spec))
        features[:, :-1] = basis(positions, spec.coefficients).reshape(len(block), -1)
        sums += np.rint(capped(features, cosine_mechanism.cap(spec)) / STEP).sum(axis=0)
    return sums.astype(np.int64)


def pooled_summary(sums: Ints, spec: SlicedReference) -> SlicedSummary:
    """Read the sum of all silos' integer sketches as the sketch of their pooled rows.

    Args:
        sums: Shape (L J + 1,) or (L B,), as ``integer_sketch`` gives them, noise included.
        spec: Basis and shape.

    Returns:
        The sketch; its count is the pooled one, set to 1 where noise took it below. Rounding has moved a mean
        coefficient by at most 2^-9.

    Raises:
        ValueError: If ``sums`` has another length than ``spec`` says.
    """
    shape = sketch_shape(spec)
    if sums.shape != (width(spec),):
        raise ValueError(f"sums must have shape ({width(spec)},), got {sums.shape}")
    values = sums.astype(np.float64)
    if spec.basis == "histogram":
        return SlicedSummary(values.reshape(shape), max(1.0, float(values.sum()) / spec.directions))
    rows = float(values[-1]) / float(np.rint(_own(spec) / STEP))
    return SlicedSummary(values[:-1].reshape(shape) * np.float64(STEP), max(1.0, rows))


def largest_step(spec: SlicedReference) -> float:
    """Return the most by which one row can move one number of ``integer_sketch``, in its steps."""
    return 1.0 if spec.basis == "histogram" else float(np.rint(max(1.0, _own(spec)) / STEP))


def sensitivity_steps(spec: SlicedReference) -> float:
    """Return the L2 sensitivity of ``integer_sketch`` for one row added or removed, in its steps.

    Cosine: the cap, lengthened by rounding L J + 1 coordinates to 2^-8 (0.7 % at L = 512, J = 8). Histogram:
    sqrt(L).
    """
    if spec.basis == "histogram":
        return math.sqrt(spec.directions)
    return (cosine_mechanism.cap(spec) + rounding(width(spec), STEP)) / STEP


def noise_share(sigma: float, honest: int) -> float:
    r"""Return the noise that each silo adds so that the honest ones together add enough.

    .. math:: \sigma_k = \sigma / \sqrt{K_h}

    With all K silos present the noise variance of the sum is K / K_h times larger than asked.

    Args:
        sigma: Standard deviation wanted in the sum, in steps of the integer sketch.
        honest: K_h, silos that are sure to add their noise and to keep it to themselves.

    Returns:
        Scale of each silo's discrete Gaussian, in steps.

    Raises:
        ValueError: If ``honest`` is below 1, or the share below 4: a sum of discrete Gaussians is then no
            discrete Gaussian any more.

    Source:
        Kairouz, Liu & Steinke (2021), theorem 1: the gap of K shares s is at most
        10 sum_{k<K} exp(-2 pi^2 s^2 k / (k + 1)); 5e-4 at s = 1, below 1e-60 at s = 4.
    """
    if honest < 1:
        raise ValueError(f"honest must be at least 1 silo, got {honest}")
    share = sigma / math.sqrt(honest)
    if not share >= SMALLEST_SCALE:
        raise ValueError(f"each silo must add noise of at least {SMALLEST_SCALE} steps, got {share}")
    return share


def to_words(values: Ints, silos: int) -> Words:
    """Write whole numbers as words, small enough that the sum of all silos fits.

    Args:
        values: Shape (n,).
        silos: K; every silo keeps its values below 2^31 / K.

    Returns:
        Two's complement, shape (n,).

    Raises:
        ValueError: If a value is too large for its share of a signed word.
    """
    largest = max(int(values.max()), -int(values.min()))
    if largest * silos >= 2**31:
        raise ValueError(f"values must be below 2^31 / {silos} silos in size, got {largest}")
    return values.astype(np.uint32)


def from_words(words: Words) -> Ints:
    """Read words (n,) as signed whole numbers."""
    signed: Ints = words.view(np.int32).astype(np.int64)
    return signed


def _own(spec: SlicedReference) -> float:
    return cosine_mechanism.COUNT_WEIGHT * math.sqrt(spec.directions)
