# SPDX-License-Identifier: Apache-2.0
"""Ways to run the two apps; the same apps, another Grid."""

from tailweave.simulation.engines.job import Engine, Job, Machine
from tailweave.simulation.engines.opening import open_engine

ENGINES = {
    "in-process": "both apps here, silos spread over --workers processes",
    "ray": "Flower's Simulation Runtime on a SuperLink started here, or in the Ray cluster at --address",
    "superlink": "a running federation of SuperNodes, described in --federation DIR",
}
"""Names that ``--engine`` takes, with one line each."""

__all__ = ["ENGINES", "Engine", "Job", "Machine", "open_engine"]
