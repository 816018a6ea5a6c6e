# SPDX-License-Identifier: Apache-2.0
"""Columns that do not vary leave a run's numbers as they are, whatever the feature map."""

import numpy as np
import pytest
import yaml

import tailweave

CONFIG = {
    "name": "constant",
    "seeds": 1,
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian-mixture", "components": 3},
    "recursion": {"generations": 1, "samples": 80, "candidates-per-sample": 1},
    "arms": [{"name": "no-selection", "rule": "random"}],
}


@pytest.mark.parametrize("level", [[0.0] * 4, [7.0, 7.0, 7.0, 7.000001]])
def test_generation_zero_stays_precise_beside_constant_columns(tmp_path, level):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 3)) + rng.integers(2, size=(400, 1)) * 6
    still = (
        np.tile(level, (400, 1)) if len(set(level)) == 1 else np.where(rng.random((400, 1)) < 0.5, 7.0, level)
    )
    np.savez(tmp_path / "rows.npz", x=np.concatenate([rows, still], axis=1))
    config = CONFIG | {
        "data": {"source": "npz", "path": "rows.npz", "standardize": False},
        "features": "standard",
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    run = tailweave.run(tmp_path / "c.yaml", out=tmp_path / "run")
    first = run.metrics()[0]
    assert first["precision"] > 0.85
    assert first["frechet"] < 1.0
