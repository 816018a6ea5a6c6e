# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit RUN``: attacks on recorded bytes, promises looked up in them, the exit code."""

import json
import re

import numpy as np
import pytest
from rich.console import Console

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, dump_experiment
from tailweave.protocols.references.sliced import SlicedSummary
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.command import run_audit
from tailweave.simulation.audit.recorded import attack_recorded, audit_run
from tailweave.simulation.audit.request import accept_audit
from tailweave.simulation.audit.scene import Scene, released
from tailweave.simulation.audit.wire_noise import independent, large_enough, wire_noise
from tailweave.simulation.run_folder import RunFolder, RunFolderError

RUNS = 120
TREE = {
    "name": "small",
    "seeds": [0, 1],
    "data": {"source": "gaussian-modes", "rows": 500, "dimensions": 4, "modes": 3, "rare-modes": 0},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {"name": "sketch", "rule": "herding", "reference": {"kind": "sliced", "directions": 32}},
        {"name": "again", "rule": "herding", "reference": {"kind": "sliced", "directions": 32}},
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 4}},
    ],
    "privacy": {"epsilon": None, "min-rows": 50, "min-cluster-size": 10},
}
EXPERIMENT = Experiment.model_validate(TREE)


def at(epsilon):
    privacy = EXPERIMENT.privacy.model_copy(update={"epsilon": epsilon})
    return EXPERIMENT.model_copy(update={"privacy": privacy})


def recovered_by(finding):
    return {a.name: (a.recovery.exact, a.recovery.close, a.recovery.rows) for a in finding.attacks}


def record(folder, experiment, *, seeds=(0, 1), claimed=None):
    """Write what a run of ``experiment`` leaves behind, summaries only."""
    (folder / "wire").mkdir(parents=True)
    (folder / "config.yaml").write_text(dump_experiment(EXPERIMENT))
    (folder / "environment.json").write_text("{}")
    (folder / "metrics.jsonl").write_text("")
    lines = []
    for seed in seeds:
        scene = Scene.of(experiment, seed)
        for spec, privacy in released(experiment):
            channel = Channel.of(spec, scene.space, privacy, silos=1)
            for silo in scene.world.silos:
                sent = channel.send(scene.rows(silo), stream(seed, silo.name, spec.kind))
                lines.append(line(folder, len(lines), seed, silo.name, spec, sent.arrays(), claimed))
    (folder / "wire.jsonl").write_text("".join(lines))
    return RunFolder(folder)


def line(folder, number, seed, silo, spec, arrays, claimed):
    np.savez(folder / "wire" / f"{number:06d}.npz", **arrays)
    stored = {"seed": seed, "silo": silo, "round": "summarise", "kind": spec.kind, "fields": {}, "bytes": 1}
    stored |= {"reference": spec.model_dump(mode="json", by_alias=True), "privacy": {"epsilon": claimed}}
    return json.dumps({**stored, "arrays": f"wire/{number:06d}.npz"}) + "\n"


def own(result):
    return [finding for finding in result.findings if finding.role == "as recorded"]


def tamper(folder, number, **changes):
    path = folder.path / "wire" / f"{number:06d}.npz"
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, **{**arrays, **{name: change(arrays[name]) for name, change in changes.items()}})


def test_an_honest_recorded_run(tmp_path):
    folder = record(tmp_path / "run", EXPERIMENT)
    result = audit_run(folder, runs=RUNS)
    assert [f.verdict for f in own(result)] == ["no guarantee claimed"] * 2
    assert [f.role for f in result.findings[2:]] == ["published"] * 2
    assert all(f.membership.silos == 4 for f in own(result))
    assert result.findings[0].membership.auc > 0.6  # 32 directions without noise on 135 rows
    rows = sum(len(silo.train) for seed in (0, 1) for silo in Scene.of(EXPERIMENT, seed).world.silos)
    assert recovered_by(result.findings[0]) == {"direct reading": (0, 0, rows)}


