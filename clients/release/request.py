# SPDX-License-Identifier: Apache-2.0
"""What a server asked a silo to release, and the digest under which it is remembered."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from protocols.config.privacy import PrivacySpec
from protocols.features import FeatureMap
from protocols.references import ReleasingSpec

_SERVER_SIDE = {"reference": {"aggregate", "samples"}, "privacy": {"shrink"}}
"""Options that only say what is done with a release; asking with others is the same question, at no cost."""


@dataclass(frozen=True)
class ReleaseRequest:
    """Everything on which a release depends but the rows; the run's name is not among it.

    Attributes:
        reference: What the summary is for.
        privacy: Epsilon, delta and the fewest rows that the server asks for.
        features: Public feature map that the rows go through.
        seed: Root seed; fixes the public directions.
    """

    reference: ReleasingSpec
    privacy: PrivacySpec
    features: FeatureMap
    seed: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the question, 64 hex digits; nothing private is in it."""
        asked = {
            "reference": self.reference.model_dump(mode="json", exclude=_SERVER_SIDE["reference"]),
            "privacy": self.privacy.model_dump(mode="json", exclude=_SERVER_SIDE["privacy"]),
            "features": {
                name: [list(a.shape), a.tobytes().hex()] for name, a in self.features.arrays().items()
            },
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
