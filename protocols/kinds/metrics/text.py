# SPDX-License-Identifier: Apache-2.0
"""What is measured of documents: of their words, and of what a language model makes of held-out texts."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind

_SHARE = 1.0 + 1e-9
"""Highest of a share that is a mean or a sum."""


class _OfText(MetricKind):
    takes: ClassVar = ("text",)


class Perplexity(_OfText):
    """Perplexity of held-out documents of all groups under the model."""

    kind: Literal["perplexity"]
    title: ClassVar = "perplexity"
    better: ClassVar = "lower"
    low: ClassVar = 1.0 - 1e-9
    place: ClassVar = 20
    rank: ClassVar = 24


class PerplexityOwn(_OfText):
    """Perplexity of held-out documents of the groups that the silo has."""

    kind: Literal["perplexity_own"]
    title: ClassVar = "perplexity, own"
    better: ClassVar = "lower"
    low: ClassVar = 1.0 - 1e-9
    place: ClassVar = 21
    rank: ClassVar = 25


class PerplexityUnseen(_OfText):
    """Perplexity of held-out documents of groups that the silo itself has none of."""

    kind: Literal["perplexity_unseen"]
    title: ClassVar = "perplexity, unseen"
    better: ClassVar = "lower"
    role: ClassVar = "main"
    low: ClassVar = 1.0 - 1e-9
    place: ClassVar = 22
    rank: ClassVar = 20


class GroupPerplexity(_OfText):
    """Perplexity of held-out documents of one group."""

    kind: Literal["group_perplexity"]
    per_class: ClassVar = True
    title: ClassVar = "perplexity of a group"
    better: ClassVar = "lower"
    role: ClassVar = "part"
    low: ClassVar = 1.0 - 1e-9
    place: ClassVar = 23


class Top1Mass(_OfText):
    """Probability of the likeliest next token, mean over fixed contexts."""

    kind: Literal["top1_mass"]
    title: ClassVar = "top-1 mass"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 24
    rank: ClassVar = 26


class Top10Mass(_OfText):
    """Probability of the ten likeliest next tokens together, mean over fixed contexts."""

    kind: Literal["top10_mass"]
    title: ClassVar = "top-10 mass"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = _SHARE
    place: ClassVar = 25
    rank: ClassVar = 21


class NextTokenEntropy(_OfText):
    """Entropy of the hundred likeliest next tokens in nats, mean over fixed contexts."""

    kind: Literal["next_token_entropy"]
    title: ClassVar = "next-token entropy"
    better: ClassVar = "higher"
    decimals: ClassVar = 2
    high: ClassVar = 5.0  # log 100 is 4.6
    place: ClassVar = 26
    rank: ClassVar = 27


class NextTokenGini(_OfText):
    """Gini coefficient of the hundred likeliest next tokens, mean over fixed contexts."""

    kind: Literal["next_token_gini"]
    title: ClassVar = "next-token Gini"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    low: ClassVar = -1e-9
    high: ClassVar = _SHARE
    place: ClassVar = 27
    rank: ClassVar = 28


class LexicalEntropy(_OfText):
    """Entropy of a document's words over the most that as many could have; without stop words."""

    kind: Literal["lexical_entropy"]
    title: ClassVar = "lexical entropy"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 28
    rank: ClassVar = 29


class TypeTokenRatio(_OfText):
    """Different words of a document over all its words; without stop words."""

    kind: Literal["type_token_ratio"]
    title: ClassVar = "type-token ratio"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 29
    rank: ClassVar = 30


class Distinct2(_OfText):
    """Different pairs of neighbouring words over all pairs, in 300 documents."""

    kind: Literal["distinct_2"]
    title: ClassVar = "distinct-2"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    place: ClassVar = 30
    rank: ClassVar = 22


class Repetition(_OfText):
    """Share of a document's four words in a row that stood in it before."""

    kind: Literal["repetition"]
    title: ClassVar = "repetition"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 31
    rank: ClassVar = 31


class NetworkDensity(_OfText):
    """Linked pairs of frequent words over all pairs, where words that often stand together are linked."""

    kind: Literal["network_density"]
    title: ClassVar = "network density"
    decimals: ClassVar = 3
    high: ClassVar = 1.0
    place: ClassVar = 32
    rank: ClassVar = 32


class NetworkClustering(_OfText):
    """How often two words that are linked to a third are linked too."""

    kind: Literal["network_clustering"]
    title: ClassVar = "network clustering"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 33
    rank: ClassVar = 33


class NetworkModularity(_OfText):
    """How far the network of words falls into communities."""

    kind: Literal["network_modularity"]
    title: ClassVar = "network modularity"
    decimals: ClassVar = 3
    low: ClassVar = -0.5 - 1e-9
    high: ClassVar = 1.0
    place: ClassVar = 34
    rank: ClassVar = 34


class NetworkDegreeGini(_OfText):
    """How unequally links are spread over words (Gini coefficient)."""

    kind: Literal["network_degree_gini"]
    title: ClassVar = "network Gini"
    decimals: ClassVar = 3
    high: ClassVar = 1.0
    place: ClassVar = 35
    rank: ClassVar = 35


class GroupDistance(_OfText):
    """Sum over groups of how far their share of the samples is from that of the truth."""

    kind: Literal["group_distance"]
    title: ClassVar = "distance of groups"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 2.0 + 1e-9
    place: ClassVar = 36
    rank: ClassVar = 23


class PickedDistance(_OfText):
    """Sum over groups of how far their share of what the model was trained on is from that of the truth."""

    kind: Literal["picked_distance"]
    title: ClassVar = "distance of groups, picked"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 2.0 + 1e-9
    sees: ClassVar = "training"
    place: ClassVar = 38
    rank: ClassVar = 23


class ChoiceAccuracy(_OfText):
    """Share of multiple-choice questions whose right ending the model finds likeliest."""

    kind: Literal["choice_accuracy"]
    title: ClassVar = "choices right"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    high: ClassVar = 1.0
    place: ClassVar = 37
    rank: ClassVar = 36
