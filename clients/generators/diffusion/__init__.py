# SPDX-License-Identifier: Apache-2.0
"""Generator ``diffusion``; torch and diffusers are imported only when a model is fitted or drawn from."""

from tailweave.clients.generators.diffusion.model import Diffusion

__all__ = ["Diffusion"]
