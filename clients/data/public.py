# SPDX-License-Identifier: Apache-2.0
"""The rows that the public base generator was fitted on: a share of the truth, biased if asked."""

import numpy as np

from tailweave.clients.data.classes import classes_of
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.config.data import PublicSpec


def public_rows(train: Samples, spec: PublicSpec, *, rng: np.random.Generator) -> Samples:
    """Take a random share of the training rows and thin its classes.

    Of the share, round(weight x count) random rows of each weighted class stay. The share is a prefix of one
    shuffle, so with the same stream a smaller share or weight keeps a subset.

    Args:
        train: The rows to take from.
        spec: Share, and the weight of each class to thin (others keep weight 1).
        rng: Source of randomness.

    Returns:
        At least 2 rows, in the order of ``train``.

    Raises:
        DataError: If a weighted class does not exist, there are no labels, or fewer than 2 rows are left.
    """
    known = classes_of(train, "public.class-weights") if spec.class_weights else ()
    share = rng.permutation(len(train))[: round(spec.fraction * len(train))]
    keep = np.zeros(len(train), dtype=np.bool_)
    keep[share] = True
    for name, weight in spec.class_weights.items():
        if name not in known:
            raise DataError(f"public.class-weights: {unknown_name('class', name, known)}")
        members = share[np.isin(share, np.flatnonzero(train.labels == name))]
        keep[members[round(weight * len(members)) :]] = False
    if keep.sum() < 2:
        raise DataError(
            f"public.fraction {spec.fraction:g} and class-weights must leave at least 2 of the {len(train)} "
            f"training rows, got {keep.sum()}"
        )
    return train.take(np.flatnonzero(keep))
