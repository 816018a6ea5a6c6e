# SPDX-License-Identifier: Apache-2.0
"""The run folder as the server writes it: metrics, what left the silos, and who was refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tailweave.protocols.fit_messages import FitParametersReply
from tailweave.protocols.messages import Message, RetrainReply, SummariseReply, TransportSupportReply
from tailweave.protocols.secure_sum_messages import SendMaskedReply
from tailweave.server.journal import Journal

KEYS = ("arm", "seed", "silo", "generation")
"""What every row of metrics begins with; no metric is named so."""
KEPT = "measured on its node, for its owner alone: these numbers have seen its rows"


class Record:
    """Three journals in the run folder; opened again, they continue where an interrupted run stopped.

    Attributes:
        out: The run folder.
        refusals: What happened to silos in this process, for the message when the run fails.
        resumed: An interrupted run had recorded something.
    """

    def __init__(self, out: Path) -> None:
        """Open the journals in folder ``out``, which is made."""
        out.mkdir(parents=True, exist_ok=True)
        self.out = out
        self.refusals: list[str] = []
        self._messages = 0
        self._metrics = Journal(out / "metrics.jsonl")
        self._wire = Journal(out / "wire.jsonl")
        self._events = Journal(out / "events.jsonl", ordered=False)
        self.resumed = any(journal.resumed for journal in (self._metrics, self._wire, self._events))

    def measured(self, reply: RetrainReply) -> None:
        """Write one row for each generation that a silo reported, or that its owner keeps the numbers."""
        for generation, values in reply.rows().items():
            head = {"arm": reply.arm, "seed": reply.seed, "silo": reply.silo, "generation": generation}
            self._metrics.append({**head, **values})
        if reply.kept:
            self._event("kept", seed=reply.seed, kind=reply.kind, silo=reply.silo, arm=reply.arm, reason=KEPT)

    def left_silo(self, silo: str, reply: Message, size: int) -> None:
        """Write what a silo sent: fields with shapes, bytes, cost; only summaries are kept, as NPZ."""
        stored = None
        if reply.arrays and not isinstance(reply, RetrainReply | FitParametersReply):
            stored = f"wire/{self._messages:06d}.npz"
            (self.out / "wire").mkdir(exist_ok=True)
            with (self.out / stored).open("wb") as file:
                np.savez(file, allow_pickle=False, **reply.arrays)
        self._messages += 1
        scalars = reply.model_dump(mode="json", by_alias=True, exclude={"schema_version"})
        fields = {name: {"shape": _shape(value), "dtype": "json"} for name, value in scalars.items()}
        fields |= {n: {"shape": list(a.shape), "dtype": str(a.dtype)} for n, a in reply.arrays.items()}
        self._wire.append(
            {
                "seed": reply.seed,
                "round": reply.kind,
                "silo": silo,
                "kind": _kind(reply),
                "reference": scalars.get("reference"),
                "number": scalars.get("number"),
                "arm": reply.arm if isinstance(reply, RetrainReply) else None,
                "fields": fields,
                "bytes": size,
                "privacy": _cost(reply),
                "arrays": stored,
            }
        )

    def refused(self, *, seed: int, kind: str, silo: str, arm: str | None, reason: str) -> None:
        """Write that a silo's answer was not used, and why."""
        self.refusals.append(f"{silo} ({kind}): {reason}")
        self._event("refused", seed=seed, kind=kind, silo=silo, arm=arm, reason=reason)

    def quarantined(self, *, seed: int, silo: str, reason: str) -> None:
        """Write that a silo's summary is not counted in a reference, and why; the silo stays in the run."""
        self.refusals.append(f"{silo} (quarantine): {reason}")
        self._event("quarantined", seed=seed, kind="summarise", silo=silo, arm=None, reason=reason)

    def odd(self, *, seed: int, silo: str, reason: str) -> None:
        """Write that a silo lies far from the others and is counted all the same, as a person trusts it."""
        self._event("odd", seed=seed, kind="summarise", silo=silo, arm=None, reason=reason)

    def absent(self, *, seed: int, silo: str | None, reason: str) -> None:
        """Write that a silo has not connected; ``silo`` is None where nobody knows its name."""
        self.refusals.append(f"{silo or 'a silo without a name'} (hello): {reason}")
        self._event("absent", seed=seed, kind="hello", silo=silo, arm=None, reason=reason)

    def returned(self, *, seed: int, kind: str, silo: str | None, arm: str | None, reason: str) -> None:
        """Write that a silo that was missing takes part again."""
        self._event("returned", seed=seed, kind=kind, silo=silo, arm=arm, reason=reason)

    def _event(
        self, event: str, *, seed: int, kind: str, silo: str | None, arm: str | None, reason: str
    ) -> None:
        row = {"event": event, "seed": seed, "round": kind, "arm": arm, "silo": silo, "reason": reason}
        self._events.append(row)

    def summed(
        self,
        *,
        seed: int,
        kind: str,
        silos: Sequence[str],
        left_out: Sequence[str],
        attempts: int,
        reason: str,
    ) -> None:
        """Write that summaries came as one sum under masks, of whom, and what the server gave up for it."""
        self._events.append(
            {
                "event": "summed",
                "seed": seed,
                "round": kind,
                "arm": None,
                "silo": None,
                "silos": list(silos),
                "left-out": list(left_out),
                "attempts": attempts,
                "reason": reason,
            }
        )

    def close(self) -> None:
        """Close the journals."""
        for journal in (self._metrics, self._wire, self._events):
            journal.close()


def _shape(value: object) -> list[int]:
    return [len(value)] if isinstance(value, list) else []


def _cost(reply: Message) -> dict[str, object]:
    if isinstance(reply, TransportSupportReply | FitParametersReply):
        return {"epsilon": None, "noise": "none"}
    if not isinstance(reply, SummariseReply | SendMaskedReply):
        return {"epsilon": None}
    cost: dict[str, object] = {
        "epsilon": reply.privacy.epsilon,
        "delta": reply.privacy.delta,
        "noise": reply.noise,
    }
    return cost if isinstance(reply, SummariseReply) else cost | {"honest-silos": reply.privacy.honest_silos}


def _kind(reply: Message) -> str:
    if isinstance(reply, SummariseReply | SendMaskedReply | TransportSupportReply):
        return reply.reference.kind
    return reply.kind
