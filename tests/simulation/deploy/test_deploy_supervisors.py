# SPDX-License-Identifier: Apache-2.0
"""Slurm jobs and Kubernetes manifests of a kit: their form, how a job stops, and what is refused."""

import datetime as dt
import os
import re
import shlex
import signal
import stat
import subprocess
import time

import pytest
import yaml

from tailweave.simulation.deploy.kit import KitError, Plan, init
from tailweave.simulation.deploy.launch import LaunchError, settings
from tailweave.simulation.deploy.node_settings import SiloNode, load_node

NOW = dt.datetime.now(dt.UTC)
BOTH = frozenset({"slurm", "kubernetes"})
HOST = "server.tailweave-server.svc"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supervised") / "the kit"
    init(folder, Plan(("north", "south-2"), HOST, supervisors=BOTH), now=NOW)
    return folder


@pytest.fixture(scope="module")
def manifests(made):
    paths = [
        made / "server/kubernetes.yaml",
        *(made / f"silos/{n}/kubernetes.yaml" for n in ("north", "south-2")),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}, "they hold private keys"
    return [list(yaml.safe_load_all(path.read_text())) for path in paths]


def test_batch_scripts_are_bash_with_their_options_first(made):
    scripts = sorted(made.rglob("*.sbatch"))
    assert len(scripts) == 3
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
        lines = script.read_text().splitlines()
        options = dict(
            shlex.split(line.removeprefix("#SBATCH --").replace("=", " ", 1))[:2]
            if "=" in line
            else (line.removeprefix("#SBATCH --"), "")
            for line in lines
            if line.startswith("#SBATCH")
        )
        first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
        assert all(i < first for i, line in enumerate(lines) if line.startswith("#SBATCH"))
        assert options["chdir"] == str(script.parent)
        assert options["signal"] == "B:USR1@120"
        assert "requeue" in options
        assert ("nodelist" in options) == (script.parent.name == "server")
        assert "PRIVATE KEY" not in script.read_text(), "keys are named by path"


def test_a_gpu_is_asked_for_where_slurm_allots_one(tmp_path):
    plan = Plan(("a",), "node1", device="allotted", supervisors=frozenset({"slurm"}))
    init(tmp_path / "kit", plan, now=NOW)
    assert "#SBATCH --gpus=1\n" in (tmp_path / "kit/silos/a/tailweave-silo-a.sbatch").read_text()
    assert "--gpus" not in (tmp_path / "kit/server/tailweave-server.sbatch").read_text()
    assert not (tmp_path / "kit/silos/a/kubernetes.yaml").exists()


def test_an_allotted_gpu_is_what_the_job_sees_and_never_the_cpu(tmp_path, monkeypatch):
    init(tmp_path / "kit", Plan(("a",), "node1", device="allotted"), now=NOW)
    folder = tmp_path / "kit/silos/a"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert load_node(folder).visible_devices == "3"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(LaunchError, match="device: allotted, but CUDA_VISIBLE_DEVICES names no GPU; remedy"):
        settings(folder)


PART = """#!/bin/bash
trap 'echo "$2 ends" >> {log}; exit 0' TERM
echo "$2 begins" >> {log}
while :; do sleep 0.05; done
"""


@pytest.mark.parametrize(("told", "queued"), [(signal.SIGTERM, False), (signal.SIGUSR1, True)])
def test_a_job_that_is_told_to_stop_stops_its_parts_and_queues_itself_if_time_is_over(
    made, tmp_path, told, queued
):
    log, programs = tmp_path / "log", tmp_path / "bin"
    programs.mkdir()
    (programs / "scontrol").write_text(f'#!/bin/sh\necho "scontrol $*" >> {log}\n')
    (programs / "scontrol").chmod(0o755)
    (tmp_path / "supernode-north.sh").write_text(PART.format(log=log))
    (tmp_path / "state").mkdir()
    batch = (made / "silos/north/tailweave-silo-north.sbatch").read_text()
    script = tmp_path / "job"
    script.write_text(batch.replace(str(made / "silos/north"), str(tmp_path)))
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "SLURM_JOB_ID": "42"}
    job = subprocess.Popen(["bash", script], env=env)
    try:
        end = time.monotonic() + 60
        while not log.exists() or log.read_text().count("begins") < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        job.send_signal(told)
        assert job.wait(60) == 0
    finally:
        job.kill()
    ended = log.read_text().splitlines()[2:]
    assert ended == ["executor ends", "supernode ends", *(["scontrol requeue 42"] if queued else [])]


def test_manifests_fit_the_schemas_of_kubernetes(manifests):
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for documents in manifests:
        for document in documents:
            validator.validate(document, "1.30", strict=True)


