# SPDX-License-Identifier: Apache-2.0
"""Generator ``diffusion``; torch and diffusers are imported only when a model is fitted or drawn from."""

from tailweave.clients.generators.diffusion.measure import size_of, speeds
from tailweave.clients.generators.diffusion.model import Diffusion
from tailweave.clients.generators.trained import TrainedKind
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.kinds.implementing import implements

implements(DiffusionSpec)(TrainedKind(Diffusion, "a diffusion model", size_of, speeds))

__all__ = ["Diffusion"]
