# SPDX-License-Identifier: Apache-2.0
"""References that hand out rows: the silos' own answers, and how many rows stand in them."""

import numpy as np
import pytest

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.transport.projection import project, towards
from tailweave.simulation.audit.published import NAMES, published
from tailweave.simulation.audit.raw_rows import ALL_ATOMS, answer, described, forced
from tailweave.simulation.audit.scene import Scene, raw_arms

SCHEME_2, SCHEME_1 = {"kind": "barycenter", "support": 50}, {"kind": "geodesic", "interpolation": 0.2}


def experiment(*references):
    return Experiment.model_validate(
        {
            "name": "small",
            "seeds": 1,
            "data": {"source": "gaussian-modes", "rows": 300, "dimensions": 3, "modes": 3, "rare-modes": 0},
            "silos": {"count": 3, "partition": {"kind": "iid"}},
            "generator": {"kind": "gaussian"},
            "recursion": {"generations": 1, "samples": 20},
            "arms": [
                {"name": f"arm-{i}", "rule": "herding", "reference": reference}
                for i, reference in enumerate(references)
            ],
            "privacy": {"epsilon": None, "allow-raw-row-leakage": True},
        }
    )


def scene_of(config):
    return Scene.of(config, 0)


def exact(finding):
    return {a.name: (a.recovery.exact, a.recovery.rows) for a in finding.attacks}


def test_a_silo_is_asked_what_a_run_asks_it():
    config = experiment({**SCHEME_1, "support": 40})
    scene, (spec,) = scene_of(config), raw_arms(config)
    silo = scene.world.silos[2]
    support = scene.public[:40]
    expected = towards(support, project(support, scene.rows(silo)).image, 0.2)
    np.testing.assert_allclose(answer(scene, silo, spec, support), expected, atol=1e-12)


@pytest.mark.parametrize("reference", [SCHEME_2, SCHEME_1], ids=NAMES)
@pytest.mark.parametrize(("per_row", "least", "most"), [(0.5, 0, 0), (1, 1, 1), (1.5, 0.6, 0.99), (2, 1, 1)])
def test_rows_are_found_by_one_atom_each_and_none_by_fewer(reference, per_row, least, most):
    rows = len(scene_of(experiment(reference)).world.silos[0].train)
    config = experiment({**reference, "support": int(per_row * rows)})
    (found,) = forced(scene_of(config), config)
    recovered, attacked = exact(found)["inverse map"]
    assert attacked == 3 * rows
    assert least <= recovered / attacked <= most
    assert exact(found)[ALL_ATOMS] == (rows, rows)  # whatever the config asks for
    assert (found.verdict, found.epsilon, found.role) == ("broken", None, "as configured")


def test_entropy_protects_nothing_that_a_server_cannot_ask_without():
    config = experiment({**SCHEME_2, "transport": "entropic", "entropic-reg": 2.0})
    (found,) = forced(scene_of(config), config)
    assert exact(found)["inverse map"][0] == 0
    assert exact(found)[ALL_ATOMS][0] == exact(found)[ALL_ATOMS][1] > 50
    with pytest.raises(Refusal, match="entropic-reg: 1e-09"):
        list(
            forced(scene_of(config), experiment({**SCHEME_2, "transport": "entropic", "entropic-reg": 1e-9}))
        )


def test_a_silo_of_more_rows_than_there_are_public_atoms_is_asked_once():
    config = experiment(SCHEME_2)
    scene = scene_of(config)
    few = Scene(scene.world, scene.features, scene.space, scene.public[:50], scene.seed)
    (found,) = forced(few, config)
    assert list(exact(found)) == ["inverse map"]
    assert "smallest silo" not in found.note


def test_each_reference_is_one_finding_and_not_one_for_comparison():
    config = experiment(SCHEME_2, {**SCHEME_2, "support": 60}, SCHEME_2)
    scene = scene_of(config)
    found = list(forced(scene, config))
    assert [(f.protocol, f.arms) for f in found] == [
        ("barycenter, 50 atoms (Scheme II)", ("arm-0", "arm-2")),
        ("barycenter, 60 atoms (Scheme II)", ("arm-1",)),
    ]
    assert [f.protocol for f in published(scene, config)] == [NAMES["geodesic"]]
    assert published(scene, experiment(SCHEME_2, SCHEME_1)) == ()
    (spec,) = raw_arms(experiment(SCHEME_1))
    assert described(spec) == "geodesic, 200 atoms (Scheme I and FedWaD)"
