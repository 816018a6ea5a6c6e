# SPDX-License-Identifier: Apache-2.0
"""Engines by name: what each takes, and what is refused before anything is made."""

import os
from pathlib import Path

import pytest
import yaml

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.engines import ENGINES, Machine, open_engine
from tailweave.simulation.engines import opening as opening_module


def test_every_engine_that_is_listed_can_be_opened():
    assert set(opening_module._OPENERS) == set(ENGINES)


@pytest.mark.parametrize(("name", "machine"), [("in-process", Machine(workers=2)), ("ray", Machine(cpus=1))])
def test_an_engine_is_closed_without_having_run(name, machine):
    engine = open_engine(name, machine)
    engine.close()
    engine.close()


@pytest.mark.parametrize(
    ("name", "machine", "said"),
    [
        ("rays", Machine(), "--engine: 'rays' is unknown; allowed: in-process, ray, superlink"),
        ("in-process", Machine(workers=-1), "--workers must be 0 or more, got -1"),
        ("ray", Machine(workers=2), "--workers is for --engine in-process, the engine is ray"),
        ("in-process", Machine(gpus=1.0), "--gpus is for --engine ray, the engine is in-process"),
        ("in-process", Machine(federation=Path("f")), "--federation is for --engine superlink"),
        ("superlink", Machine(), "needs --federation DIR, made by: tailweave deploy init"),
        ("superlink", Machine(federation=Path("nowhere")), "nowhere/federation.yaml.*no such file"),
        ("ray", Machine(cpus=0), "--cpus must be 1 to "),
        ("ray", Machine(cpus=10_000), f"--cpus must be 1 to {os.cpu_count()}"),
        ("ray", Machine(gpus=-0.5), "--gpus must be 0 or more, got -0.5"),
        ("in-process", Machine(address="h:1"), "--address is for --engine ray, the engine is in-process"),
        ("ray", Machine(address="head"), "--address must be HOST:PORT of a Ray cluster, got 'head'"),
        ("ray", Machine(address="head:0"), "--address must be HOST:PORT"),
        (
            "ray",
            Machine(address="127.0.0.1:9"),
            "127.0.0.1:9: no Ray cluster answers there .*ray start --head",
        ),
        ("ray", Machine(cpus=0, address="127.0.0.1:9"), "--cpus must be 1 or more, got 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, machine, said):
    with pytest.raises(ConfigError, match=said):
        open_engine(name, machine)


def federation(folder: Path, port: int) -> Path:
    described = {
        "schema": 1,
        "superlink": {"host": "127.0.0.1", "fleet-port": 1, "control-port": port, "health-port": 2},
        "certificates": {"ca": "ca.crt"},
        "silos": [{"name": "north", "public-key": "north.pub"}],
    }
    (folder / "federation.yaml").write_text(yaml.safe_dump(described))
    return folder


def test_a_federation_without_its_certificate_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"ca\.crt: the federation's CA certificate is not there"):
        open_engine("superlink", Machine(federation=federation(tmp_path, 9)))


def test_a_superlink_that_does_not_run_is_named_with_the_remedy(tmp_path):
    (tmp_path / "ca.crt").write_text("x")
    with pytest.raises(ConfigError, match=r"no SuperLink answers on 127\.0\.0\.1:9 .*start it with"):
        open_engine("superlink", Machine(federation=federation(tmp_path, 9)))  # 9: nobody listens there


def test_gpus_that_are_not_there_are_named_at_once(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ConfigError, match="--gpus 1: a silo cannot have more GPUs than .*, which has none"):
        open_engine("ray", Machine(gpus=1.0))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ConfigError, match="--gpus 2.5: .* which has 2 of them"):
        open_engine("ray", Machine(gpus=2.5))
