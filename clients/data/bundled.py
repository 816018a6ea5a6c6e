# SPDX-License-Identifier: Apache-2.0
"""The data sets that scikit-learn ships, scaled."""

from typing import Any

import numpy as np

from tailweave.clients.data.scaling import standardized
from tailweave.clients.samples import Images, Numbers, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.bundled import DIGITS_IMAGE, BundledData

_DIGITS_WHITE = 16.0
"""Pixels of the digits are counts of dark points in 4 x 4 blocks, 0 to 16."""


@implements(BundledData)
def load(spec: BundledData, *, seed: int) -> Samples:
    """Load one: digits in [0, 1], the others with zero mean and unit variance over all rows."""
    from sklearn import datasets  # slow to import, and a node reads no bundled set

    loaders = {
        "digits": datasets.load_digits,
        "breast-cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
    }
    bundle: Any = loaders[spec.source]()
    values = np.asarray(bundle.data, dtype=np.float64)
    labels = bundle.target_names[bundle.target].astype(np.str_)
    columns = tuple(str(name) for name in bundle.feature_names)
    if spec.source == "digits":
        return Samples.of(values / _DIGITS_WHITE, labels, Images(columns, shape=DIGITS_IMAGE))
    return standardized(Samples.of(values, labels, Numbers(columns)))
