# SPDX-License-Identifier: Apache-2.0
"""Another package brings a kind of each family: found by name, and nothing is edited."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CODE = '''
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tailweave.clients.samples import Numbers, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.generators.base import LocalOrShared
from tailweave.protocols.kinds.metrics.base import MetricKind
from tailweave.protocols.kinds.references.base import ReferenceKind, SummarisedReference
from tailweave.protocols.kinds.rules.base import RuleKind
from tailweave.protocols.kinds.sources.base import SourceKind
from tailweave.protocols.kinds.studies.base import StudyKind
from tailweave.protocols.privacy.mechanisms import Mechanism, grid
from tailweave.protocols.references import Empirical, Summarised
from tailweave.simulation.studies.base import Study


class EveryNth(RuleKind):
    """One candidate in every ``step``, from the first on."""

    kind: Literal["every-nth"]
    compares: ClassVar = "nothing"
    step: int = 2


@implements(EveryNth)
def every_nth(spec, candidates, reference, rng):
    return np.arange(candidates.count) * spec.step


class Jitter(LocalOrShared):
    """Training rows with noise added."""

    kind: Literal["jitter"]
    noise: float = 0.1


@dataclass(frozen=True)
class Model:
    rows: Samples
    noise: float

    def sample(self, count, *, rng):
        some = self.rows.values[rng.integers(len(self.rows), size=count)]
        return Samples.of(some + self.noise * rng.standard_normal(some.shape), sort=self.rows.sort)

    def arrays(self):
        return {"rows": self.rows.values}


@implements(Jitter)
class JitterKind:
    @staticmethod
    def fit(spec, samples, **_):
        return Model(samples, spec.noise)

    @staticmethod
    def read(spec, arrays, sort):
        return Model(Samples.of(arrays["rows"], sort=sort), spec.noise)


class Reach(MetricKind):
    """Largest distance of a generated row from the truth's mean."""

    kind: Literal["reach"]
    title: ClassVar = "reach of rows"
    role: ClassVar = "main"
    better: ClassVar = "one"


@implements(Reach)
def reach(spec, yardstick, samples, features):
    return float(np.linalg.norm(features - yardstick.truth.mean(axis=0), axis=1).max())


class Halved(ReferenceKind):
    """Every other row of the silo's own."""

    kind: Literal["halved"]


@implements(Halved)
def halved(spec, rows, space):
    return Empirical.of(rows[::2])


class SiloMeans(SummarisedReference):
    """The mean of each silo, within ``reach`` public radii."""

    kind: Literal["silo-means"]
    reach: float = 3.0


@dataclass(frozen=True)
class Mean:
    total: np.ndarray
    count: float

    def arrays(self):
        return {"total": self.total, "count": np.array([self.count])}


def clipped(rows, spec, space):
    away = (rows - space.center) / space.scale
    return away * np.minimum(1.0, spec.reach / np.linalg.norm(away, axis=1, keepdims=True))


def noised(rows, spec, space, z, *, noise):
    known = np.column_stack([clipped(rows, spec, space), np.ones(len(rows))])
    scale = z * (np.hypot(spec.reach, 1.0) + grid.rounding(known.shape[1]))
    sums = grid.noised(np.rint(known / grid.GRID).sum(axis=0), scale, noise)
    return Mean(sums[:-1], max(1.0, float(sums[-1])))


@implements(SiloMeans)
class Means(Summarised):
    summary = Mean
    mechanism = Mechanism("clipped-mean", "Gaussian noise on a clipped mean", noised)

    def summarise(self, rows, space, smallest, rng):
        return Mean(clipped(rows, self.spec, space).sum(axis=0), float(len(rows)))

    def read(self, arrays, dimension, exact):
        return Mean(arrays["total"], float(arrays["count"][0]))

    def weave(self, summaries, weights):
        return {"means": np.stack([summary.total / summary.count for summary in summaries])}

    def proxy(self, arrays, space):
        return Empirical.of(space.center + space.scale * arrays["means"])


class Rings(SourceKind):
    """Two rings, one in the other."""

    source: Literal["rings"]
    rows: int = 400


@implements(Rings)
def rings(spec, *, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=spec.rows)
    angle, radius = rng.uniform(0, 2 * np.pi, spec.rows), 1.0 + labels + 0.1 * rng.standard_normal(spec.rows)
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return Samples.of(values, labels, Numbers(("x", "y")))


class Dice(StudyKind):
    """A die is thrown."""

    study: Literal["dice"]
    title: ClassVar = "A die, published against reproduced"
    seeds: tuple[int, ...] = (0, 1, 2)
    throws: int = 1000


@implements(Dice)
class Throws(Study):
    def tasks(self):
        return self.spec.seeds

    def rows(self, task):
        throws = np.random.default_rng(task).integers(1, 7, self.spec.throws)
        return [{"seed": task, "generation": 0, "mean": float(throws.mean())}]

    def figures(self, rows):
        return {}
