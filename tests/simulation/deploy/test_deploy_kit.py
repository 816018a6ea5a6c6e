# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import stat
import subprocess

import pytest
import yaml

from tailweave.clients.release.policy import Policy, load_policy
from tailweave.protocols.node_keys import fingerprint, public_of
from tailweave.simulation.deploy.certificates import check_key, check_signed_by, hosts_of, read_certificate
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.kit import KitError, Plan, init, renew
from tailweave.simulation.deploy.node_settings import load_node

NOW = dt.datetime.now(dt.UTC)
PRIVATE = {"ca.key", "server.key", "node.key", "executor.secret"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kits") / "kit"
    init(folder, Plan(("north", "south"), "flower.example", ("10.0.0.1",), gpus=2), now=NOW)
    return folder


def test_private_files_and_only_they_are_the_owners(made):
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in made.rglob("*") if path.is_file()}
    assert {path.name for path, mode in modes.items() if mode == 0o600} == PRIVATE
    assert {mode for path, mode in modes.items() if path.suffix == ".sh"} == {0o755}
    assert sum(path.name == "node.key" for path in modes) == 2
    assert {path.name for path, mode in modes.items() if mode == 0o444} == {"node.yaml", "policy.yaml"}
    assert not any(mode & 0o022 for mode in modes.values())
    states = [made / folder / "state" for folder in ("server", "silos/north", "silos/south")]
    assert {stat.S_IMODE(state.stat().st_mode) for state in states} == {0o700}


def test_each_silo_has_a_secret_of_its_own(made):
    secrets = {(made / f"silos/{name}/executor.secret").read_text() for name in ("north", "south")}
    assert len(secrets) == 2
    assert all(len(secret) == 65 for secret in secrets)


def test_what_init_writes_the_others_read(made):
    federation = load_federation(made)
    assert federation.fleet_address == "flower.example:9440"
    nodes = [load_node(made / "silos" / name) for name in federation.silo_names]
    assert [node.device for node in nodes] == ["cuda:0", "cuda:1"]
    ports = [9440, 9441, 9442, 9443, *(port for node in nodes for port in node.ports.all)]
    assert len(set(ports)) == len(ports) == 10
    for silo, node in zip(federation.silos, nodes, strict=True):
        assert node.superlink_address == federation.fleet_address
        mine = public_of(node.path(node.private_key).read_bytes())
        assert fingerprint(federation.public_key(silo).read_bytes()) == fingerprint(mine)


def test_certificate_is_for_the_hosts_and_signed_by_the_ca_that_silos_trust(made):
    certificate = read_certificate((made / "server/server.pem").read_bytes())
    assert set(hosts_of(certificate)) == {"flower.example", "10.0.0.1", "localhost", "127.0.0.1"}
    check_key(certificate, (made / "server/server.key").read_bytes())
    check_signed_by(certificate, read_certificate((made / "silos/south/ca.crt").read_bytes()))


def test_the_sample_policy_is_the_default_one_and_shows_every_key(made):
    path = made / "silos/north/policy.yaml"
    assert load_policy(path) == Policy()
    assert set(yaml.safe_load(path.read_text())) == {field.alias for field in Policy.model_fields.values()}


def test_scripts_units_and_compose_restart_late_and_stop_softly(made):
    for script in made.rglob("*.sh"):
        subprocess.run(["sh", "-n", script], check=True)
    units = {path.name: path.read_text() for path in made.rglob("*.service")}
    assert len(units) == 7
    assert all("KillSignal=SIGTERM" in text and "Restart=always" in text for text in units.values())
    assert "RestartSec=20" in units["tailweave-supernode-north.service"]
    assert "tailweave-superlink.service tailweave-gate.service" in units["tailweave-supernode-north.service"]
    assert "RestartSec=5" in units["tailweave-executor-north.service"]
    assert "tailweave-supernode-north.service" in units["tailweave-executor-north.service"]
    assert "delay=20 " in (made / "silos/north/supernode-north.sh").read_text()
    services = yaml.safe_load((made / "compose.yaml").read_text())["services"]
    assert {"superlink", "superexec", "gate", "supernode-north", "supernode-south"} < set(services)
    assert services["supernode-north"]["stop_signal"] == "SIGTERM"
    assert "gate" in services["supernode-north"]["depends_on"]  # Compose stops what depends first
    assert services["executor-north"]["depends_on"] == ["supernode-north"]


