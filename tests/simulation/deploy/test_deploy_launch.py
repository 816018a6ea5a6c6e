# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import subprocess
import tomllib

import pytest

from tailweave.simulation.deploy.certificates import make_ca
from tailweave.simulation.deploy.launch import LaunchError, check_ca, settings
from tailweave.simulation.deploy.node_settings import load_node


def in_a_shell(text, name):
    done = subprocess.run(
        ["sh", "-c", f'eval "$1"; printf %s "${name}"', "sh", text], capture_output=True, check=True
    )
    return done.stdout.decode()


def edit(silo, old, new):
    path = silo / "node.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_servers_settings(kit):
    text = settings(kit)
    first = int(in_a_shell(text, "CONTROL_PORT"))
    assert in_a_shell(text, "HEALTH_PORT") == str(first + 1)
    assert in_a_shell(text, "EXECUTOR_HEALTH") == f"127.0.0.1:{first + 2}"


def test_a_silos_settings_survive_shell_and_toml(kit):
    silo = kit / "silos/north"
    (silo / "da \"ta'$(touch x).csv").write_text("u,kind\n1,a\n2,b\n3,a\n")
    edit(silo, "data: data.csv", "data: 'da \"ta''$(touch x).csv'")
    edit(silo, 'device: "cpu"', 'device: "cuda:1"')
    text = settings(silo)
    assert in_a_shell(text, "CUDA_VISIBLE_DEVICES") == "1"
    assert in_a_shell(text, "PRIVATE_KEY") == str(silo / "node.key")
    assert in_a_shell(text, "EXECUTOR_SECRET") == str(silo / "executor.secret")
    assert (
        in_a_shell(text, "RUNTIME_PORT") == ""
    )  # scripts of older kits, whose SuperNode ran what it was sent
    config = tomllib.loads((silo / "state/node-config.toml").read_text())
    assert in_a_shell(text, "NODE_CONFIG") == str(silo / "state/node-config.toml")
    assert config == load_node(silo).node_config()
    assert config["data"] == str(silo / "da \"ta'$(touch x).csv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "data: data.csv",
            "data: empty.csv",
            r"silo north: .*empty.csv: the file is empty.*remedy: set data",
        ),
        (
            "data: data.csv",
            "data: none.csv",
            r"silo north: .*none.csv: there is no such file.*remedy: set data",
        ),
        ("label: kind", "label: knid", r"silo north: .*line 1: .*knid.*remedy: set data, label"),
        ("policy: policy.yaml", "policy: none.yaml", r"silo north: .*none.yaml: no such file.*remedy"),
        ("ca: ca.crt", "ca: none.crt", r"silo north: .*none.crt: No such file.*remedy: copy it"),
    ],
)
def test_a_silo_that_cannot_work_is_refused_by_name_with_the_remedy(kit, old, new, message):
    (kit / "silos/north/empty.csv").touch()
    edit(kit / "silos/north", old, new)
    with pytest.raises(LaunchError, match=message):
        settings(kit / "silos/north")


def test_an_expired_ca_is_refused(kit):
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=10)
    (kit / "silos/north/ca.crt").write_bytes(make_ca("old", now=long_ago, days=5).certificate)
    with pytest.raises(LaunchError, match=r"silo north: .*ca.crt: expired on .*remedy"):
        settings(kit / "silos/north")
    assert check_ca(load_node(kit / "silos/south"), dt.datetime.now(dt.UTC)).startswith("valid until")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda secret: secret.chmod(0o640), r"silo north: .*others may read it \(mode 640\).*chmod 600"),
        (lambda secret: secret.unlink(), r"silo north: .*No such file.*openssl rand"),
    ],
)
def test_a_secret_that_is_none_is_refused(kit, spoil, message):
    spoil(kit / "silos/north/executor.secret")
    with pytest.raises(LaunchError, match=message):
        settings(kit / "silos/north")


def test_any_other_folder_is_refused(tmp_path):
    with pytest.raises(LaunchError, match="neither a federation's folder"):
        settings(tmp_path)
