# SPDX-License-Identifier: Apache-2.0
"""A run folder before and after: all that the apps read, and what is made of the metrics in the end."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tailweave.protocols.config.load import dump_experiment
from tailweave.protocols.metrics import METRICS
from tailweave.protocols.whole_file import write_whole
from tailweave.server.app import run_name
from tailweave.simulation.engines.job import Job
from tailweave.simulation.finals import keep_finals
from tailweave.simulation.images import collect_images
from tailweave.simulation.inputs import INPUTS, began_with, check_inputs
from tailweave.simulation.maps import collect_maps, save_maps
from tailweave.simulation.prepare import Prepared
from tailweave.simulation.run_folder import DECLARATIONS, RAREST, TEXTS, write_json
from tailweave.simulation.texts import collect_texts
from tailweave.simulation.worlds import Facts


def make_folder(prepared: Prepared, out: Path, made: Mapping[str, object], run_id: str = "") -> Job:
    """Make the run folder with all that the apps read, or complete that of an interrupted run.

    Args:
        prepared: The experiment.
        out: Run folder.
        made: Versions, command and the like, for the record.
        run_id: Of a new run on silos that keep their state.

    Raises:
        ConfigError: If the interrupted run began with other rows or files.
    """
    out = out.resolve()
    check_inputs(prepared.experiment, began_with(out), prepared.inputs, str(out))
    plain = run_name(prepared.experiment)
    run_id = _earlier_run(out).removeprefix(plain).removeprefix("-") or run_id
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "config.yaml", dump_experiment(prepared.experiment))  # first: --resume looks for it
    write_json(out / INPUTS, dict(prepared.inputs))
    if rarest := _rarest(prepared.facts):
        write_json(out / RAREST, rarest)
    write_json(out / DECLARATIONS, {name: kind.declaration() for name, kind in METRICS.kinds.items()})
    job = Job(out, prepared.experiment.silos.count, run_id)
    prepared.save_kits(job.state / "kits")
    draws = {str(one.seed): one.draws for one in prepared.facts if one.draws > 1}
    drawn = {"partition-draws": draws} if draws else {}
    write_json(out / "environment.json", {**made, **drawn, "run": run_name(prepared.experiment, run_id)})
    return job


def _rarest(facts: Sequence[Facts]) -> dict[str, dict[str, object]]:
    """Return which class ``rarest_mode_share`` is the share of and the rows that it rests on, by seed."""
    found: dict[str, dict[str, object]] = {"classes": {}, "rows": {}, "evaluation": {}, "of": {}}
    for one in facts:
        if one.rarest is None:
            return {}
        mine = (one.rarest.name, one.rarest.rows, one.rarest.evaluation, one.evaluation)
        for key, value in zip(found, mine, strict=True):
            found[key][str(one.seed)] = value
    return found


def _earlier_run(out: Path) -> str:
    path = out / "environment.json"
    return str(json.loads(path.read_text(encoding="utf-8")).get("run", "")) if path.exists() else ""


def complete(prepared: Prepared, job: Job, silos: Path | None = None) -> list[str]:
    """Make the map of a run whose metrics are complete, from the silos' state, wherever it lies.

    Final models are kept from there too.

    Returns:
        What the user should know of what is not kept.
    """
    experiment, out = prepared.experiment, job.out
    state = (silos or job.state) / run_name(experiment, job.run_id)
    features = prepared.kits[experiment.seeds[0]].features
    if not state.exists():  # it lies elsewhere, or the run was finished before: no map, or the old
        return []
    save_maps(out / "maps.npz", collect_maps(experiment, features, out / "config.yaml", state))
    if images := collect_images(experiment, out / "config.yaml", state):
        save_maps(out / "images.npz", images)
    if texts := collect_texts(experiment, out / "config.yaml", state):
        write_json(out / TEXTS, texts)
    return keep_finals(experiment, state, out)


def drop_state(job: Job, silos: Path | None = None) -> None:
    """Remove what silos and server kept on their way; last, for a run without pages goes on from it."""
    for folder in {job.state, silos or job.state}:
        shutil.rmtree(folder, ignore_errors=True)
