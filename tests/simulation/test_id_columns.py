# SPDX-License-Identifier: Apache-2.0
"""A column that numbers the rows is named before a run; a measure in whole numbers is not."""

import yaml

from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.prepare import prepare


def test_a_column_that_numbers_the_rows_is_told(tmp_path):
    rows = (f"{1000 + 7 * i},{i % 11},{i * i % 13},{i / 8}" for i in range(120))
    (tmp_path / "own.csv").write_text("\n".join(["patient,age,dose,x", *rows]))
    config = {
        "name": "numbered",
        "seeds": 1,
        "data": {"source": "csv", "path": "own.csv"},
        "silos": {"count": 2, "partition": {"kind": "iid"}},
        "generator": {"kind": "gaussian"},
        "recursion": {"generations": 1, "samples": 20},
        "arms": [{"name": "siloed", "rule": "herding", "reference": "local"}],
    }
    path = tmp_path / "numbered.yaml"
    path.write_text(yaml.safe_dump(config))
    (note,) = [one for one in prepare(load_experiment(path)).warnings if "as IDs do" in one]
    assert "in each row, as IDs do: 'patient';" in note
    assert "ignore" in note
