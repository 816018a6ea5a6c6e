# SPDX-License-Identifier: Apache-2.0
import os
import stat

import pytest

from tailweave.simulation.deploy.file_modes import _others_may_change, check_unchangeable
from tailweave.simulation.deploy.host_checks import HostError
from tailweave.simulation.deploy.node_settings import load_node


def test_a_fresh_kit_is_its_owners(kit):
    assert "by this user and root alone" in check_unchangeable(load_node(kit / "silos/north"))


@pytest.mark.parametrize("name", ["policy.yaml", "node.yaml", "supernode-north.sh", "."])
def test_what_all_may_write_is_named(kit, name):
    path = kit / "silos/north" / name
    path.chmod(0o777)
    with pytest.raises(HostError, match="others may change .*north"):
        check_unchangeable(load_node(kit / "silos/north"))


def test_a_policy_elsewhere_is_looked_at_too(kit, tmp_path):
    silo = kit / "silos/north"
    policy = tmp_path / "shared.yaml"
    policy.write_text((silo / "policy.yaml").read_text())
    policy.chmod(0o666)
    text = (silo / "node.yaml").read_text()
    (silo / "node.yaml").write_text(text.replace("policy: policy.yaml", f"policy: {policy}"))
    with pytest.raises(HostError, match=r"others may change .*shared\.yaml"):
        check_unchangeable(load_node(silo))


def test_a_folder_above_counts_but_one_where_each_owns_his_files(tmp_path):
    tmp_path.chmod(0o777)
    assert _others_may_change(tmp_path)
    tmp_path.chmod(0o777 | stat.S_ISVTX)
    assert not _others_may_change(tmp_path)
    assert not _others_may_change(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_and_a_shared_group_count(tmp_path):
    path = tmp_path / "policy.yaml"
    path.touch()
    path.chmod(0o664)
    os.chown(path, 0, 0)
    assert not _others_may_change(path)  # root's own group
    os.chown(path, 0, 4242)
    assert _others_may_change(path)
    path.chmod(0o644)
    assert not _others_may_change(path)
    os.chown(path, 4242, 0)
    assert _others_may_change(path)
