# SPDX-License-Identifier: Apache-2.0
"""What the figures of an audit do not say."""

import math

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.privacy.calibration import epsilon_of_rho, noise_multiplier, rho_of
from tailweave.protocols.secure_sum.share import epsilon_alone
from tailweave.simulation.audit.scene import raw_arms, released


def notes(experiment: Experiment) -> tuple[str, ...]:
    """Return what the reader of an audit should know besides, one sentence or two each."""
    asked = [privacy for _, privacy in released(experiment)]
    said = []
    if not asked and not raw_arms(experiment) and experiment.generator.start != "federated":
        said.append("No arm needs a summary: silos send nothing but metrics.")
    if asked:
        said.append(
            "Noise was drawn from a seeded stream, as in every simulation: figures hold for the mechanism, a "
            "deployment must draw from the operating system."
        )
    if (asked or raw_arms(experiment)) and experiment.data.gives == "text":
        said.append(_DOCUMENTS)
    return (*said, *_together(experiment), *_secure_sum(experiment), _METRICS)


_DOCUMENTS = (
    "Rows are documents here, and what silos send is made of their features. Attacks rebuild features: a "
    "document itself cannot be computed from them and was not attacked. Whoever has a document already can "
    "compute its features and look whether it was there, which is the membership attack."
)
_METRICS = (
    "In a simulation all metrics are told. A node tells, under its default policy, only those that come "
    "of public rows and released references; that policy is attacked at the doors, and no other."
)


def _together(experiment: Experiment) -> list[str]:
    """Say what several releases of the same rows cost together: what an arm claims holds for that arm."""
    asked = [privacy.epsilon for _, privacy in released(experiment)]
    noised = [epsilon for epsilon in asked if epsilon is not None]
    if len(noised) > 1:
        delta = experiment.privacy.delta
        rho = math.fsum(rho_of(noise_multiplier(epsilon, delta)) for epsilon in noised)
        spent = epsilon_of_rho(rho, delta)
        said = [
            f"A silo makes {len(noised)} private releases of the same rows. Each keeps its own epsilon; to "
            f"whoever sees all of them they are worth {spent:.2f} together."
        ]
    else:
        said = []
    if noised and len(noised) < len(asked):
        said.append(
            "Arms without noise release the same rows as the private ones: to whoever sees both, epsilon "
            "protects nothing. Such an experiment compares arms and is for simulation only."
        )
    return said


def _secure_sum(experiment: Experiment) -> list[str]:
    privacy = experiment.privacy
    if not privacy.secure_aggregation or not released(experiment):
        return []
    return [
        "Secure aggregation: the server sees only the sum of all silos, and only the sum was attacked. Its "
        f"epsilon needs {privacy.honest_silos} of {experiment.silos.count} silos to be honest; against a "
        f"server in league with all others, epsilon {epsilon_alone(privacy):.2f} is what a silo's own share "
        "of the noise leaves it."
    ]
