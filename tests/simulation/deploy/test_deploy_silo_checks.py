# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import socket

import numpy as np
import pytest
from PIL import Image

from tailweave.protocols.node_keys import make_node_keys
from tailweave.simulation.deploy.node_settings import load_node
from tailweave.simulation.deploy.silo_checks import _clock, _door, _last_refusal, shared_gpus, silo_checks

NOW = dt.datetime.now(dt.UTC)


def edit(kit, old, new, silo="north"):
    path = kit / "silos" / silo / "node.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verdicts(kit, now=NOW):
    node = load_node(kit / "silos/north")
    found = list(silo_checks(node, kit / "server/keys/north.pub", now=now, prove=False))
    assert {verdict.subject for verdict in found} == {"silo north"}
    return {verdict.check: verdict for verdict in found}


def test_before_the_start_all_is_well_and_the_rest_is_off(kit):
    assert {check: verdict.state for check, verdict in verdicts(kit).items()} == {
        **dict.fromkeys(("versions", "CA", "private key", "node key", "secret", "files"), "ok"),
        **dict.fromkeys(("noise", "data", "ledger", "state"), "ok"),
        "code": "skip",
        **dict.fromkeys(("disk space", "device", "ports"), "ok"),
        "server": "off",
        "clock": "skip",
        "supernode": "off",
        "executor": "off",
    }


@pytest.mark.slow
def test_a_foreign_app_is_sent_through_this_hosts_executor(kit):
    (code,) = [
        verdict
        for verdict in silo_checks(load_node(kit / "silos/north"), None, now=NOW)
        if verdict.check == "code"
    ]
    assert code.state == "ok", code.text
    assert "a changed one was sent here and refused" in code.text


def test_another_flower_is_no_proof(kit, monkeypatch):
    monkeypatch.setattr("tailweave.simulation.deploy.versions._version", lambda package: "1.43.0")
    _door.cache_clear()
    with pytest.raises(ValueError, match="flwr 1.43.0 is installed, this tailweave needs 1.41.x or 1.42.x"):
        _door()


def test_what_others_can_read_or_write_fails(kit):
    silo = kit / "silos/north"
    (silo / "executor.secret").chmod(0o644)
    (silo / "policy.yaml").chmod(0o666)
    found = verdicts(kit)
    assert "others may read it" in found["secret"].text
    assert f"others may change {silo / 'policy.yaml'}" in found["files"].text


def test_noise_that_cannot_be_drawn_fails(kit, monkeypatch):
    monkeypatch.setattr("tailweave.protocols.privacy.noise.find_spec", lambda name: None)
    assert verdicts(kit)["noise"].state == "FAIL"


def test_the_server_and_its_clock_are_seen_through_the_gate(kit, upstream, gate):
    found = verdicts(kit)
    assert (found["server"].state, found["clock"].state) == ("ok", "ok")


@pytest.mark.parametrize(
    ("old", "new", "check", "text"),
    [
        ("data: data.csv", "data: none.csv", "data", "silo north: .*there is no such file"),
        ("label: kind", "label: u2", "data", "silo north: .*line 1: .*u2"),
        ("state-dir: state ", "state-dir: data.csv ", "state", "cannot be written"),
        ('device: "cpu"', 'device: "cuda:77"', "device", "cuda:77"),
        ("messages: 2", "messages: 1", "versions", "messages is 2 here"),
        ("private-key: node.key", "private-key: ca.crt", "node key", "not an OpenSSH private key"),
        ("private-key: node.key", "private-key: ca.crt", "private key", "others may read it"),
        ("ca: ca.crt", "ca: node.key", "CA", "not a PEM certificate"),
    ],
)
def test_each_fault_fails_its_check_with_a_remedy(kit, old, new, check, text):
    from re import search

    from tailweave.protocols.messages import SCHEMA_VERSION

    edit(kit, old.replace("messages: 2", f"messages: {SCHEMA_VERSION}"), new)
    verdict = verdicts(kit)[check]
    assert verdict.state == "FAIL"
    assert search(text.replace("messages is 2", f"messages is {SCHEMA_VERSION}"), verdict.text)
    assert verdict.remedy


def test_a_folder_of_images_is_read_and_other_sizes_are_named(kit):
    folder = kit / "silos/north/pictures"
    for name, side in (("cat", 8), ("dog", 8), ("owl", 16)):
        (folder / name).mkdir(parents=True)
        Image.fromarray(np.full((side, side), 90, np.uint8)).save(folder / name / "a.png")
    edit(kit, "data: data.csv", "image: [1, 8, 8]\ndata: pictures")
    edit(kit, "label: kind", "label: null")
    assert "owl/a.png: found 16 x 16 pixels, image wants 8 x 8" in verdicts(kit)["data"].text
    edit(kit, "image: [1, 8, 8]", "image: [1, 8, 8]\nresize: stretch")
    assert verdicts(kit)["data"].text == "readable, images 1x8x8, classes there"


