# SPDX-License-Identifier: Apache-2.0
"""What a bare ``flwr run .`` runs: the quickstart, over as many silos as the simulation has nodes."""

import math
from pathlib import Path

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.protocols.places import packaged

QUICKSTART = Path("configs/quickstart.yaml")
_DIGITS = 10
_OWN = 2
"""Classes of a silo where there are enough silos for all classes; it must miss some, or it loses no tails."""


def quickstart(nodes: int) -> Experiment:
    """Return the quickstart with a silo for each node, all digits among them, and no silo with all digits.

    Raises:
        ConfigError: If there are too few nodes for a federation.
    """
    if nodes < 2:
        raise ConfigError(
            f"the federation has {nodes} node, the quickstart needs at least 2: add "
            "--federation-config 'num-supernodes=2'"
        )
    classes = max(_OWN, math.ceil(_DIGITS / nodes))
    changes = (f"silos.count={nodes}", f"silos.partition.classes-per-silo={classes}")
    return load_experiment(packaged(QUICKSTART), changes)