def test_a_container_can_write_to_its_state_and_the_hosts_ledgers_alone_and_the_executors_sees_no_key(made):
    text = (made / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert "pip install --no-cache-dir --constraint /src/constraints.txt /src" in text
    for part in ("supernode", "executor"):
        service = services[f"{part}-north"]
        writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
        assert writable == [
            "./silos/north/state:/kit/silos/north/state",
            "${TAILWEAVE_LEDGERS:-/var/lib/tailweave/ledgers}:/var/lib/tailweave/ledgers",
        ]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    assert "/dev/null:/kit/silos/north/node.key:ro" in services["executor-north"]["volumes"]


def test_a_silos_scripts_never_start_flowers_own_executor(made):
    script = (made / "silos/north/supernode-north.sh").read_text()
    assert "--isolation process" in script
    assert '--superexec-auth-secret-file "$EXECUTOR_SECRET"' in script
    assert "flower-superexec" not in script


def test_paths_with_percent_signs_are_escaped_for_systemd(tmp_path):
    init(tmp_path / "a%i kit", Plan(("north",)), now=NOW)
    unit = (tmp_path / "a%i kit/silos/north/tailweave-supernode-north.service").read_text()
    assert 'a%%i kit/silos/north/supernode-north.sh" run supernode' in unit


@pytest.mark.parametrize(
    "name", ["a\nExecStartPre=/bin/evil", 'a" b', "a'b", "a\\b", "a\x1bb", "a\u2028b", "a\udcff"]
)
def test_a_folder_that_would_say_more_in_a_unit_is_refused(tmp_path, name):
    with pytest.raises(
        KitError, match="quotes, backslashes, line ends and other control characters"
    ) as error:
        init(tmp_path / name / "kit", Plan(("north",)), now=NOW)
    assert str(error.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path):
    (tmp_path / "kit").mkdir()
    init(tmp_path / "kit", Plan(("north",)), now=NOW)  # an empty folder is taken
    before = (tmp_path / "kit/ca/ca.key").read_bytes()
    with pytest.raises(KitError, match="exists already; nothing is ever overwritten"):
        init(tmp_path / "kit", Plan(("north",)), now=NOW)
    assert (tmp_path / "kit/ca/ca.key").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(()), "--silo: names must differ, 1 to 1000 of them, got none"),
        (Plan(("a", "a")), "--silo: names must differ"),
        (Plan(("../a",)), "--silo: .*got '../a'"),
        (Plan(("a",), host="$(id)"), "--host and --also: "),
        (Plan(("a",), also=('"',)), "--host and --also: "),
        (Plan(("a",), device="gpu"), "--device: "),
        (Plan(("a",), port=80), "--port must be at least 1024"),
        (Plan(("a",), port=65530), "leave room for 13 ports"),
        (Plan(("a", "b"), gpus=1), "2 silos on one host need a GPU each"),
        (Plan(("a",), gpus=1, device="cuda:0"), "give one of them"),
    ],
)
def test_impossible_plans_are_refused_before_a_file_is_written(tmp_path, plan, message):
    with pytest.raises(KitError, match=message):
        init(tmp_path / "kit", plan, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_renewing_keeps_names_and_ca(tmp_path):
    folder = tmp_path / "kit"
    init(folder, Plan(("north",), "flower.example", ("10.0.0.1",)), now=NOW - dt.timedelta(days=800))
    old = read_certificate((folder / "server/server.pem").read_bytes())
    renew(folder, now=NOW)
    new = read_certificate((folder / "server/server.pem").read_bytes())
    assert old.not_valid_after_utc < NOW < new.not_valid_after_utc
    assert set(hosts_of(new)) == set(hosts_of(old))
    check_signed_by(new, read_certificate((folder / "silos/north/ca.crt").read_bytes()))
    check_key(new, (folder / "server/server.key").read_bytes())
    assert stat.S_IMODE((folder / "server/server.key").stat().st_mode) == 0o600
    (folder / "ca/ca.key").unlink()
    with pytest.raises(KitError, match="ca.key: No such file"):
        renew(folder, now=NOW)
