# SPDX-License-Identifier: Apache-2.0
"""What a silo's owner would refuse is found before any fit, alike by a run, a dry run and an audit."""

import re

import numpy as np
import pytest
import yaml

from tailweave.clients.release.policy import Policy, PolicyError, check_rows, largest_delta
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.simulation.owners import _shown

MAP = FeatureMap(np.zeros(1), np.eye(1), np.zeros(1), 1.0)
SLICED = {"kind": "sliced", "directions": 16, "coefficients": 4}
CONFIG = {
    "name": "asked",
    "seeds": 1,
    "data": {"source": "gaussian-modes", "rows": 1000, "dimensions": 2, "modes": 3, "rare-modes": 0},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 60},
    "arms": [{"name": "woven", "rule": "herding", "reference": SLICED}],
}


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("audit",)])
@pytest.mark.parametrize(
    ("privacy", "message"),
    [
        (
            {"epsilon": 2, "delta": 1e-3, "min-rows": 100},
            r"silo-0 holds 270 rows, .* counts as 200 or more, so at most 2\.0e-04 is allowed, got 0\.001",
        ),
        ({"epsilon": 2, "min-rows": 300}, "holds 270 rows, which it counts as 200 .* privacy.min-rows = 300"),
    ],
)
def test_a_release_that_owners_refuse_is_refused_before_a_folder_is_made(
    tailweave, tmp_path, command, privacy, message
):
    path, out = tmp_path / "asked.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(CONFIG | {"privacy": privacy}))
    code, _, said = tailweave(command[0], path, *command[1:], "--out", out)
    assert code == 2
    assert re.search(message, said)
    assert not out.exists()


@pytest.mark.parametrize("rows", [1, 3, 19, 20, 99, 100, 4999, 5000, 99_999])
def test_the_delta_that_is_said_to_be_allowed_is_allowed(rows):
    bound = float(_shown(largest_delta(rows)))

    def asked(delta: float) -> ReleaseRequest:
        privacy = PrivacySpec(epsilon=1.0, delta=delta, min_rows=1)
        return ReleaseRequest(SlicedReference(kind="sliced"), privacy, MAP, 0)

    policy = Policy(min_rows=1)
    check_rows(policy, asked(bound), rows)
    with pytest.raises(PolicyError, match="delta"):
        check_rows(policy, asked(1.2 * bound), rows)
