# SPDX-License-Identifier: Apache-2.0
"""``tailweave serve``: find the reference and the secrets, then hand over to ``clients.service``."""

import ipaddress
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tailweave.clients.service.serve import Door
    from tailweave.protocols.kept_reference import KeptReference

REFERENCES = "references"
"""Folder of woven references in a run folder, as seed-SEED/ARM.npz."""


@dataclass(frozen=True)
class Secrets:
    """Where certificate, key and token are; ``plaintext`` does without the first two."""

    certificate: Path | None
    key: Path | None
    token_file: Path | None
    plaintext: bool


def serve(  # noqa: PLR0913 - typer: one parameter an option
    source: Annotated[
        Path, typer.Argument(help="Run folder, or a reference file (.npz) of a run or a node.")
    ],
    arm: Annotated[str | None, typer.Option(help="Whose reference, if the run has several.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of which seed, if the run has several.")] = None,
    listen: Annotated[str, typer.Option(help="host:port; port 0 takes a free one.")] = "127.0.0.1:8443",
    certificate: Annotated[Path | None, typer.Option("--cert", help="TLS certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; else TAILWEAVE_TOKEN.")
    ] = None,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="No TLS; on loopback only.")] = False,
    max_streams: Annotated[int, typer.Option(help="Streams at a time.")] = 16,
    max_batch: Annotated[int, typer.Option(help="Candidates in one batch.")] = 8192,
    max_message_bytes: Annotated[int, typer.Option(help="Bytes of one request.")] = 4 * 1024**2,
    idle_seconds: Annotated[int, typer.Option(help="Longest silence within a stream.")] = 300,
    grace_seconds: Annotated[int, typer.Option(help="For streams to finish after SIGTERM or Ctrl-C.")] = 10,
) -> None:
    """Serve selection against a run's proxy reference to a silo's own pipelines, over gRPC."""
    import asyncio

    from tailweave.clients.service.limits import Limits
    from tailweave.clients.service.serve import serve as serve_until_stopped
    from tailweave.clients.service.served import Served

    limits = Limits(max_message_bytes, max_batch, max_streams, idle_seconds, grace_seconds)
    kept = find_reference(source, arm, seed)
    door = open_door(listen, Secrets(certificate, key, token_file, plaintext))
    host = listen.rpartition(":")[0]

    def ready(port: int) -> None:
        """Say what is served, and where; scripts wait for this line."""
        what = f"{kept.spec.kind} reference of arm {kept.arm}, run {kept.run}, seed {kept.seed}"
        how = "without TLS" if door.credentials is None else "TLS"
        typer.echo(f"serving {what} (d = {kept.features.dimension}) on {host}:{port}, {how}")

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(serve_until_stopped(Served.of(kept), limits, door, ready))
    typer.echo("stopped")


def find_reference(source: Path, arm: str | None, seed: int | None) -> "KeptReference":
    """Return the one reference that is meant: a file, or in a run folder that of an arm and a seed.

    Raises:
        ValueError: If there is none, or more than one fits; the message lists what is there.
    """
    from tailweave.protocols.kept_reference import KeptReference

    if not source.is_dir():
        kept = KeptReference.load(source)
        if arm not in (None, kept.arm) or seed not in (None, kept.seed):
            raise ValueError(f"{source}: is of arm {kept.arm} and seed {kept.seed}, not what was asked for")
        return kept
    there = sorted(source.glob(f"{REFERENCES}/seed-*/*.npz"))
    fit = [p for p in there if arm in (None, p.stem) and seed in (None, _seed_of(p))]
    if len(fit) == 1:
        return KeptReference.load(fit[0])
    listed = ", ".join(f"--arm {path.stem} --seed {_seed_of(path)}" for path in there)
    if not there:
        raise ValueError(
            f"{source}: has no {REFERENCES}/seed-*/*.npz: give the folder of a run in which silos "
            "released summaries, or a reference file"
        )
    raise ValueError(f"{source}: {len(fit)} references fit; name one of: {listed}")


def _seed_of(path: Path) -> int:
    digits = path.parent.name.removeprefix("seed-")
    return int(digits) if digits.isdecimal() else -1


def open_door(listen: str, secrets: Secrets) -> "Door":
    """Read certificate, key and token.

    Raises:
        ValueError: If the address is none, a secret is missing or wrong, or --plaintext is not on loopback.
    """
    from tailweave.clients.service.serve import Door
    from tailweave.clients.service.tls import server_credentials
    from tailweave.clients.service.token import read_token

    matched = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]\s]+):(\d{1,5})", listen)
    if matched is None or int(matched[2]) > 65_535:
        raise ValueError(f"--listen must be host:port, such as 127.0.0.1:8443 or [::1]:8443, got {listen!r}")
    token = read_token(secrets.token_file, os.environ)
    if secrets.plaintext:
        if secrets.certificate or secrets.key:
            raise ValueError("--plaintext and --cert or --key contradict each other: give one of them")
        if not _on_loopback(matched[1].strip("[]")):
            raise ValueError(f"--plaintext is for loopback only, got --listen {listen}: use --cert and --key")
        return Door(listen, token, None)
    if secrets.certificate is None or secrets.key is None:
        raise ValueError("--cert and --key are needed (or --plaintext, on loopback only)")
    return Door(listen, token, server_credentials(secrets.certificate, secrets.key))


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
