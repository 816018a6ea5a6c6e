# SPDX-License-Identifier: Apache-2.0
"""What a server asked a silo to release, and the digest under which it is remembered."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.transported import WovenReference
from tailweave.protocols.secure_sum.keys import SumRound
from tailweave.protocols.streams import stream

_SERVER_SIDE = {
    "privacy": {"shrink", "allow_raw_row_leakage", "allow_parameter_release"},
    "parameters": {"start", "federated_rounds"},
}
"""Options that only say what is done with a release; asking with others is the same question, at no cost."""


@dataclass(frozen=True)
class ReleaseRequest:
    """Everything on which a release depends but the rows; the run's name is not among it.

    Attributes:
        reference: What the summary is for.
        privacy: Epsilon, delta and the fewest rows that the server asks for.
        features: Public feature map that the rows go through.
        seed: Root seed; fixes the public directions.
        sum_round: The secure sum whose masks it goes under, if any; every attempt is a release of its own.
        support: Atoms that are mapped onto the rows, shape (s, d), in a round ``transport``, else None; every
            support is a release of its own.
    """

    reference: WovenReference
    privacy: PrivacySpec
    features: FeatureMap
    seed: int
    sum_round: SumRound | None = None
    support: Floats | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the question, 64 hex digits; nothing private is in it."""
        asked = {
            "reference": self.reference.model_dump(mode="json", exclude=set(self.reference.server_side)),
            "privacy": self.privacy.model_dump(mode="json", exclude=_SERVER_SIDE["privacy"]),
            "features": {
                name: [list(a.shape), a.tobytes().hex()] for name, a in self.features.arrays().items()
            },
            "seed": self.seed,
        }
        if self.sum_round is not None:
            asked["masked"] = self.sum_round.statement("release").decode()
        if self.support is not None:
            asked["support"] = [list(self.support.shape), self.support.tobytes().hex()]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class ParameterRequest:
    """A question for a generator's parameters, in a round ``fit``; every model sent is one of its own."""

    generator: StartedSpec
    privacy: PrivacySpec
    model: Mapping[str, Floats]
    seed: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the question, 64 hex digits; nothing private is in it."""
        asked = {
            "parameters": self.generator.model_dump(mode="json", exclude=_SERVER_SIDE["parameters"]),
            "privacy": self.privacy.model_dump(mode="json", exclude=_SERVER_SIDE["privacy"]),
            "model": {name: [list(a.shape), a.tobytes().hex()] for name, a in sorted(self.model.items())},
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def stream(self, silo: str) -> np.random.Generator:
        """Return the stream of the training; it is the same whenever the same is asked."""
        return stream(self.seed, "silo", silo, "federated", self.digest)


Request = ReleaseRequest | ParameterRequest
