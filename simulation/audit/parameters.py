# SPDX-License-Identifier: Apache-2.0
"""What FedAvg over the generator gives away: named by the audit, and not attacked."""

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.starts import PARAMETER_LEAK, StartedSpec
from tailweave.simulation.audit.findings import Finding, Role


def averaged(experiment: Experiment, role: Role) -> list[Finding]:
    """Return one finding without an attack where silos release parameters, else none."""
    generator = experiment.generator
    if not isinstance(generator, StartedSpec) or generator.start != "federated":
        return []
    return [
        Finding(
            protocol=f"parameters of a {generator.kind}, {generator.rounds} rounds of FedAvg",
            arms=tuple(arm.name for arm in experiment.arms),
            role=role,
            delta=experiment.privacy.delta,
            note=f"not covered by this audit: generator.start: federated {PARAMETER_LEAK}; no epsilon holds",
        )
    ]
