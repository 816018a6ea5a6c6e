# SPDX-License-Identifier: Apache-2.0
"""From the generated files alone: init, start scripts, check, run, report, stop; and what is refused.

Once on this host's loopback and once on three hosts, which are network namespaces with a switch between them.
All programs are those of an environment as ``make run`` makes it: what only dev has is missing.
"""

import datetime as dt
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploy_hosts import RUN_SECONDS, START_SECONDS, Host, edit, in_a_hurry, make_kit, no_namespaces
from run_environment import make_run_environment

from tailweave.protocols.node_keys import make_node_keys
from tailweave.simulation.deploy.certificates import Issued, make_server
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.node_settings import load_node

pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_SECONDS + 3 * START_SECONDS)]
SILOS = ("north", "south")
SERVER_IP = "10.203.77.1"


def metrics_silos(out: Path) -> set[str]:
    return {json.loads(line)["silo"] for line in (out / "metrics.jsonl").read_text().splitlines()}


def run_and_report(host: Host, kit: Path, silos: set[str]) -> None:
    work = kit.parent
    done = host.tailweave(
        *("run", work / "walk.yaml", "--engine", "superlink", "--federation", kit, "--out", work / "out"),
        cwd=work,
        seconds=RUN_SECONDS,
    )
    log = work / "out/server.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    assert metrics_silos(work / "out") == silos
    assert "collaborative" in (work / "out/report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Host:
    programs = make_run_environment(tmp_path_factory.mktemp("environment"))
    host = Host(environment=in_a_hurry(tmp_path_factory.mktemp("hurry")), programs=programs)
    dev = host.run(host.programs / "python", "-c", "import pytest", cwd=host.programs)
    assert "No module named 'pytest'" in dev.stderr
    return host


@pytest.fixture(scope="module")
def federation(tmp_path_factory, here) -> Iterator[Path]:
    """A federation that runs on this host."""
    kit = make_kit(tmp_path_factory.mktemp("walk") / "kit", SILOS, maker=here)
    code, told = here.check(kit)
    assert code == 0, told
    assert "0 failed" in told
    assert here.check(kit, "--running")[0] == 1  # it does not run yet
    try:
        started = here.run(kit / "start.sh", cwd=kit)
        assert started.returncode == 0, started.stdout + started.stderr
        here.await_check(kit, *(f"ok silo {name} online" for name in SILOS))
        yield kit
    finally:
        stopped = here.run(kit / "stop.sh", cwd=kit)
    assert stopped.stdout.count(" stopped") == 3 + 2 * len(SILOS), stopped.stdout + stopped.stderr
    assert "0 failed" in here.check(kit)[1]  # all ports are free again


def test_walk_on_loopback(federation, here):
    here.await_check(federation, "0 failed")
    code, told = here.check(federation, "--running")
    assert code == 0, told
    for name in SILOS:
        link = load_node(federation / "silos" / name)
        environ = supernode_environment(federation / "silos" / name)
        assert environ["CUDA_VISIBLE_DEVICES"] == "", link
    run_and_report(here, federation, set(SILOS))


def supernode_environment(silo: Path) -> dict[str, str]:
    """What the running SuperNode sees, from the kernel."""
    watch = (silo / "state/supernode.pid").read_text().strip()
    (child,) = Path(f"/proc/{watch}/task/{watch}/children").read_text().split()
    raw = Path(f"/proc/{child}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in raw if "=" in entry)


@pytest.fixture
def south(federation, here) -> Iterator[Path]:
    """Silo south, stopped, for a fault; put in order and started again afterwards."""
    silo = federation / "silos/south"
    script = silo / "supernode-south.sh"
    here.run(script, "stop", cwd=silo)
    kept = {path: path.read_bytes() for path in silo.iterdir() if path.is_file() and path.name != "node.key"}
    yield silo
    here.run(script, "stop", cwd=silo)
    for path, content in kept.items():
        mode = path.stat().st_mode
        path.chmod(0o600)
        path.write_bytes(content)
        path.chmod(mode)
    assert here.run(script, "start", cwd=silo).returncode == 0
    here.await_check(federation, "ok silo south online")


FAULTS = {  # what is wrong: file, what stands there and what instead, the reason
    "label column": ("node.yaml", "label: kind", "label: sort", "sort"),
    "policy": ("policy.yaml", "epsilon: 2.0 ", "epsilon: many ", "policy.yaml: epsilon"),
}


def test_a_silo_that_cannot_work_is_refused_at_its_start(federation, here, south):
    for name, right, wrong, reason in FAULTS.values():
        edit(south / name, right, wrong)
        refused = here.run(south / "supernode-south.sh", "start", cwd=south)
        assert refused.returncode == 2
        assert "error: silo south: " in refused.stderr
        assert reason in refused.stderr
        assert "remedy: set data, label and policy in " in refused.stderr
        code, told = here.check(south, "--quick")
        assert code == 1
        assert any(line.startswith("FAIL silo south") and reason in line for line in told.splitlines())
        edit(south / name, wrong, right)
    here.await_check(federation, "ok silo north online")


def test_a_silo_that_makes_its_own_key_is_registered_with_it(federation, here, south):
    public, keys = federation / "server/keys/south.pub", make_node_keys("south")
    old = public.read_bytes()
    (south / "node.key").write_bytes(keys.private)
    public.write_bytes(keys.public)
    here.await_check(federation, "FAIL silo south registered its key has changed")
    registered = here.run(federation / "server/superlink.sh", "register", cwd=federation)
    assert "silo south: registered now, node " in registered.stdout
    assert "silo north: registered\n" in registered.stdout
    here.await_check(federation, "ok silo south registered")
    public.write_bytes(old)
    again = here.run(federation / "server/superlink.sh", "register", cwd=federation)
    public.write_bytes(keys.public)
    assert again.returncode == 2
    assert "silo south: flwr supernode register" in again.stderr
    assert "takes a key once" in again.stderr


def test_an_expired_certificate_is_told_on_both_sides_and_renewed(federation, here, south):
    server = federation / "server"
    ca = Issued((federation / "ca/ca.crt").read_bytes(), (federation / "ca/ca.key").read_bytes())
    kept = {name: (server / name).read_bytes() for name in ("server.pem", "server.key")}
    past = make_server(ca, ["localhost"], now=dt.datetime.now(dt.UTC) - dt.timedelta(days=30), days=10)
    north = federation / "silos/north"
    here.run(north / "supernode-north.sh", "stop", cwd=north)
    here.run(server / "superlink.sh", "stop", cwd=federation)
    try:
        (server / "server.pem").write_bytes(past.certificate)
        (server / "server.key").write_bytes(past.key)
        _, told = here.check(federation)
        assert any(
            "FAIL server certificate expired on" in " ".join(line.split()) for line in told.splitlines()
        )
        gate = subprocess.Popen(
            [server / "superlink.sh", "run", "gate"],
            env=os.environ | {"TAILWEAVE_BIN": str(here.programs)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            told = here.await_check(south, "FAIL silo south server the certificate of localhost:")
            assert "certificate has expired" in told
            assert "deploy renew" in told
        finally:
            gate.terminate()
            gate.wait(60)
        renewed = here.tailweave("deploy", "renew", ".", cwd=federation)
        assert renewed.returncode == 0, renewed.stderr
        assert (server / "server.pem").read_bytes() not in (past.certificate, kept["server.pem"])
    finally:
        assert here.run(federation / "start.sh", cwd=federation).returncode == 0
    here.await_check(federation, "ok server certificate", "ok silo north online")


REASON = no_namespaces()


@pytest.fixture
def three_hosts(here) -> Iterator[dict[str, Host]]:
    """Server, north and south: three network namespaces, each with a cable to the server's switch."""
    names = {who: f"tw{os.getpid()}{who[0]}" for who in ("hub", "north", "south")}

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    try:
        for name in names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        hub = names["hub"]
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "addr", "add", f"{SERVER_IP}/24", "dev", "br0")
        ip("-n", hub, "link", "set", "br0", "up")
        for number, who in enumerate(("north", "south"), start=2):
            ip("-n", hub, "link", "add", who, "type", "veth", "peer", "name", "eth0", "netns", names[who])
            ip("-n", hub, "link", "set", who, "master", "br0", "up")
            ip("-n", names[who], "addr", "add", f"{SERVER_IP[:-1]}{number}/24", "dev", "eth0")
            ip("-n", names[who], "link", "set", "eth0", "up")
        yield {
            who: Host(("ip", "netns", "exec", name), programs=here.programs) for who, name in names.items()
        }
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.mark.skipif(REASON is not None, reason=REASON or "")
def test_walk_across_three_hosts(tmp_path, three_hosts):
    """Each host has its own part of the folder only, and the silos see one port of the server."""
    kit = make_kit(tmp_path / "kit", ("north", "south"), host=SERVER_IP, maker=three_hosts["hub"])
    hub, silos = three_hosts["hub"], {}
    for name in ("north", "south"):
        silos[name] = tmp_path / f"host-{name}"
        shutil.move(kit / "silos" / name, silos[name])
    shutil.move(kit / "ca", tmp_path / "safe")
    link = load_federation(kit).superlink
    try:
        started = hub.run(kit / "start.sh", cwd=kit)
        assert started.returncode == 0, started.stdout + started.stderr
        for name, folder in silos.items():
            three_hosts[name].await_check(folder, f"ok silo {name} server", f"ok silo {name} clock")
            assert three_hosts[name].run(folder / f"supernode-{name}.sh", "start", cwd=folder).returncode == 0
        told = hub.await_check(kit, "ok silo north online", "ok silo south online", "ok server control API")
        assert "its folder is not here" in told
        for port, reached in ((link.fleet_port, 0), (link.control_port, 1), (link.health_port, 1)):
            probe = f"exec 3<>/dev/tcp/{SERVER_IP}/{port}"
            assert three_hosts["north"].run("bash", "-c", probe, cwd=tmp_path).returncode == reached, port
        run_and_report(hub, kit, {"north", "south"})
    finally:
        for name, folder in silos.items():
            three_hosts[name].run(folder / f"supernode-{name}.sh", "stop", cwd=folder)
        hub.run(kit / "server/superlink.sh", "stop", cwd=kit)
