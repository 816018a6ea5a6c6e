# SPDX-License-Identifier: Apache-2.0
"""One seed of a run: who is asked, and what all silos are given."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from tailweave.protocols.base_file import base_digest
from tailweave.protocols.kit import PublicKit
from tailweave.server.federation import Federation


class Head(TypedDict):
    """What every question begins with."""

    run: str
    seed: int


@dataclass(frozen=True)
class SeedRun:
    """One seed of a run.

    Attributes:
        federation: Who is asked, and what is run.
        seed: Root seed; gives the public directions.
        kit: Feature map, base generator and public samples.
    """

    federation: Federation
    seed: int
    kit: PublicKit

    @cached_property
    def base_digest(self) -> str:
        """What a silo's base generator is compared by: its file's, or the one that came with ``hello``."""
        return base_digest(self.federation.experiment.generator.kind, self.kit.base)

    @property
    def head(self) -> Head:
        """What every question of it begins with."""
        return {"run": self.federation.run, "seed": self.seed}
