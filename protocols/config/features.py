# SPDX-License-Identifier: Apache-2.0
"""The public feature map: in which space samples are compared."""

from typing import TYPE_CHECKING

from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.features.base import FeaturesKind

FEATURES = Family("feature map", FeaturesKind, "tailweave.protocols.kinds.features")
if TYPE_CHECKING:
    FeaturesSpec = FeaturesKind
else:
    FeaturesSpec = FEATURES.field()
