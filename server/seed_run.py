# SPDX-License-Identifier: Apache-2.0
"""One seed of a run: who is asked, and what all silos are given."""

from dataclasses import dataclass
from typing import TypedDict

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

    @property
    def head(self) -> Head:
        """What every question of it begins with."""
        return {"run": self.federation.run, "seed": self.seed}
