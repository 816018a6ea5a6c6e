# SPDX-License-Identifier: Apache-2.0
"""What the owners of simulated silos would refuse, found before anything is fitted or asked."""

from tailweave.clients.data.silo import World
from tailweave.clients.release.policy import largest_delta, release_beyond, simulation_policy
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.transported import TransportedReference
from tailweave.protocols.messages import rows_bucket


def check_owners(experiment: Experiment, world: World) -> None:
    """Refuse releases that a silo's desk would refuse: by its policy, its rows, or delta against them.

    Raises:
        ConfigError: For the first arm of such a release, with what is allowed.
    """
    for arm in experiment.arms:
        if not isinstance(arm.reference, SummarisedReference | TransportedReference):
            continue
        privacy = experiment.privacy_of(arm)
        if beyond := release_beyond(simulation_policy(), arm.reference, privacy):
            raise ConfigError(f"arm {arm.name}: every silo's owner refuses its release: {'; '.join(beyond)}")
        if privacy.epsilon is not None:
            _check_smallest(arm, privacy, world)
            _check_largest(arm, privacy, world)
            if experiment.features.label_weight is not None:
                _check_labelled(arm, privacy, world)


def _check_labelled(arm: ArmSpec, privacy: PrivacySpec, world: World) -> None:
    """Refuse a map that looks at labels where too few rows have one: only these are released."""
    rows = min(len(silo.train.labelled) for silo in world.silos)
    if rows < privacy.min_rows:
        raise ConfigError(
            f"the smallest silo holds {rows} rows with a label, of which features.label-weight makes a "
            f"private release (arm {arm.name}); that needs privacy.min-rows = {privacy.min_rows}"
        )


def _check_smallest(arm: ArmSpec, privacy: PrivacySpec, world: World) -> None:
    rows = min(len(silo.train) for silo in world.silos)
    if rows_bucket(rows) < privacy.min_rows:
        raise ConfigError(
            f"the smallest silo holds {rows} rows, which it counts as {rows_bucket(rows)} (1, 2 or 5 times a "
            f"power of ten), a private release (arm {arm.name}) needs privacy.min-rows = {privacy.min_rows}"
        )


def _check_largest(arm: ArmSpec, privacy: PrivacySpec, world: World) -> None:
    largest = max(world.silos, key=lambda silo: len(silo.train))
    rows = len(largest.train)
    if privacy.delta > largest_delta(rows):
        bucket = rows_bucket(rows)
        raise ConfigError(
            f"privacy.delta must be at most 0.1 over a silo's rows for a private release (arm {arm.name}): "
            f"{largest.name} holds {rows} rows, which it counts as {bucket} or more, so at most "
            f"{_shown(largest_delta(rows))} is allowed, got {privacy.delta:g}"
        )


def _shown(bound: float) -> str:
    """Return a bound in two digits, rounded down: what is shown is allowed when it is given."""
    text = f"{bound:.1e}"
    return text if float(text) <= bound else f"{bound * 0.95:.1e}"