def test_another_key_than_the_registered_one_fails(kit):
    (kit / "silos/north/node.key").write_bytes(make_node_keys("north").private)
    verdict = verdicts(kit)["node key"]
    assert "is not the key that the server has for this silo" in verdict.text
    assert "register" in verdict.remedy


def test_a_ca_out_of_date_and_a_taken_port_fail(kit):
    assert "expired on" in verdicts(kit, NOW + dt.timedelta(days=4000))["CA"].text
    port = load_node(kit / "silos/north").ports.runtime
    with socket.create_server(("127.0.0.1", port)):
        assert f"port {port} cannot be used" in verdicts(kit)["ports"].text


@pytest.mark.parametrize(
    ("ahead", "text"), [(0.5, "agrees"), (-2.0, "agrees"), (5.5, r"\+6 s"), (-299.0, "-299 s")]
)
def test_clocks_that_flower_allows(ahead, text):
    from re import search

    assert search(text, _clock(ahead))


@pytest.mark.parametrize(("ahead", "text"), [(6.5, "6 s ahead of"), (-301.0, "301 s behind")])
def test_clocks_that_flower_refuses(ahead, text):
    with pytest.raises(ValueError, match=text):
        _clock(ahead)


REFUSED = "\x1b[91mERROR [0m:     Exit Code: 305\nFailed to initialize\nFor more information\n"
BAD_DATA = "error: silo north: data.csv: the file is empty; remedy: set data\n"
ENDED = "2030-01-01T00:00:00Z supernode ended with exit code {}; it is started again in 20 s\n"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (REFUSED + ENDED.format(1) + "SuperExec terminated gracefully.\n", "the SuperLink refused it (305)"),
        (REFUSED + ENDED.format(1) + BAD_DATA + ENDED.format(2), BAD_DATA.strip()),
        ("x\n" + ENDED.format(137), "exit code 137; see "),
        (REFUSED + ENDED.format(1) + "SuperNode ID: 5\n", None),
        (BAD_DATA + ENDED.format(2) + "executor: takes the tasks of the SuperNode on 127.0.0.1:1\n", None),
        (ENDED.format(0), None),
        ("", None),
    ],
)
def test_a_log_says_why_the_last_start_failed(tmp_path, log, reason):
    path = tmp_path / "supernode.log"
    path.write_text(log)
    found = _last_refusal(path)
    assert found is None if reason is None else found.startswith(reason)
    assert _last_refusal(tmp_path / "none") is None


def test_a_failed_start_is_not_only_off(kit):
    (kit / "silos/north/state/supernode.log").write_text(BAD_DATA + ENDED.format(2))
    verdict = verdicts(kit)["supernode"]
    assert verdict.state == "FAIL"
    assert verdict.text.startswith("its last start failed: error: silo north: data.csv")


def test_silos_that_share_a_gpu_are_told_so(kit):
    nodes = [load_node(kit / "silos" / name) for name in ("north", "south")]
    assert list(shared_gpus(nodes)) == []
    for name in ("north", "south"):
        edit(kit, 'device: "cpu"', 'device: "cuda:0"', name)
    (verdict,) = shared_gpus([load_node(kit / "silos" / name) for name in ("north", "south")])
    assert (verdict.state, verdict.subject) == ("ok", "silo north")
    assert "cuda:0 is shared with south" in verdict.text


def test_documents_are_read_where_node_yaml_says_text(kit):
    silo = kit / "silos/north"
    lines = "".join(f'{{"text": "the line {number} of a file", "group": "net"}}\n' for number in range(300))
    (silo / "own.jsonl").write_text(lines, encoding="utf-8")
    edit(kit, "data: data.csv", "data: own.jsonl\ntext: true")
    edit(kit, "label: kind", "label: group")
    assert verdicts(kit)["data"].state == "ok", verdicts(kit)["data"].text
    edit(kit, "text: true", "text: false")
    assert "JSON lines are documents, which need text: true" in verdicts(kit)["data"].text
    edit(kit, "text: false", "text: true")
    (silo / "own.jsonl").write_text("", encoding="utf-8")
    found = verdicts(kit)["data"]
    assert (found.state, "the file is empty" in found.text) == ("FAIL", True)
