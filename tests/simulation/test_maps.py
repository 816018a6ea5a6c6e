# SPDX-License-Identifier: Apache-2.0
"""The map: truth, candidates and selected in one plane, from what the first silo kept."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tailweave.clients import storage
from tailweave.clients.node import world_of
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.maps import collect_maps, save_maps
from tailweave.simulation.prepare import prepare


@pytest.fixture
def stage(tiny, tmp_path):
    def make(**changes):
        config = tiny(**changes)
        experiment = load_experiment(config)
        features = prepare(experiment).kits[experiment.seeds[0]].features
        rng = np.random.default_rng(0)
        clouds = {}
        for arm in ("siloed", "sliced"):
            for generation in (1, 3):
                clouds[arm, generation] = rng.normal(size=(500, features.dimension))
                path = tmp_path / "state" / "seed-0" / "silo-0" / arm / f"snapshot-{generation}.npz"
                cloud = clouds[arm, generation]
                storage.save(path, {"candidates": cloud, "selected": cloud[:9]})
        return experiment, features, config, clouds, tmp_path / "state"

    return make


def test_all_clouds_lie_in_the_truths_own_plane(stage):
    experiment, features, config, clouds, state = stage()
    maps = collect_maps(experiment, features, config, state)
    evaluation = world_of(config, 0).evaluation
    truth = features(evaluation.values)
    plane = PCA(2, svd_solver="full").fit(truth)
    np.testing.assert_allclose(maps["truth_xy"], plane.transform(truth), atol=1e-10)
    assert maps["truth_label"].tolist() == evaluation.labels.tolist()
    for (arm, generation), cloud in clouds.items():
        expected = plane.transform(cloud)
        np.testing.assert_allclose(maps[f"{arm}/{generation}/candidates"], expected[:400], atol=1e-10)
        np.testing.assert_allclose(maps[f"{arm}/{generation}/selected"], expected[:9], atol=1e-10)


def test_what_a_silo_did_not_keep_is_left_out(stage):
    experiment, features, config, clouds, state = stage()
    names = set(collect_maps(experiment, features, config, state))
    drawn = {f"{arm}/{g}/{cloud}" for arm, g in clouds for cloud in ("candidates", "selected")}
    assert names == {"truth_xy", "truth_label"} | drawn


def test_one_feature_gives_a_map_on_a_line(stage):
    experiment, features, config, _, state = stage(features={"kind": "pca", "dimensions": 1})
    maps = collect_maps(experiment, features, config, state)
    for name, points in maps.items():
        if name != "truth_label":
            assert points.shape[1] == 2
            assert np.array_equal(points[:, 1], np.zeros(len(points)))


def test_maps_are_saved_whole_and_without_pickle(tmp_path):
    save_maps(tmp_path / "maps.npz", {"truth_xy": np.zeros((2, 2)), "truth_label": np.array(["a", "b"])})
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as archive:
        assert archive["truth_label"].tolist() == ["a", "b"]
    assert [file.name for file in tmp_path.iterdir()] == ["maps.npz"]
