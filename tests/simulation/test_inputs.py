# SPDX-License-Identifier: Apache-2.0
"""A run goes on with the rows and files that it began with, or not at all."""

import numpy as np
import pytest
import yaml

from tailweave.clients.data.digest import digest_of
from tailweave.clients.samples import TEXT, Samples
from tailweave.simulation import run
from tailweave.simulation.inputs import inputs_of

CONFIG = {
    "name": "began",
    "seeds": 1,
    "data": {"source": "csv", "path": "own.csv", "label": "y"},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 2, "samples": 30, "candidates-per-sample": 2},
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {
            "name": "woven",
            "rule": "herding",
            "reference": {"kind": "sliced", "directions": 4, "coefficients": 2},
        },
    ],
    "privacy": {"epsilon": None},
}


def table(rows: int, shift: float = 0.0) -> str:
    lines = (f"{i % 7 + shift},{i * i % 11},{'ab'[i % 2]}" for i in range(rows))
    return "\n".join(["u,v,y", *lines]) + "\n"


def interrupted(tailweave, tmp_path, monkeypatch, **changes):
    """Return the config of a run that was interrupted before its first message, and its folder."""
    path, out = tmp_path / "began.yaml", tmp_path / "out"
    (tmp_path / "own.csv").write_text(table(120))
    path.write_text(yaml.safe_dump(CONFIG | changes))
    with monkeypatch.context() as patch:
        patch.setattr(run, "run_with_progress", lambda *_: (_ for _ in ()).throw(OSError("interrupted")))
        assert tailweave("run", path, "--out", out)[0] == 1
    return path, out


@pytest.mark.parametrize("changed", [table(120, 0.1), table(119), table(120).replace(",a", ",b", 1)])
def test_other_rows_of_the_same_shape_are_refused_by_name(tailweave, tmp_path, monkeypatch, changed):
    path, out = interrupted(tailweave, tmp_path, monkeypatch)
    before = sorted(one.name for one in out.iterdir())
    (tmp_path / "own.csv").write_text(changed)
    code, _, said = tailweave("run", path, "--out", out, "--resume")
    assert (code, f"--resume: changed since the run began: data (csv {tmp_path / 'own.csv'})" in said) == (
        2,
        True,
    )
    assert sorted(one.name for one in out.iterdir()) == before
    (tmp_path / "own.csv").write_text(table(120))
    assert tailweave("run", path, "--out", out, "--resume")[0] == 0
    (tmp_path / "own.csv").write_text(changed)  # what was sent is of other rows than these
    code, _, said = tailweave("audit", out, "--canary-runs", 100, "--questions", 100)
    assert (code, "changed since the run began: data" in said) == (2, True)


def test_another_base_is_refused_by_name(tailweave, tmp_path, monkeypatch):
    from tailweave.protocols.base_file import save_base

    base = {"mean": np.zeros(2), "covariance": np.eye(2)}
    save_base(tmp_path / "base.npz", "gaussian", base)
    generator = {"kind": "gaussian", "start": {"path": "base.npz"}}
    path, out = interrupted(tailweave, tmp_path, monkeypatch, generator=generator)
    save_base(tmp_path / "base.npz", "gaussian", base | {"mean": np.ones(2)})
    code, _, said = tailweave("run", path, "--out", out, "--resume")
    assert (code, f"generator.start.path ({tmp_path / 'base.npz'})" in said) == (2, True)


def test_a_folder_of_an_encoder_counts_with_all_its_files(tiny, tmp_path, monkeypatch):
    from tailweave.protocols.config.load import load_experiment
    from tailweave.simulation.inputs import _digest

    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    before = _digest(folder)
    (folder / "weights").write_text("1")
    after = _digest(folder)
    (folder / "weights").rename(folder / "heights")
    assert len({before, after, _digest(folder)}) == 3
    assert list(inputs_of(load_experiment(tiny(seeds=1)))) == ["data"]


def test_a_digest_tells_apart_what_runs_would_not_take_for_the_same():
    rows = np.arange(6.0).reshape(3, 2)
    found = [
        Samples.of(rows),
        Samples.of(rows[::-1]),
        Samples.of(rows, ["a", "b", "c"]),
        Samples.of(rows, ["a", "bc", "d"]),
        Samples.of(rows, ["ab", "c", "d"]),
        Samples.of(rows.reshape(2, 3)),
        Samples.of(["one", "two"], sort=TEXT),
        Samples.of(["onet", "wo"], sort=TEXT),
    ]
    assert len({digest_of(one) for one in found}) == len(found)
    assert digest_of(Samples.of(rows)) == digest_of(Samples.of(rows.copy()))
    assert digest_of(found[0], found[1]) != digest_of(found[1], found[0])
