# SPDX-License-Identifier: Apache-2.0
"""Where things lie when nobody says where."""

from pathlib import Path

from tailweave.protocols.places import packaged, run_folder, state_folder

REPOSITORY = Path(__file__).parents[2]


def test_a_relative_path_is_taken_from_beside_the_packages(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert packaged(Path("configs/quickstart.yaml")) == REPOSITORY / "configs" / "quickstart.yaml"
    assert packaged(Path("/abs/x.yaml")) == Path("/abs/x.yaml")


def test_runs_lie_below_flowers_folder_each_with_its_state():
    folder = run_folder(Path("/home/flwr"), "mine-1")
    assert folder == Path("/home/flwr/tailweave/mine-1")
    assert state_folder(folder) == folder / ".state"
