# SPDX-License-Identifier: Apache-2.0
"""What is said of a table's levels before a run: whether a sketch has a direction for each."""

import pytest
import yaml

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.streams import stream
from tailweave.simulation.prepare import prepare

CONFIG = {
    "name": "levels",
    "seeds": 1,
    "data": {
        "source": "csv",
        "path": "x.csv",
        "columns": {"c": {"kind": "category", "levels": 9}, "x": {"kind": "number", "optional": True}},
    },
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 30},
    "arms": [{"name": "together", "rule": "herding", "reference": {"kind": "sliced"}}],
}


@pytest.mark.parametrize(("directions", "said"), [(19, True), (20, False)])
def test_levels_without_a_direction_are_said_with_both_counts(tmp_path, directions, said):
    rng = stream(0, "levels")
    lines = [f"{rng.integers(9)},{rng.normal():.3f}" for _ in range(120)]
    (tmp_path / "x.csv").write_text("\n".join(["c,x", *lines, "0,", "1,"]) + "\n")
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(CONFIG))
    change = {"arms.together.reference.directions": directions}
    found = prepare(load_experiment(tmp_path / "e.yaml", change)).warnings
    wanted = (
        "arm together: of reference.directions = 19 none is a level's own, as the 10 levels of the table's "
        "columns would take more than half of them; for rare levels to be seen at once, set 20 or more"
    )
    assert (wanted in found) == said
