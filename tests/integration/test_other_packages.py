# SPDX-License-Identifier: Apache-2.0
"""Another package brings a rule, a generator, a metric and a source: found by name, and nothing is edited."""

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
from tailweave.protocols.kinds.rules.base import RuleKind
from tailweave.protocols.kinds.sources.base import SourceKind


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
'''
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
    ],
    "privacy": {"min-rows": 20},
}
BROUGHT = ("every-nth", "jitter", "reach", "rings")


def install(folder: Path, code: str, entries: dict[str, str]) -> None:
    """What pip leaves of a package: the module, and what it says of itself."""
    (folder / "other_kinds.py").write_text(code)
    said = folder / "other_kinds-1.0.dist-info"
    said.mkdir(parents=True)
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: other-kinds\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (said / "entry_points.txt").write_text(f"[tailweave.kinds]\n{lines}")


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    names = {"every-nth": "EveryNth", "jitter": "Jitter", "reach": "Reach", "rings": "Rings"}
    install(folder, CODE, {name: f"other_kinds:{made}" for name, made in names.items()})
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
    assert {row["arm"] for row in rows} == {"thinned", "collaborative"}
    assert all(row["reach"] > 0 for row in rows)
    stored = yaml.safe_load((site / "out/config.yaml").read_text())
    assert stored["arms"][0]["rule"] == {"kind": "every-nth", "step": 3}
    page = (site / "out/report.html").read_text()
    assert "reach of rows" in page
    assert "Largest distance of a generated row" in page
    tailweave(site, "run", config(site), "--out", site / "again", "--workers", 2)
    assert (site / "again/metrics.jsonl").read_bytes() == (site / "out/metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_a_run_is_reported_where_its_kinds_are_gone(site, tmp_path):
    tailweave(site, "run", config(site), "--out", site / "out")
    bare = tmp_path / "bare"
    bare.mkdir()
    tailweave(bare, "report", site / "out")
    assert "reach of rows" in (site / "out/report.html").read_text()


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
            {"arms": [{"name": "a", "rule": "herding", "reference": "slicd"}]},
            "'slicd' is unknown; did you mean 'sliced'?",
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
