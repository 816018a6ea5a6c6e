# SPDX-License-Identifier: Apache-2.0
"""All checks that can be made on this host: the server's, and those of the silos whose folders are here."""

import datetime as dt
from pathlib import Path

from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.node_settings import NODE_FILE, SiloNode, load_node
from tailweave.simulation.deploy.server_checks import server_checks
from tailweave.simulation.deploy.silo_checks import shared_gpus, silo_checks
from tailweave.simulation.deploy.verdict import Verdict


def preflight(folder: Path, *, now: dt.datetime, prove: bool = True) -> list[Verdict]:
    """Check a federation's folder, or one silo's; to ``prove`` the door for code takes some seconds.

    Raises:
        ConfigError: If the folder is neither, or its ``federation.yaml`` is wrong.
    """
    if (folder / NODE_FILE).is_file():
        return list(silo_checks(load_node(folder), None, now=now, prove=prove))
    federation = load_federation(folder)
    verdicts = list(server_checks(federation, now=now))
    here: list[SiloNode] = []
    for silo in federation.silos:
        place, subject = folder / "silos" / silo.name, f"silo {silo.name}"
        if not (place / NODE_FILE).is_file():
            text = "its folder is not here: tailweave deploy check . in it, on its own host"
            verdicts.append(Verdict("skip", subject, NODE_FILE, text))
            continue
        try:
            node = load_node(place)
        except ValueError as error:
            text = " ".join(str(error).split())
            verdicts.append(Verdict("FAIL", subject, NODE_FILE, text, f"correct {place / NODE_FILE}"))
            continue
        here.append(node)
        verdicts += silo_checks(node, federation.public_key(silo), now=now, prove=prove)
    return verdicts + list(shared_gpus(here))
