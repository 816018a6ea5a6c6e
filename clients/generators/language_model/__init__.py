# SPDX-License-Identifier: Apache-2.0
"""Generator ``language-model``; torch and transformers are imported only when a model is fitted or used."""

from tailweave.clients.generators.language_model.measure import size_of, speeds
from tailweave.clients.generators.language_model.model import LanguageModel
from tailweave.clients.generators.trained import TrainedKind
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.kinds.implementing import implements

implements(LanguageModelSpec)(TrainedKind(LanguageModel, "a language model", size_of, speeds))

__all__ = ["LanguageModel"]