@pytest.mark.slow
def test_a_raw_row_on_the_wire_breaks_a_promise(tmp_path):
    folder = record(tmp_path / "run", EXPERIMENT, seeds=(0,))
    scene = Scene.of(EXPERIMENT, 0)
    row = scene.rows(scene.world.silos[1])[17]
    tamper(folder, 3, centroids=lambda c: np.vstack([c[:-1], row]))  # numbers 2 and 3 are clusters
    result = audit_run(folder, runs=RUNS)
    (breach,) = result.findings[1].breaches
    assert breach.startswith("direct reading: 1 of")
    assert result.findings[0].breaches == ()
    console = Console(record=True, width=200)
    assert run_audit(accept_audit(folder.path, None, questions=100), console) == 1
    assert "A promise is broken" in console.export_text()
    assert (folder.path / "audit.html").exists()
    assert json.loads((folder.path / "audit.json").read_text())["broken"] is True


def test_a_small_cluster_on_the_wire_breaks_a_promise(tmp_path):
    folder = record(tmp_path / "run", EXPERIMENT, seeds=(0,))
    tamper(folder, 2, counts=lambda c: np.append(c[:-1], 9.0))
    (breach,) = audit_run(folder, runs=RUNS).findings[1].breaches
    assert breach == "not kept: no cluster of fewer than 10 rows leaves a silo (min-cluster-size)"


@pytest.mark.slow
def test_a_private_run_must_have_been_charged_once_and_enough(tmp_path):
    folder = record(tmp_path / "run", at(2.0), seeds=(0,), claimed=2.0)
    result = attack_recorded(folder, at(2.0), runs=RUNS)
    assert [f.verdict for f in own(result)] == ["holds", "holds"]
    unlogged = record(tmp_path / "unlogged", at(2.0), seeds=(0,), claimed=None)
    found = attack_recorded(unlogged, at(2.0), runs=RUNS).findings[0]
    assert found.breaches == ("not kept: every summary is logged with the epsilon claimed",)
    bare = record(tmp_path / "bare", EXPERIMENT, seeds=(0,), claimed=2.0)  # logged as private, sent without
    missing = "not kept: the noise on the wire is as large as claimed"
    assert missing in attack_recorded(bare, at(2.0), runs=RUNS).findings[0].breaches
    few = at(2.0).model_copy(update={"privacy": at(2.0).privacy.model_copy(update={"min_rows": 140})})
    assert (
        "not kept: no silo below min-rows released"
        in attack_recorded(folder, few, runs=RUNS).findings[0].breaches
    )


@pytest.mark.parametrize(("share", "kept"), [(0.5, False), (0.7, False), (1.0, True), (1.5, True)])
def test_noise_that_is_too_small_is_seen(share, kept):
    rows, scene = Scene.of(EXPERIMENT, 0).rows, Scene.of(EXPERIMENT, 0)
    spec, privacy = next(iter(released(at(2.0))))
    channel = Channel.of(spec, scene.space, privacy, silos=1)
    silo = scene.world.silos[0]
    exact = Channel.of(spec, scene.space, EXPERIMENT.privacy, silos=1).send(rows(silo), stream(0, "x"))
    added = stream(0, "noise").normal(0.0, share * channel.noise_sd, exact.sums.shape)
    sent = SlicedSummary(exact.sums + added, 135.0)
    noise = wire_noise(sent, rows(silo), channel.spec, scene.space)
    np.testing.assert_allclose(noise, added.ravel(), atol=1e-9)
    assert large_enough(noise, channel.noise_sd) is kept


def test_shared_noise_is_seen():
    noises = list(stream(0, "noises").standard_normal((4, 256)))
    assert independent(noises)
    assert independent(noises[:1])
    assert not independent([*noises, noises[0] + 0.5 * noises[1]])


