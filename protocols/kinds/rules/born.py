# SPDX-License-Identifier: Apache-2.0
"""Rules that look only at when a candidate was born, for paradigm ``accumulate-select``."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.rules.base import RuleKind


class Fresh(RuleKind):
    """Drawn from the real candidates alone; for paradigm accumulate-select with include-real."""

    kind: Literal["fresh"]
    compares: ClassVar = "nothing"
    chooses_among: ClassVar = "real"
    implemented_in: ClassVar = "born"


class LastGeneration(RuleKind):
    """Drawn from the newest generation alone; for paradigm accumulate-select."""

    kind: Literal["last-generation"]
    compares: ClassVar = "nothing"
    chooses_among: ClassVar = "generations"
    implemented_in: ClassVar = "born"
