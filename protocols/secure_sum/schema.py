# SPDX-License-Identifier: Apache-2.0
"""What one secure sum adds up, as a digest that both ends compute and every silo signs."""

import hashlib
import json

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference

WORD_BITS = 32
"""Width of a masked word; a silo of 199,999 rows still fits among five at L = 512, and at L = 8 a million."""


def schema(reference: SlicedReference, privacy: PrivacySpec, features: FeatureMap, seed: int) -> str:
    """Return a digest, 64 hex digits, that changes with anything that changes the vector."""
    summed = {
        "reference": reference.model_dump(mode="json"),
        "privacy": privacy.model_dump(mode="json", exclude={"shrink"}),
        "features": {name: [list(a.shape), a.tobytes().hex()] for name, a in features.arrays().items()},
        "seed": seed,
        "bits": WORD_BITS,
    }
    return hashlib.sha256(json.dumps(summed, sort_keys=True).encode()).hexdigest()
