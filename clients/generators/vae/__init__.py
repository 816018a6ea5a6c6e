# SPDX-License-Identifier: Apache-2.0
"""Generator ``vae``; torch is imported only when a model is fitted or drawn from."""

from tailweave.clients.generators.trained import TrainedKind
from tailweave.clients.generators.vae.measure import size_of, speeds
from tailweave.clients.generators.vae.model import Vae
from tailweave.protocols.kinds.generators.vae import VaeSpec
from tailweave.protocols.kinds.implementing import implements

implements(VaeSpec)(TrainedKind(Vae, "an autoencoder", size_of, speeds))

__all__ = ["Vae"]
