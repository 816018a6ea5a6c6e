# SPDX-License-Identifier: Apache-2.0
"""A dry run says what a run would take, measures a few steps, and leaves nothing behind."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from later import later
from rich.console import Console

from tailweave.clients.generators.diffusion.architecture import architecture_of
from tailweave.clients.generators.diffusion.measure import size_of, speeds
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec, UnetSpec
from tailweave.simulation.dry_run import _selection_seconds, dry_run
from tailweave.simulation.engines.opening import in_messages

torch = later("torch")
CONFIGS = Path(__file__).parents[2] / "configs"
TINY = {"kind": "diffusion", "network": {"kind": "mlp", "hidden": 16, "layers": 1}, "sampling-steps": 2}


def said(path: Path, *overrides: str) -> str:
    file = io.StringIO()
    dry_run(in_messages(load_experiment(path, overrides), "in-process"), Console(file=file, width=400))
    return file.getvalue()


def test_a_mixture_is_described(tiny):
    text = said(tiny())
    assert "tiny: 4 arms x 2 seeds x 3 of 3 silos x 3 generations" in text
    assert "1,617 public and 180 held-out rows of 64 columns" in text
    assert "gaussian-mixture, 8,579 parameters" in text  # 4 x (64 + 64 x 65 / 2) + 3
    assert "2 base fits, 72 refits" in text
    assert "66 questions" in text
    assert text.count("time ") == 1


def test_rules_on_scores_and_on_birth_are_timed(tiny):
    pool = {"paradigm": "accumulate-select", "include-real": True}
    arms = [
        {"name": "top", "rule": "surplexity"},
        {"name": "gated", "rule": "gated-herding", "reference": {"kind": "sliced", "directions": 4}},
        {"name": "human", "rule": "fresh", **pool},
        {"name": "newest", "rule": "last-generation", **pool},
    ]
    assert "4 arms x" in said(tiny(arms=arms))


@pytest.mark.parametrize(
    ("rule", "reference"), [("lexical-entropy", None), ("rouge", "local"), ("herding", "local")]
)
def test_rules_that_read_are_timed_on_documents(tiny, rule, reference, monkeypatch):
    experiment = load_experiment(tiny())
    arm = ArmSpec.model_validate({"name": "a", "rule": rule, "reference": reference})
    monkeypatch.setattr(type(experiment.data), "gives", "text")
    found = SimpleNamespace(columns=1)
    assert 0.0 <= _selection_seconds(experiment, arm, found) < 60.0


def test_a_network_is_described(tiny):
    text = said(tiny(generator=TINY | {"first-epochs": 2, "epochs": 5, "batch-size": 50}))
    parameters = sum(p.numel() for p in architecture_of(spec_of(), 64).build("meta").parameters())
    assert f"diffusion, {parameters:,} parameters" in text
    # 33 steps an epoch over 1,617 rows, 2 over 60.
    assert "852 training steps (66 a base, 10 a refit; 50 rows a step, 2 network calls a row drawn)" in text
    assert "time      cpu, one thread: about " in text
    assert ("cuda" in text.lower()) == torch.cuda.is_available()


def test_an_autoencoder_is_described_by_the_shape_of_its_images(tiny):
    generator = {
        "kind": "vae",
        "latent": 2,
        "channels": [4],
        "first-epochs": 2,
        "epochs": 5,
        "batch-size": 50,
    }
    text = said(tiny(generator=generator))
    # 4 x (9 + 1), 64 x 4 + 4 of the code, 2 x 64 + 64 of the inlet, 4 x 16 + 1.
    assert "vae, 557 parameters" in text
    assert "852 training steps (66 a base, 10 a refit; 50 rows a step, one network call a row drawn)" in text
    assert "time      cpu, one thread: about " in text


def spec_of(**options) -> DiffusionSpec:
    return DiffusionSpec.model_validate(TINY | options)


@pytest.mark.slow
def test_nothing_is_left_behind(tiny, command_line, tmp_path):
    path = tiny()
    process = command_line("run", path, "--dry-run", "--out", tmp_path / "out")
    text, errors = process.communicate(timeout=240)
    assert (process.returncode, errors) == (0, "")
    assert "memory" in text
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_a_run_would_refuse_is_refused(tiny):
    with pytest.raises(ValueError, match="shape 1 x 4 x 4 makes 16 columns, the rows have 64"):
        said(tiny(generator=TINY | {"network": {"kind": "unet", "shape": [1, 4, 4], "channels": [8]}}))


def test_parameters_and_what_is_kept_for_gradients_are_counted():
    """By hand: Linear(p, h) keeps its input (n, p); LayerNorm input, mean and rstd; silu its input."""
    spec = spec_of(network=MlpSpec(hidden=16, layers=1), batch_size=32)
    size = size_of(spec, (64,))
    network = architecture_of(spec, 64).build("cpu")
    assert size.parameters == sum(p.numel() for p in network.parameters())
    inputs = 32 * (
        64 + 64 + 16 + 16 + 16 + 16 + 16 + 16
    )  # inlet, time 1 and 2, silu, first, silu, second, outlet
    assert 4 * inputs <= size.activation_bytes <= 4 * (inputs + 32 * (16 * 4 + 8))
    assert (
        size_of(spec.model_copy(update={"batch_size": 64}), (64,)).activation_bytes
        == 2 * size.activation_bytes
    )


@pytest.mark.parametrize(
    "network", [MlpSpec(hidden=16, layers=1), UnetSpec(kind="unet", shape=(1, 8, 8), channels=(8, 8))]
)
def test_speeds_of_all_devices_are_measured(network):
    found = speeds(spec_of(network=network, batch_size=16, sampling_batch=32), (64,))
    assert len(found) == 1 + torch.cuda.is_available()
    assert found[0].device == "cpu, one thread"
    assert all(speed.step_seconds > 0 and speed.row_seconds > 0 for speed in found)


@pytest.mark.slow  # a UNet of 35.7 million parameters: 20 s of processor time
def test_the_papers_setting_is_complete_and_of_the_published_size():
    """The UNet of google/ddpm-cifar10-32 has 35,746,307 parameters; its files may be absent."""
    text = said(CONFIGS / "cifar10-paper.yaml")
    assert "35,746,307 parameters" in text
    assert "50,000 public and 10,000 held-out rows of 3,072 columns" in text
    assert "not there, sizes are assumed" in text
    assert "data_batch_1" in text
    assert "195,500 a base, 195,500 a refit" in text
    assert " days" in text
