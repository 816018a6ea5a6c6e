# SPDX-License-Identifier: Apache-2.0
"""References in a configuration: by name, or as a mapping with options."""

from typing import TYPE_CHECKING

from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.references.base import ReferenceKind, SummarisedReference
from tailweave.protocols.kinds.references.transported import TransportedReference

REFERENCES = Family("reference", ReferenceKind, "tailweave.protocols.kinds.references")
if TYPE_CHECKING:
    ReferenceSpec = ReferenceKind
    SummarisedSpec = SummarisedReference
    TransportedSpec = TransportedReference
else:
    ReferenceSpec = REFERENCES.field()
    SummarisedSpec = REFERENCES.field(SummarisedReference)
    TransportedSpec = REFERENCES.field(TransportedReference)
RAW_ROW_KINDS = tuple(k for k, spec in REFERENCES.kinds.items() if issubclass(spec, TransportedReference))
"""Kinds for which every silo answers with projections of its rows; no noise is added to them."""
