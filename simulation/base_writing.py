# SPDX-License-Identifier: Apache-2.0
"""What ``tailweave base`` writes: the public base of one seed, in the file that every node is given."""

import time
from pathlib import Path

from tailweave.clients.generators.course import Course
from tailweave.protocols.base_file import base_digest, save_base
from tailweave.protocols.config.experiment import Experiment
from tailweave.simulation.audience import audience
from tailweave.simulation.base import fitted_base
from tailweave.simulation.progress import seconds_since, told_on


def write_base(experiment: Experiment, out: Path, seed: int | None) -> str:
    """Fit the base and write it; killed and begun again, a long fit goes on from where it was.

    Args:
        experiment: What it is for.
        out: The file; it is not there yet.
        seed: One of the experiment's; None for the first.

    Returns:
        A sentence: kind, size, digest and how long it took.

    Raises:
        ValueError: If the data cannot be read, the seed is another one, or the base is in a file already.
    """
    begun, kind = time.monotonic(), experiment.generator.kind
    with told_on(audience(True), "fitting the base") as tell:
        fitted = fitted_base(experiment, seed, Course(tell, out.with_name(f".{out.name}.safetensors")))
    arrays = fitted.arrays()
    save_base(out, kind, arrays)
    size, digest = out.stat().st_size / 2**20, base_digest(kind, arrays)
    return f"{out}: a {kind} of {size:.1f} MiB, digest {digest}, in {seconds_since(begun)}"
