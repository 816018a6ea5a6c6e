# SPDX-License-Identifier: Apache-2.0
"""What there is to choose from, with one line each: read from the code, so it cannot be out of date."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from tailweave.protocols.config import data, features, references, training
from tailweave.protocols.config.rules import Rule
from tailweave.protocols.config.yaml_file import ConfigError, parse_yaml, read_text
from tailweave.simulation.chosen import named_configs
from tailweave.simulation.engines import ENGINES
from tailweave.simulation.report.wording import METRICS

_FEATURES = {
    "identity": "the columns as they are",
    "standard": "each column to mean 0, variance 1 on public samples",
    "pca": "principal axes of public samples",
    "random-projection": "a public random projection",
    "encoder": "images: a frozen public network, then principal axes of public samples",
}
_RULES = {
    "random": "no selection",
    "k-means": "as many clusters as picks, the candidate nearest each center",
    "center-matching": "the candidates nearest the reference's mean",
    "center-sampling": "drawn in proportion to the cosine with the reference's mean",
    "covariance-matching": "grow the subset whose covariance is nearest the reference's",
    "matching-alpha": "grow the subset of least predicted regression error against the reference",
    "fid-batches": "whole batches of 100, those nearest the reference in Fréchet distance",
    "ds3": "drawn from clusters that are nearest to a reference point",
    "latent-density": "whole batches of 64, those that lie densest",
    "farthest-point": "always the candidate farthest from all kept so far (greedy selection)",
    "threshold-decay": "candidates far from all kept so far, by a threshold that decays",
    "top-potential": "keep the best optimal-transport potentials: the published score-and-cut (Scheme II)",
    "nash": "greedy on the logarithms of the silos' utilities (Scheme I); one silo: top-potential",
    "herding": "pick the subset nearest the reference in energy distance (tailweave's own)",
    "partial-transport": "pick the subset nearest the reference in W2, by linear programming",
}


def catalogue(configs: Path | None = None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield sections with their entries: name and one line each.

    Args:
        configs: Folder of experiments, listed by path; by default those that come along, by name. The first
            comment line of each is its description.
    """
    found = named_configs() if configs is None else {str(path): path for path in configs.rglob("*.yaml")}
    yield "configs", [(name, _first_comment(found[name])) for name in sorted(found)]
    yield "data sources", list(_kinds(data.DataSpec, "source"))
    yield "partitions", list(_kinds(data.PartitionSpec, "kind"))
    kinds = get_args(features.FeaturesSpec.model_fields["kind"].annotation)
    yield "features", [(kind, _FEATURES[kind]) for kind in kinds]
    yield "generators", list(_kinds(training.GeneratorSpec, "kind"))
    yield "references", list(_kinds(references.ReferenceSpec, "kind"))
    yield "rules", [(rule, _RULES[rule]) for rule in get_args(Rule)]
    yield "metrics", [(name, metric.meaning) for name, metric in METRICS.items()]
    yield "engines", list(ENGINES.items())


def _kinds(union: object, field: str) -> Iterator[tuple[str, str]]:
    for model in get_args(get_args(union)[0]):
        for kind in get_args(model.model_fields[field].annotation):
            yield kind, (model.__doc__ or "").strip().splitlines()[0].replace("``", "")


def _first_comment(path: Path) -> str:
    try:
        text = read_text(path)
        raw = None if text.startswith("#") else parse_yaml(text, f"{path}:")
    except ConfigError:
        return "not an experiment"
    if text.startswith("#"):
        return text.splitlines()[0].lstrip("# ")
    return str(raw.get("name", "")) if isinstance(raw, dict) else "not an experiment"