def deployment(documents: list[dict]) -> dict:
    return next(document for document in documents if document["kind"] == "Deployment")


def test_a_silo_and_the_server_have_a_namespace_a_secret_claims_and_probes_each(manifests):
    spaces = []
    for documents in manifests:
        kinds = [document["kind"] for document in documents]
        assert kinds[0] == "Namespace"
        assert {"Secret", "ConfigMap", "PersistentVolumeClaim", "Deployment"} <= set(kinds)
        spaces.append(documents[0]["metadata"]["name"])
        assert {d["metadata"]["namespace"] for d in documents[1:]} == {spaces[-1]}
        pod = deployment(documents)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert "livenessProbe" in container
            assert container["securityContext"]["readOnlyRootFilesystem"]
            claimed = {volume["name"] for volume in pod["volumes"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= claimed
            assert "secret" not in {mount["name"] for mount in container["volumeMounts"]}
    assert spaces == ["tailweave-server", "tailweave-silo-north", "tailweave-silo-south-2"]


def test_what_a_pod_lays_out_is_the_kit(made, manifests, tmp_path):
    """Run the init container's own script on what its volumes would hold."""
    for documents, home in zip(manifests[:2], ("server", "silos/north"), strict=True):
        place = tmp_path / home.replace("/", "-")
        for kind, key, folder in (("Secret", "stringData", "secret"), ("ConfigMap", "data", "config")):
            (place / folder).mkdir(parents=True)
            for name, text in next(d for d in documents if d["kind"] == kind)[key].items():
                (place / folder / name).write_text(text)
        pod = deployment(documents)["spec"]["template"]["spec"]
        script = pod["initContainers"][0]["command"][2]
        for mount in ("/secret", "/config", "/lay", "/keep"):
            script = re.sub(rf'(?<=[ "]){mount}/', f"{place}{mount}/", script)
        subprocess.run(["/bin/sh", "-ceu", script], check=True)
    server = tmp_path / "server/lay/kit"
    for name in ("federation.yaml", "server/server.key", "server/server.pem", "server/keys/south-2.pub"):
        assert (server / name).read_bytes() == (made / name).read_bytes()
    supernode, executor = (tmp_path / f"silos-north/lay/{part}" for part in ("supernode", "executor"))
    assert (supernode / "node.key").read_bytes() == (made / "silos/north/node.key").read_bytes()
    assert not (executor / "node.key").exists()
    assert stat.S_IMODE((executor / "executor.secret").stat().st_mode) == 0o600
    laid, ours = load_node(executor), load_node(made / "silos/north")
    assert laid.data == "/data/data.csv"
    assert _but_data(laid) == _but_data(ours)


def _but_data(node: SiloNode) -> dict:
    return node.model_dump(exclude={"data"})


def test_a_gpu_is_the_executors_alone(tmp_path):
    plan = Plan(("a",), HOST, device="cuda:0", supervisors=frozenset({"kubernetes"}))
    init(tmp_path / "kit", plan, now=NOW)
    documents = list(yaml.safe_load_all((tmp_path / "kit/silos/a/kubernetes.yaml").read_text()))
    limits = {
        container["name"]: container["resources"].get("limits")
        for container in deployment(documents)["spec"]["template"]["spec"]["containers"]
    }
    assert limits == {"supernode": None, "executor": {"nvidia.com/gpu": 1}}


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            Plan(("a",), supervisors=frozenset({"slurm"})),
            "--slurm: jobs run on several nodes, which do not reach",
        ),
        (Plan(("a",), "h", gpus=1, supervisors=frozenset({"slurm"})), "--device allotted, got cuda:0"),
        (
            Plan(("a",), supervisors=frozenset({"kubernetes"})),
            "--host server.tailweave-server.svc, or the name",
        ),
        (Plan(("a_b",), "h", supervisors=frozenset({"kubernetes"})), "--silo: a_b cannot name a namespace"),
        (
            Plan(("a",), "h", device="allotted", supervisors=frozenset({"kubernetes"})),
            "--device cuda:0, got all",
        ),
    ],
)
def test_what_a_supervisor_cannot_do_is_refused_before_anything_is_made(tmp_path, plan, message):
    with pytest.raises(KitError, match=message):
        init(tmp_path / "kit", plan, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_script_would_read_otherwise_is_refused(tmp_path):
    plan = Plan(("a",), "node1", supervisors=frozenset({"slurm"}))
    with pytest.raises(KitError, match="has [$], which means something else in a script"):
        init(tmp_path / "a$b", plan, now=NOW)