'''
PUBLISHED = """
- {section: Dice, quantity: mean of a die, source: folklore, metric: mean, published: 3.5,
   rule: {kind: within, size: 0.5}}
"""
CONFIG = {
    "name": "rings",
    "seeds": 1,
    "data": {"source": "rings", "rows": 300},
    "silos": {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 1}},
    "generator": {"kind": "jitter", "noise": 0.05},
    "recursion": {"generations": 2, "samples": 60, "candidates-per-sample": 3},
    "arms": [
        {"name": "thinned", "rule": {"kind": "every-nth", "step": 3}},
        {"name": "collaborative", "rule": "herding", "reference": "sliced"},
        {"name": "halved", "rule": "herding", "reference": "halved"},
        {"name": "means", "rule": "herding", "reference": {"kind": "silo-means", "reach": 2}, "epsilon": 8},
    ],
    "privacy": {"min-rows": 20},
}
BROUGHT = {"every-nth": "EveryNth", "jitter": "Jitter", "reach": "Reach", "rings": "Rings"}
BROUGHT |= {"halved": "Halved", "silo-means": "SiloMeans", "dice": "Dice"}


def install(folder: Path, code: str, entries: dict[str, str]) -> None:
    """What pip leaves of a package: the module, and what it says of itself."""
    (folder / "other_kinds.py").write_text(code)
    (folder / "published_other_kinds.yaml").write_text(PUBLISHED)
    said = folder / "other_kinds-1.0.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: other-kinds\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (said / "entry_points.txt").write_text(f"[tailweave.kinds]\n{lines}")


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, CODE, {name: f"other_kinds:{made}" for name, made in BROUGHT.items()})
    return folder


def tailweave(site: Path, *words: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tailweave.simulation.cli", *map(str, words)],
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY}", "COLUMNS": "100"},
        cwd=site,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def config(site: Path, **changes) -> Path:
    path = site / "rings.yaml"
    path.write_text(yaml.safe_dump(CONFIG | changes))
    return path


@pytest.mark.slow
def test_they_run_and_stand_in_the_report(site):
    printed = tailweave(site, "run", config(site), "--out", site / "out")
    assert "reach of" in printed  # the head of a column, which may be folded
    rows = [json.loads(line) for line in (site / "out/metrics.jsonl").read_text().splitlines()]
    assert {row["arm"] for row in rows} == {"thinned", "collaborative", "halved", "means"}
    assert all(row["reach"] > 0 for row in rows)
    stored = yaml.safe_load((site / "out/config.yaml").read_text())
    assert stored["arms"][0]["rule"] == {"kind": "every-nth", "step": 3}
    page = (site / "out/report.html").read_text()
    assert "reach of rows" in page
    assert "Gaussian noise on a clipped mean" in page
    assert "Largest distance of a generated row" in page
    tailweave(site, "run", config(site), "--out", site / "again", "--workers", 2)
    assert (site / "again/metrics.jsonl").read_bytes() == (site / "out/metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_a_run_is_reported_where_its_kinds_are_gone(site, tmp_path):
    tailweave(site, "run", config(site), "--out", site / "out")
    bare = tmp_path / "bare"
    bare.mkdir()
    tailweave(bare, "report", site / "out")
    page = (site / "out/report.html").read_text()
    assert "reach of rows" in page
    assert "no installed package brings this reference" in page


@pytest.mark.slow
def test_their_study_has_a_run_folder_and_a_page(site):
    (site / "dice.yaml").write_text("study: dice\n")
    tailweave(site, "run", site / "dice.yaml", "--out", site / "out", "--set", "throws=500")
    (found,) = json.loads((site / "out/published.json").read_text())
    assert (found["verdict"], found["ours"]["seeds"]) == ("agrees", 3)
    assert "A die, published against reproduced" in (site / "out/report.html").read_text()


def test_they_are_listed(site):
    listed = tailweave(site, "list")
    assert all(name in listed for name in BROUGHT)
    assert "One candidate in every step, from the first on." in listed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"arms": [{"name": "a", "rule": "every-nt"}]},
            "arms.0.rule: 'every-nt' is unknown; did you mean 'every-nth'?",
        ),
        ({"arms": [{"name": "a", "rule": {"kind": "every-nth", "stp": 2}}]}, "did you mean 'step'?"),
        ({"generator": {"kind": "jiter"}}, "generator.kind: 'jiter' is unknown; did you mean 'jitter'?"),
        ({"data": {"source": "ring"}}, "data.source: 'ring' is unknown; did you mean 'rings'?"),
        ({"features": {"kind": "identty"}}, "features.kind: 'identty' is unknown; did you mean 'identity'?"),
        (
            {"silos": {"count": 2, "partition": {"kind": "by-clas"}}},
            "silos.partition.kind: 'by-clas' is unknown; did you mean 'by-class'?",
        ),
        (
            {"arms": [{"name": "a", "rule": "herding", "reference": "silo-mean"}]},
            "'silo-mean' is unknown; did you mean 'silo-means'?",
        ),
    ],
    ids=["rule", "option", "generator", "source", "features", "partition", "reference"],
)
def test_a_misspelled_kind_is_refused_with_the_nearest(site, changes, told):
    said = tailweave(site, "run", config(site, **changes), "--out", site / "out", code=2)
    assert told in said
    assert not (site / "out").exists()


@pytest.mark.parametrize(
    ("code", "entries", "told"),
    [
        ("raise RuntimeError('no')", {"a": "other_kinds:A"}, "package other-kinds cannot be loaded"),
        ("A = 1", {"a": "other_kinds:A"}, "brings other_kinds:A, which is no spec of a kind"),
        (
            CODE.replace('"every-nth"', '"herding"'),
            {"a": "other_kinds:EveryNth"},
            "rule herding is brought by tailweave and by package other-kinds",
        ),
        (
            CODE.replace('    kind: Literal["every-nth"]', '    kind: str = "every-nth"'),
            {"a": "other_kinds:EveryNth"},
            "a rule names itself by a field kind",
        ),
    ],
    ids=["broken", "no-spec", "twice", "nameless"],
)
def test_a_package_that_cannot_be_used_is_named(tmp_path, code, entries, told):
    install(tmp_path, code, entries)
    assert told in tailweave(tmp_path, "list", code=2).replace("\n", " ")
