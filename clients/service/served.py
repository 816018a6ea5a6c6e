# SPDX-License-Identifier: Apache-2.0
"""The reference that a service compares with, and what it tells about it."""

from dataclasses import dataclass

from tailweave.clients.selection.cosine_form import cosine_form
from tailweave.clients.service.limits import Limits
from tailweave.protocols import selection_pb2 as wire
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.features.encoder import SMALL_CONV
from tailweave.protocols.references.sliced import Sliced

_OWN = {"language-model": "language-model", "rarity": "tf-idf"}
"""What an encoder of documents that a run made is called, by an array that only it has."""


@dataclass(frozen=True, eq=False)
class Served:
    """One proxy reference, ready to select against.

    ``target`` is the same reference in the cosine basis, which the streaming rule needs.
    """

    kept: KeptReference
    target: Sliced

    @classmethod
    def of(cls, kept: KeptReference) -> "Served":
        """Bring a kept reference into the streaming rule's form."""
        return cls(kept, cosine_form(kept.reference(), kept.features.space(kept.seed)))

    def describe(self, limits: Limits, streams_open: int) -> wire.ReferenceReply:
        """Return what ``GetReference`` answers: public constants only, not the reference's own numbers."""
        features, spec = self.kept.features, self.target.spec
        return wire.ReferenceReply(
            kind=self.kept.spec.kind,
            run=self.kept.run,
            arm=self.kept.arm,
            seed=self.kept.seed,
            dimension=features.dimension,
            directions=spec.directions,
            coefficients=spec.coefficients,
            reference_sha256=self.kept.digest,
            feature_map=wire.FeatureMap(
                columns=len(features.offset),
                offset=features.offset.tolist(),
                weights=features.weights.ravel().tolist(),
                center=features.center.tolist(),
                scale=features.scale,
                encoder=_name(features.encoder),
            ),
            limits=wire.Limits(
                batch_candidates=limits.batch_candidates,
                message_bytes=limits.message_bytes,
                streams=limits.streams,
                streams_open=streams_open,
                idle_seconds=limits.idle_seconds,
            ),
        )


def _name(encoder: Encoder | None) -> str:
    """Return how a client finds the encoder: the name of a pretrained model, or which of the run's own it is.

    Those of the run's own lie in its kit and in the reference file: a convolutional network, the public base
    of a language model, or how rare words are.
    """
    if encoder is None:
        return ""
    parts = encoder.arrays()
    for part, name in _OWN.items():
        if part in parts:
            return name
    named = [part for part in ("model", "text-model") if part in parts]
    return bytes(parts[named[0]].astype("uint8")).decode() if named else SMALL_CONV
