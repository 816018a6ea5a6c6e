# SPDX-License-Identifier: Apache-2.0
"""How much of the public kit every question carries: networks beyond a size do not travel in messages."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import MAX_ARRAY_BYTES
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.starts import BasePath
from tailweave.protocols.kit import PublicKit

LARGEST = 64 * 2**20
"""Bytes of the base, and of a feature map, that a question to a silo elsewhere may carry."""
_MIB = 2**20
Arrays = Mapping[str, NDArray[np.floating]]


def check_carried(experiment: Experiment, kit: PublicKit, *, elsewhere: bool) -> list[str]:
    """Refuse public weights that no message takes, before a run begins.

    Every question to a silo carries the base and the feature maps anew. On one machine that costs memory
    only, up to what one array of a message may hold.

    Args:
        experiment: What is to be run.
        kit: Its public kit of one seed.
        elsewhere: Whether messages leave this machine.

    Returns:
        What the user should know of weights that are carried although they are large.

    Raises:
        ConfigError: If they are too large; says how every node may have them instead.
    """
    said = []
    for what, arrays, remedy in _carried(experiment, kit):
        total, largest = (use(part.nbytes for part in arrays.values()) for use in (sum, max))
        size = f"{what} of {total / _MIB:,.0f} MiB"
        if elsewhere and total > LARGEST:
            raise ConfigError(
                f"{size} would go to every silo with every question, at most {LARGEST // _MIB} MiB may: "
                f"{remedy}"
            )
        if largest > MAX_ARRAY_BYTES:
            raise ConfigError(
                f"{size} has an array of {largest / _MIB:,.0f} MiB, a message takes at most "
                f"{MAX_ARRAY_BYTES // _MIB} MiB: {remedy}"
            )
        if total > LARGEST:
            said.append(f"{size} goes to every silo with every question; a federation refuses that: {remedy}")
    return said


def _carried(experiment: Experiment, kit: PublicKit) -> Iterable[tuple[str, Arrays, str]]:
    """Yield what questions carry: its name, its arrays, and the way without."""
    if not isinstance(experiment.generator.start, BasePath):
        yield (
            "a base generator",
            kit.base,
            "fit it once by `tailweave base CONFIG --out FILE`, give every node the file as base in its "
            "node.yaml, and set generator.start: {path: FILE}",
        )
    named = "set {}.model to a folder or hub name that every node has, or choose another kind of features"
    maps = (("features", kit.features), ("evaluation.features", kit.evaluation))
    for key, found in maps:
        if found is not None:
            yield f"an encoder ({key})", found.arrays(), named.format(key)
