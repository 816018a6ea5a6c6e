# SPDX-License-Identifier: Apache-2.0
"""Rules that read documents."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.rules.base import RuleKind


class LexicalEntropy(RuleKind):
    """Documents: those whose words are most evenly spread (highest normalised entropy)."""

    kind: Literal["lexical-entropy"]
    compares: ClassVar = "nothing"
    takes: ClassVar = ("text",)


class Rouge(RuleKind):
    """Documents: those that share most words with one document of the reference (highest ROUGE-1 F)."""

    kind: Literal["rouge"]
    compares_samples: ClassVar = True
    takes: ClassVar = ("text",)