def test_a_second_release_of_the_same_rows_is_seen(tmp_path):
    folder = record(tmp_path / "run", at(2.0), seeds=(0,), claimed=2.0)
    scene = Scene.of(EXPERIMENT, 0)
    (spec, privacy), silo = next(iter(released(at(2.0)))), scene.world.silos[0]
    sent = Channel.of(spec, scene.space, privacy, silos=1).send(scene.rows(silo), stream(9, "fresh noise"))
    more = line(folder.path, 4, 0, silo.name, spec, sent.arrays(), 2.0)
    with (folder.path / "wire.jsonl").open("a") as wire:
        wire.write(more)
    found = attack_recorded(folder, at(2.0), runs=RUNS).findings[0]
    assert "not kept: one release a data version, re-sent byte for byte" in found.breaches
    assert recovered_by(found)["differencing"][0] == 0
    with np.load(folder.path / "wire" / "000000.npz") as archive:  # the cached bytes instead: allowed
        np.savez(folder.path / "wire" / "000004.npz", **archive)
    assert attack_recorded(folder, at(2.0), runs=RUNS).findings[0].breaches == ()


def test_tiny_silos_are_rebuilt_from_a_recorded_sketch(tmp_path):
    silos = EXPERIMENT.silos.model_copy(update={"rows_per_silo": 12})
    tiny = EXPERIMENT.model_copy(update={"silos": silos, "arms": EXPERIMENT.arms[1:2]})
    folder = record(tmp_path / "run", tiny, seeds=(0,))
    (found,) = own(attack_recorded(folder, tiny, runs=RUNS))
    exact, close, rows = recovered_by(found)["sliced flow"]
    assert close > 0.8 * rows
    assert found.verdict == "no guarantee claimed; attack succeeds"


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="config.yaml"):
        audit_run(RunFolder(tmp_path))
    folder = record(tmp_path / "run", EXPERIMENT, seeds=(0,))
    (folder.path / "wire" / "000001.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match="000001.npz is not a readable summary"):
        audit_run(folder)
    np.savez(folder.path / "wire" / "000001.npz", sums=np.ones((2, 2)), count=np.ones(1))
    with pytest.raises(
        ValueError, match=r"wire.jsonl, line 2: wire/000001.npz is not what it says: sketch must have shape"
    ):
        audit_run(folder)
    for wrong in (np.array(["text"]), np.array([1j]), np.ones(3, dtype=np.int64)):
        np.savez(folder.path / "wire" / "000001.npz", sums=wrong)
        with pytest.raises(ValueError, match=r"000001.npz is not a readable summary: .* floats only"):
            audit_run(folder)
    np.save(folder.path / "wire" / "000001.npy", np.ones(3))
    (folder.path / "wire" / "000001.npy").rename(folder.path / "wire" / "000001.npz")
    with pytest.raises(ValueError, match=r"000001.npz is not a readable summary: File is not a zip file"):
        audit_run(folder)
    (folder.path / "wire" / "000001.npz").unlink()
    with pytest.raises(ValueError, match=r"000001.npz cannot be read: No such file or directory"):
        audit_run(folder)
    wire = folder.path / "wire.jsonl"
    wire.write_text(wire.read_text().replace("silo-1", "silo-9"))
    with pytest.raises(ValueError, match="unknown silo 'silo-9'"):
        audit_run(folder)
    with pytest.raises(ConfigError, match="--set changes a config"):
        run_audit(accept_audit(folder.path, None, ("seeds=1",)), Console())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"privacy": 3}, "privacy is not readable: Input should be a valid dictionary"),
        ({"privacy": {"epsilon": "much"}}, "privacy.epsilon is not readable"),
        ({"privacy": {"epsilon": -1.0}}, "privacy.epsilon is not readable"),
        ({"number": 0}, "number is not readable"),
        ({"seed": None}, "seed is not readable"),
        ({"seed": 5}, "seed 5 is none of the config's"),
        ({"reference": {"kind": "sliced", "directions": 0}}, "reference.sliced.directions is not readable"),
        ({"reference": None}, "does not say which reference was summarised"),
        ({"arrays": None}, "the summary that silo-1 sent was not kept"),
        ({"arrays": 7}, "arrays is not readable"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, change, said):
    folder = record(tmp_path / "run", EXPERIMENT, seeds=(0,))
    wire = folder.path / "wire.jsonl"
    first, second, *rest = wire.read_text().splitlines()
    wire.write_text("\n".join([first, json.dumps(json.loads(second) | change), *rest]) + "\n")
    with pytest.raises(RunFolderError, match=f"wire.jsonl, line 2.*{re.escape(said)}"):
        audit_run(folder)
