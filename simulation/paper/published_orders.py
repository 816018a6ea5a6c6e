# SPDX-License-Identifier: Apache-2.0
"""What arXiv 2606.13732 says about the order of selection rules, and what this project sets itself.

Source: headline table of the paper after ten generations (published-facts section 1.10): Fréchet (Inception)
distance on CIFAR-10, STL-10 and CelebA, recall on CIFAR-10.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tailweave.simulation.paper.orders import Order, Pick, Way

RANDOM: Pick = ("random", None)
KMEANS: Pick = ("k-means", None)
CENTER: Pick = ("center-matching", "local")
COVARIANCE: Pick = ("covariance-matching", "local")
SCHEME_1: Pick = ("nash", "geodesic")
SCHEME_2: Pick = ("top-potential", "barycenter")
SCHEMES = (SCHEME_1, SCHEME_2)
SLICED: Pick = ("herding", "sliced")
QUANTIZED: Pick = ("herding", "quantized")

FRECHET: Mapping[Pick, tuple[int, int, int]] = {
    RANDOM: (106, 95, 96),
    KMEANS: (102, 89, 87),
    CENTER: (116, 111, 87),
    COVARIANCE: (115, 131, 92),
    SCHEME_2: (85, 69, 75),
    SCHEME_1: (71, 65, 69),
}
"""CIFAR-10, STL-10, CelebA; lower is better."""
RECALL: Mapping[Pick, float] = {
    RANDOM: 0.48,
    KMEANS: 0.40,
    CENTER: 0.35,
    COVARIANCE: 0.47,
    SCHEME_2: 0.57,
    SCHEME_1: 0.58,
}
"""CIFAR-10; higher is better."""

_NAMES = {
    RANDOM: "random",
    KMEANS: "k-means",
    CENTER: "center-matching on own rows",
    COVARIANCE: "covariance-matching on own rows",
    SCHEME_1: "Scheme I",
    SCHEME_2: "Scheme II",
    SLICED: "herding on the sliced mixture",
    QUANTIZED: "herding on the quantized mixture",
}
_SILOED = "Rules that judge by the silo's own rows, against random"
_KMEANS = "k-means, which compares with nothing, against random"
_SCHEMES = "The paper's two schemes"
_BEYOND = "Beyond the paper: herding on summaries of all silos"
_PROXIES = "A reference of all silos against the silo's own rows, under the same rule"
_SUBSETS = "Picking a subset against scoring and cutting, on the same reference"
_OURS = "not published; set by this project"
_RECALL_NOTE = (
    "The published recall is not the standard one: its threshold is a mean of neighbour distances, and it is "
    "near .5 for most pairs of samples; ours is that of Kynkäänniemi et al. (2019)"
)
_DATA = ("CIFAR-10", "STL-10", "CelebA")


def verification_orders() -> list[Order]:
    """Return every claim on an order that ``configs/paper/biased-verification.yaml`` measures."""
    return [*_siloed(), *_kmeans(), *_schemes((CENTER, COVARIANCE)), *_beyond()]


def _siloed() -> Iterator[Order]:
    for pick in (CENTER, COVARIANCE):
        yield Order(
            _SILOED,
            f"coverage of {_NAMES[pick]} below that of random",
            "claimed in words: siloed selection prunes what the silo has never seen",
            "coverage",
            pick,
            "below",
            (RANDOM,),
        )
        yield _frechet(_SILOED, pick, "above", RANDOM)
        yield _recall(_SILOED, pick, "below", RANDOM)


def _kmeans() -> Iterator[Order]:
    yield _frechet(_KMEANS, KMEANS, "below", RANDOM)
    yield _recall(_KMEANS, KMEANS, "below", RANDOM)


def _schemes(siloed: tuple[Pick, ...]) -> Iterator[Order]:
    for pick in SCHEMES:
        for rival in siloed:
            yield _frechet(_SCHEMES, pick, "below", rival)
        yield _frechet(_SCHEMES, pick, "below", RANDOM)
        yield _recall(_SCHEMES, pick, "above", RANDOM)
    yield _frechet(_SCHEMES, SCHEME_1, "below", SCHEME_2)
    yield _recall(_SCHEMES, SCHEME_1, "above", SCHEME_2)


def _beyond() -> Iterator[Order]:
    better = "of the better scheme"
    yield Order(
        _BEYOND,
        f"Fréchet of {_NAMES[SLICED]} at most 1/5 {better}",
        _OURS,
        "frechet",
        SLICED,
        "below",
        SCHEMES,
        0.2,
    )
    yield Order(
        _BEYOND,
        f"coverage of {_NAMES[SLICED]} at least twice that {better}",
        _OURS,
        "coverage",
        SLICED,
        "above",
        SCHEMES,
        2.0,
    )
    for pick in (SLICED, QUANTIZED):
        for rivals, who in ((SCHEMES, "of the better scheme"), ((RANDOM,), "of random")):
            yield from _better(_BEYOND, f"{_NAMES[pick]}", pick, rivals, who)


def crossed_orders() -> list[Order]:
    """Return every claim on an order that ``configs/paper/crossed.yaml`` measures."""
    return [*_proxies(), *_subsets(), *_schemes(()), *_beyond()]


def _proxies() -> Iterator[Order]:
    said = "claimed in words: a reference of all silos saves what a siloed verifier loses"
    for rule in ("top-potential", "nash"):
        for kind in ("barycenter", "geodesic"):
            for order in _better(
                _PROXIES, f"{rule} on {kind}", (rule, kind), ((rule, "local"),), "on own rows"
            ):
                yield replace(order, published=said)


def _subsets() -> Iterator[Order]:
    for kind in ("local", "barycenter", "geodesic", "quantized", "oracle"):
        yield from _better(
            _SUBSETS,
            f"herding on {kind}",
            ("herding", kind),
            (("top-potential", kind),),
            "of top-potential on it",
        )


def _better(section: str, name: str, pick: Pick, rivals: tuple[Pick, ...], who: str) -> Iterator[Order]:
    yield Order(section, f"Fréchet of {name} below that {who}", _OURS, "frechet", pick, "below", rivals)
    yield Order(section, f"coverage of {name} above that {who}", _OURS, "coverage", pick, "above", rivals)


def _frechet(section: str, pick: Pick, way: Way, rival: Pick) -> Order:
    values = list(zip(_DATA, FRECHET[pick], FRECHET[rival], strict=True))
    published = "; ".join(f"{data} {mine} against {theirs}" for data, mine, theirs in values)
    against = [data for data, mine, theirs in values if (mine > theirs) != (way == "above")]
    note = f"On {', '.join(against)} the published order is the other way round" if against else ""
    text = f"Fréchet of {_NAMES[pick]} {way} that of {_NAMES[rival]}"
    return Order(section, text, published, "frechet", pick, way, (rival,), note=note)


def _recall(section: str, pick: Pick, way: Way, rival: Pick) -> Order:
    text = f"recall of {_NAMES[pick]} {way} that of {_NAMES[rival]}"
    published = f"CIFAR-10 {RECALL[pick]:.2f} against {RECALL[rival]:.2f}"
    return Order(section, text, published, "recall", pick, way, (rival,), note=_RECALL_NOTE)
