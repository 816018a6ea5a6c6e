# SPDX-License-Identifier: Apache-2.0
"""One file with a proxy reference and all that is needed to select against it, without the run it is from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols import references
from tailweave.protocols.arrays import MAX_ARRAY_BYTES, Floats, part_of, with_prefix
from tailweave.protocols.config.references import ReferenceSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.transported import WovenReference
from tailweave.protocols.npz import read_npz, write_npz
from tailweave.protocols.references import Reference

VERSION = 1
_SPEC: TypeAdapter[ReferenceSpec] = TypeAdapter(ReferenceSpec)
_ABOUT = {"version", "run", "arm", "seed", "reference"}


@dataclass(frozen=True, eq=False)
class KeptReference:
    """What the server wove for one arm and seed, and every silo of the run was given."""

    run: str
    arm: str
    seed: int
    spec: WovenReference
    features: FeatureMap
    arrays: Mapping[str, Floats]

    def reference(self) -> Reference:
        """Return what selection compares with.

        Raises:
            ValueError: If the arrays do not fit the options or the feature map.
        """
        return references.proxy(self.arrays, self.spec, self.features.space(self.seed))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over options, feature map and arrays, as hex; equal for equal references only."""
        total = hashlib.sha256(json.dumps(self._about(), sort_keys=True).encode())
        for name, array in sorted(self._parts().items()):
            total.update(f"|{name}{array.shape}|".encode())
            total.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
        return total.hexdigest()

    def save(self, path: Path) -> None:
        """Write as NPZ, atomically: a killed process leaves the old file, the new one, or none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_npz(path, {"about": np.array(json.dumps(self._about())), **self._parts()})

    @classmethod
    def load(cls, path: Path) -> "KeptReference":
        """Read what ``save`` wrote.

        Raises:
            ValueError: If the file cannot be read, is something else, or its parts do not fit.
        """
        try:
            arrays = read_npz(path, most_bytes=MAX_ARRAY_BYTES)
            about = json.loads(str(arrays.pop("about")))
            if not isinstance(about, dict) or set(about) != _ABOUT or about["version"] != VERSION:
                raise ValueError(f"it is not of version {VERSION}")
            kept = cls(
                str(about["run"]),
                str(about["arm"]),
                int(about["seed"]),
                _served(about["reference"]),
                FeatureMap.from_arrays(part_of(arrays, "features")),
                part_of(arrays, "reference"),
            )
            kept.reference()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: not a readable reference file: {error}") from None
        return kept

    def _about(self) -> dict[str, object]:
        spec = self.spec.model_dump(mode="json", by_alias=True)
        return {"version": VERSION, "run": self.run, "arm": self.arm, "seed": self.seed, "reference": spec}

    def _parts(self) -> dict[str, Floats]:
        return with_prefix("features", self.features.arrays()) | with_prefix("reference", dict(self.arrays))


def _served(raw: object) -> WovenReference:
    try:
        spec = _SPEC.validate_python(raw)
    except ValidationError as error:
        raise ValueError(f"its options do not fit: {error.errors()[0]['msg']}") from None
    if not isinstance(spec, WovenReference):
        raise ValueError(f"a reference of kind {spec.kind} is not woven by a server")
    return spec
