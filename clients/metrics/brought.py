# SPDX-License-Identifier: Apache-2.0
"""Metrics that other installed packages bring; each is computed of every generation."""

from typing import TYPE_CHECKING, Protocol

from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.metrics.base import MetricKind
from tailweave.protocols.metrics import METRICS, check_metric

if TYPE_CHECKING:
    from tailweave.clients.metrics.yardstick import Yardstick


class Measure(Protocol):
    """What implements a metric."""

    def __call__(self, spec: MetricKind, yardstick: "Yardstick", samples: Samples, features: Floats) -> float:
        """Return one number for generated samples, m of them with features (m, d), beside the truth."""
        ...


def brought(yardstick: "Yardstick", samples: Samples, features: Floats) -> dict[str, float]:
    """Measure by every metric of another package that is for samples of this sort.

    Args:
        yardstick: The truth.
        samples: Fresh ones, m of them.
        features: The same in the evaluation features, shape (m, d).

    Raises:
        ValueError: If one gives no number, or one out of the range that it declares; names it.
    """
    found = {}
    for name, kind in METRICS.kinds.items():
        if METRICS.is_own(name) or samples.sort.name not in kind.takes:
            continue
        spec = kind(kind=name)
        measure: Measure = implementation(spec, name, __package__)
        value = float(measure(spec, yardstick, samples, features))
        check_metric(name, value, value)
        found[name] = value
    return found
