# SPDX-License-Identifier: Apache-2.0
"""A config is a file or a name; a file wins, and what is neither is refused with the nearest name."""

from pathlib import Path

import pytest

from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.simulation.chosen import Chosen, choose, named_configs
from tailweave.simulation.studies.config import is_study, load_study

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml", "paper/crossed", "./quickstart"])
def test_a_name_is_found_wherever_one_is(name):
    assert choose(Path(name)) == Chosen(CONFIGS / f"{Path(name).with_suffix('')}.yaml", Path())


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml", "paper/crossed"])
def test_a_file_wins(elsewhere, name):
    (elsewhere / "paper").mkdir()
    (elsewhere / name).write_text("name: mine")
    assert choose(Path(name)) == Chosen(Path(name), Path(name).parent)


def test_a_folder_of_that_name_is_no_experiment(elsewhere):
    (elsewhere / "quickstart").mkdir()
    assert choose(Path("quickstart")).path == CONFIGS / "quickstart.yaml"
    (elsewhere / "mine").mkdir()
    with pytest.raises(ConfigError, match="mine: is a folder, not an experiment"):
        choose(Path("mine"))


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("quickstrat", "'quickstart'"),
        ("configs/quickstart.yaml", "'quickstart'"),
        ("gaussian", "'paper/gaussian'"),
        ("paper/gausian.yaml", "'paper/gaussian'"),
    ],
)
def test_what_is_neither_is_refused_with_the_nearest_name_and_where_was_looked(elsewhere, given, near):
    with pytest.raises(ConfigError) as refused:
        choose(Path(given))
    said = str(refused.value)
    assert said.startswith(f"{given}: no such file, nor the name of a config; did you mean {near}?")
    assert f"looked for {elsewhere / given}, and for names in {CONFIGS}: " in said
    assert "quickstart, rare-modes" in said


@pytest.mark.parametrize("given", ["xyzzy", "../configs/../xyzzy", "/xyzzy.yaml"])
def test_nothing_is_near(given):
    with pytest.raises(ConfigError, match=r"nor the name of a config; looked for /"):
        choose(Path(given))


def test_every_named_config_can_be_read_elsewhere():
    for name in named_configs():
        chosen = choose(Path(name))
        if is_study(chosen.path):
            load_study(chosen.path)
        else:
            load_experiment(chosen.path, beside=chosen.beside)


def test_data_of_a_named_config_lie_where_the_command_is_called(elsewhere):
    for given, folder in ((Path("cifar10-paper"), elsewhere), (CONFIGS / "cifar10-paper.yaml", CONFIGS)):
        chosen = choose(given)
        data = load_experiment(chosen.path, beside=chosen.beside).data
        assert data.path == str(folder / "cifar-10-batches-py")


def test_data_that_come_along_are_found_wherever_the_command_is_called(elsewhere):
    chosen = choose(Path("table"))
    data = load_experiment(chosen.path, beside=chosen.beside).data
    assert Path(data.path).is_file()
