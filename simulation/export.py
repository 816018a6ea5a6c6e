# SPDX-License-Identifier: Apache-2.0
"""What ``tailweave export`` does: find the final model that is meant, draw from it, write what it drew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from tailweave.clients.data.own_rows import own_rows
from tailweave.clients.data.written import FOLDER, ending_of, write_samples
from tailweave.clients.final_models import FinalModel
from tailweave.clients.release.policy import Policy, PolicyError, load_policy
from tailweave.clients.samples import Samples
from tailweave.protocols.config.complaints import nearest
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.streams import stream
from tailweave.simulation.deploy.kept_runs import kept_runs
from tailweave.simulation.deploy.node_settings import NODE_FILE, SiloNode, load_node
from tailweave.simulation.finals import FINAL, LEFT_OUT, Left, left_in
from tailweave.simulation.run_folder import STATE, RunFolder

LABEL = "label"
"""What labels are called where the run's data do not say."""


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn.

    Attributes:
        arm: Name of the arm; None where there is one.
        silo: Name of the silo; None where there is one.
        seed: Of the run; None for its first.
        run: Name of a run on a node; None where there is one.
        rows: How many are drawn.
        selected: Those selected for the last generation are written instead.
        draw_seed: Root seed of the draw.
    """

    arm: str | None = None
    silo: str | None = None
    seed: int | None = None
    run: str | None = None
    rows: int = 10_000
    selected: bool = False
    draw_seed: int = 0


def export(source: Path, wanted: Wanted, out: Path, *, force: bool = False) -> str:
    """Draw from a kept model, or take what was selected, and write it.

    The same model and draw seed give the same bytes, with the same versions of the libraries.

    Args:
        source: A finished run folder, or a silo's folder on its own host.
        wanted: What of it.
        out: File or folder; its ending says how it is written.
        force: Whether a file that is there is replaced.

    Returns:
        A sentence: what was written.

    Raises:
        ValueError: If something is not there, is not allowed or does not fit; nothing is written then.
    """
    _check_out(out, force=force)
    if wanted.rows < 1:
        raise ConfigError(f"--rows must be at least 1, got {wanted.rows}")
    if wanted.draw_seed < 0:
        raise ConfigError(f"--draw-seed must be at least 0, got {wanted.draw_seed}")
    if (source / NODE_FILE).is_file():
        node = load_node(source)
        found, label = _on_node(node, wanted.run), node.label
    else:
        node, folder = None, RunFolder(source)
        found, label = _in_run(folder, wanted.run), (folder.config().get("data") or {}).get("label")
    chosen = _chosen(found, wanted, _left_out(source))
    with threadpool_limits(1):  # as a run does, or products would round otherwise
        samples = _samples(FinalModel.load(chosen.path), wanted, chosen)
    if node is not None and samples.sort.plain:
        samples = _with_own_names(node, samples)
    write_samples(samples, out, str(label or LABEL))
    what = "selected for the last generation" if wanted.selected else f"drawn, draw seed {wanted.draw_seed}"
    return f"{out}: {len(samples):,} samples ({samples.sort}) of {chosen}, {what}"


def _check_out(out: Path, *, force: bool) -> None:
    ending = ending_of(out)
    if not out.parent.is_dir():
        raise ConfigError(f"-o: there is no folder {out.parent}")
    if out.is_dir():
        if ending != FOLDER or any(out.iterdir()):
            raise ConfigError(f"-o: {out} is a folder that is there, and is left alone; give another name")
    elif out.exists() and (ending == FOLDER or not force):
        raise ConfigError(f"-o: {out} exists; give another name, or --force to replace a file")


def _on_node(node: SiloNode, run: str | None) -> list[Left]:
    """Return what a run has left on this node, if its owner lets it be drawn from."""
    policy = Policy() if node.policy is None else load_policy(node.path(node.policy))
    if not policy.allow_export:
        raise PolicyError(
            f"refused by the silo's policy: models that runs left on {node.name} may have learnt from its "
            "rows, and what they draw is a release of these, without noise and outside the budget; its owner "
            "allows it by allow-export: true"
        )
    runs = {one.folder.name: one.folder for one in kept_runs(node)}
    if run is None and len(runs) == 1:
        run = next(iter(runs))
    if run is None or run not in runs:
        asked = "which run is meant" if run is None else f"no run {run!r}"
        raise ConfigError(f"--run: {asked}; {nearest(run or '', list(runs)) if runs else 'there is none'}")
    found = left_in(runs[run])
    if not found:
        raise ConfigError(
            f"run {run} on {node.name}: no arm has come to its end, or an older tailweave ran it"
        )
    return found


def _in_run(folder: RunFolder, run: str | None) -> list[Left]:
    """Return what a run folder keeps."""
    if run is not None:
        raise ConfigError(f"--run is for a silo's folder, {folder.path} is none (no {NODE_FILE})")
    made, path = folder.environment(), folder.path
    if (path / STATE).exists():
        raise ConfigError(f"{path}: the run is not finished; finish it with --resume")
    found = left_in(path / FINAL)
    if found:
        return found
    if made.get("engine") == "superlink":
        raise ConfigError(
            f"{path}: real silos keep their models themselves: tailweave export SILO_DIR on their own hosts"
        )
    raise ConfigError(
        f"{path}: keeps no final models: an older tailweave made it, or keep-mib was too small for any"
    )


def _left_out(source: Path) -> str:
    kept = source / FINAL / LEFT_OUT
    return "; others are not kept, see keep-mib" if kept.exists() else ""


def _chosen(found: Sequence[Left], wanted: Wanted, beside: str) -> Left:
    """Return the one that is meant.

    Raises:
        ConfigError: Naming what is there.
    """
    for key, asked in (("arm", wanted.arm), ("silo", wanted.silo), ("seed", wanted.seed)):
        there = list(dict.fromkeys(getattr(one, key) for one in found))
        if asked is None and (len(there) == 1 or key == "seed"):
            asked = there[0]
        if asked is None:
            raise ConfigError(f"--{key} must be given; allowed: {', '.join(map(str, there))}{beside}")
        if asked not in there:
            raise ConfigError(
                f"--{key}: no {asked!r} here; {nearest(str(asked), list(map(str, there)))}{beside}"
            )
        found = [one for one in found if getattr(one, key) == asked]
    return found[-1]


def _with_own_names(node: SiloNode, samples: Samples) -> Samples:
    """Return rows with the columns of the node's own table: an arm that looks at no own rows has no names.

    Raises:
        ConfigError: If that table is another one by now.
    """
    own = own_rows(node.node_config()).read().sort
    if not own.plain or len(own.columns) != len(samples.columns):
        raise ConfigError(
            f"the model draws {samples.sort}, and the silo's data are {own} by now: names and units of its "
            "columns are not known any more; put back the data that it was trained on"
        )
    return replace(samples, sort=own)


def _samples(model: FinalModel, wanted: Wanted, chosen: Left) -> Samples:
    if not wanted.selected:
        rng = stream(wanted.draw_seed, "export", "seed", model.seed, "silo", model.silo)
        return model.sample(wanted.rows, rng=rng)
    if model.selected is None:
        raise ConfigError(
            f"--selected: of {chosen} no generated samples were kept: its rule selected real ones alone, or "
            "its owner's policy did not allow an export when it ran"
        )
    return model.selected
