# SPDX-License-Identifier: Apache-2.0
"""The kit as plain Kubernetes manifests: the server in one namespace, each silo in one of its own."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent

FILE = "kubernetes.yaml"
ROWS = "/data/data.csv"
"""Where a silo's rows are in its pod, until its owner says otherwise."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
"""What a namespace may be called (RFC 1123)."""
_USER = 1000
_POD = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "fsGroup": _USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


class KubernetesError(ValueError):
    """A plan that pods in a cluster cannot carry out."""


def check_kubernetes(host: str, silos: Sequence[str], devices: set[str]) -> None:
    """Refuse what a cluster does not take.

    Raises:
        KubernetesError: If silos could not reach the server, a name cannot be a namespace's, or a GPU is
            named that a container does not see.
    """
    if host.startswith(("localhost", "127.")):
        raise KubernetesError(
            f"--kubernetes: a pod does not reach {host} of another; --host server.{namespace()}.svc, or the "
            "name of a load balancer"
        )
    odd = next((name for name in silos if not _LABEL.match(namespace(name))), None)
    if odd is not None:
        raise KubernetesError(
            f"--silo: {odd} cannot name a namespace: small letters, digits and - between them, at most "
            f"{63 - len(namespace(''))} characters"
        )
    wrong = sorted(devices - {"cpu", "cuda:0"})
    if wrong:
        raise KubernetesError(
            f"--kubernetes: a container's GPU is its number 0: --device cuda:0, got {wrong[0]}"
        )


def namespace(silo: str | None = None) -> str:
    """Return the namespace of a silo, or of the server."""
    return "tailweave-server" if silo is None else f"tailweave-silo-{silo}"


def server_manifest(kit: Path, silos: Sequence[str], ports: Mapping[str, int]) -> dict[str, object]:
    """Return the values of the server's manifest, from the files of a kit."""
    server = kit / "server"
    config = [kit / "federation.yaml", *(server / name for name in ("ca.crt", "server.pem", "superlink.sh"))]
    config += [server / f"keys/{name}.pub" for name in silos]
    return {
        "namespace": namespace(),
        "secrets": _blocks([server / "server.key"]),
        "config": _blocks(config),
        "probes": {"superlink": _probe(ports["health"]), "superexec": _probe(ports["executor"])},
        **_confined(),
    }


def silo_manifest(folder: Path, name: str, node: str, ports: tuple[int, int]) -> dict[str, object]:
    """Return the values of a silo's manifest.

    Args:
        folder: The silo's, with keys and settings in it.
        name: The silo's.
        node: Its ``node.yaml`` as it is in a pod.
        ports: Of the health of SuperNode and executor.
    """
    script = f"supernode-{name}.sh"
    files = _blocks([folder / name for name in ("policy.yaml", "ca.crt", script)])
    return {
        "namespace": namespace(name),
        "home": f"/kit/silos/{name}",
        "script": script,
        "secrets": _blocks([folder / "node.key", folder / "executor.secret"]),
        "config": {"node.yaml": _block(node)} | files,
        "probes": {"supernode": _probe(ports[0]), "executor": _probe(ports[1])},
        **_confined(),
    }


def _confined() -> dict[str, object]:
    return {"pod_security": json.dumps(_POD), "security": json.dumps(_CONTAINER)}


def _blocks(paths: Sequence[Path]) -> dict[str, str]:
    return {path.name: _block(path.read_text(encoding="utf-8")) for path in paths}


def _block(text: str) -> str:
    """Return a text as a literal block of YAML, which its owner can read and edit."""
    return "|\n" + indent(text, "    ").rstrip("\n")


def _probe(port: int) -> str:
    """Ask a health service on the pod's own loopback, which the kubelet does not reach."""
    asked = (
        "import sys; from tailweave.simulation.deploy.health import serving; "
        f"sys.exit(not serving('127.0.0.1:{port}'))"
    )
    return json.dumps(
        {
            "exec": {"command": ["python", "-c", asked]},
            "initialDelaySeconds": 60,
            "periodSeconds": 60,
            "timeoutSeconds": 30,
            "failureThreshold": 5,
        }
    )
