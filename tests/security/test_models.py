# SPDX-License-Identifier: Apache-2.0
"""Pretrained models that a server names: not opened, nor looked for, unless the owner has listed them.

A real node answers in a process of its own, where every file that is opened or looked at, and every
connection, is written down by an audit hook and by ``os.stat``, which has no audit event.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.release.models import check_models
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.messages import Retrain
from tailweave.protocols.texts import packed

ROOT = Path(__file__).parents[2]
COLUMNS = 16
ANSWER = """
import json, logging, os, sys

seen, logged = [], []
def hook(event, given):
    if event.startswith(("open", "os.listdir", "os.scandir")):
        seen.append(str(given[0]))
    elif event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto")):
        seen.append("network " + str(given))
sys.addaudithook(hook)
stat = os.stat
def seen_stat(path, *given, **named):
    seen.append(str(path))
    return stat(path, *given, **named)
os.stat = seen_stat

from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity
from tailweave.clients.app import app
from tailweave.protocols.records import encode
sys.path.insert(0, sys.argv[1])
import test_models

logger = logging.getLogger("tailweave.clients")
logger.addHandler(logging.Handler())
logger.handlers[-1].emit = lambda record: logged.append(record.getMessage())

TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
told = []
for number, (folder, base, model) in enumerate(json.load(sys.stdin)):
    question = test_models.asking(base=base, model=model, run=f"r{number}")  # no other's checkpoint
    message = Message(encode(question), 5, "train.retrain")
    message.metadata.__dict__["_message_id"] = "q"
    settings = {"data": folder + "/rows.csv", "name": "north", "state-dir": folder + "/state"}
    settings["policy"] = folder + "/policy.yaml"
    seen.clear(), logged.clear()
    try:
        app(message, Context(1, 5, settings, RecordDict(), {}))
        said = "answered"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    told.append({"said": said, "seen": list(seen), "logged": " ".join(logged)})
print(json.dumps(told))
"""


def asking(*, base: str | None = None, model: str | None = None, run: str = "r", **options) -> Retrain:
    """Ask for a diffusion model that goes on from ``base``, or features by the encoder ``model``."""
    arrays = FeatureMap(np.zeros(COLUMNS), np.eye(COLUMNS), np.zeros(COLUMNS), 1.0).arrays()
    if model is not None:
        name = np.frombuffer(model.encode(), dtype=np.uint8).astype(float)
        encoder = {"image": np.array([1.0, 4.0, 4.0]), "model": name, "digest": np.zeros(32)}
        arrays |= with_prefix("encoder", encoder)
    generator = {"kind": "diffusion", "base": base, "start": "local", "first-epochs": 1, "sampling-steps": 2}
    generator |= {"epochs": 1, "device": "cpu"} | options
    return Retrain(
        run=run,
        seed=7,
        arm=ArmSpec.model_validate({"name": "siloed", "rule": "random"}),
        generator=DiffusionSpec.model_validate(generator),
        recursion=RecursionSpec(generations=1, samples=20),
        start=0,
        stop=0,
        arrays=with_prefix("features", arrays),
    )


def node_folder(folder: Path, policy: str = "") -> str:
    """Make what a node's settings name; its policy is the default one but for ``policy``."""
    rows = np.random.default_rng(0).random((300, COLUMNS))
    lines = [",".join(f"c{i}" for i in range(COLUMNS)), *(",".join(map(str, row)) for row in rows.tolist())]
    (folder / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    (folder / "policy.yaml").write_text(f"epsilon: 2.0\n{policy}", encoding="utf-8")
    return str(folder)


def answers(questions: list) -> list[dict]:
    """Let a node answer; each question is its folder, the base and the encoder that are named."""
    found = subprocess.run(
        [sys.executable, "-c", ANSWER, str(Path(__file__).parent)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return json.loads(found.stdout.splitlines()[-1])


def test_what_is_not_listed_is_not_looked_for(tmp_path):
    folder = node_folder(tmp_path, "models: [/models/listed, owner/listed]\n")
    there, away = tmp_path / "models" / "there", tmp_path / "models" / "away"
    there.mkdir(parents=True)
    (there / "config.json").write_text("{}")
    names = [str(there), str(away), "owner/model", "owner/listed2", "/models/listed/", "Owner/listed", "."]
    questions = [(folder, name, None) for name in names] + [(folder, None, name) for name in names]
    told = answers(questions)
    assert {answer["said"] for answer in told} == {
        "PolicyError: refused by the silo's policy: a pretrained model is to be opened (generator.base or "
        "features.model) that is not among its models"
    }
    for answer in told:
        assert not [
            path
            for path in answer["seen"]
            if path.startswith((str(there.parent), "network "))
            or "huggingface/" in path
            or "models--" in path
        ]


@pytest.mark.parametrize("part", ["features", "evaluation", "held-out", "start"])
def test_wherever_a_name_hides_it_is_found(part):
    question = asking(model="owner/model")
    moved = {name.replace("features/", f"{part}/", 1): a for name, a in question.arrays.items()}
    hidden = question.model_copy(update={"arrays": moved})
    with pytest.raises(PolicyError, match="not among its models"):
        check_models(Policy(models=("owner/other",)), hidden)
    check_models(Policy(models=("owner/model",)), hidden)


def test_a_name_that_is_none_is_refused_like_any_other():
    question = asking(model="x")
    odd = question.model_copy(
        update={"arrays": question.arrays | {"features/encoder/model": np.array([0.5])}}
    )
    with pytest.raises(PolicyError, match="not among its models"):
        check_models(Policy(models=("x",)), odd)


@pytest.mark.parametrize(
    ("options", "opens"),
    [
        ({"start": "local"}, True),
        ({"start": "shared", "warm-start": False}, True),
        ({"start": "shared"}, False),  # it comes in the message: nothing is opened here
    ],
)
def test_a_base_that_is_sent_needs_no_leave(options, opens):
    question = asking(base="owner/model", **options)
    if opens:
        with pytest.raises(PolicyError, match="not among its models"):
            check_models(Policy(), question)
    else:
        check_models(Policy(), question)
    check_models(Policy(models=("owner/model",)), question)


CANARY = """
import os, sys
from pathlib import Path
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
folder = Path(sys.argv[1])
torch.manual_seed(0)
unet = UNet2DModel(sample_size=4, in_channels=1, out_channels=1, block_out_channels=(8,), layers_per_block=1,
    down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), norm_num_groups=4, attention_head_dim=4)
DDPMPipeline(unet=unet, scheduler=DDPMScheduler(num_train_timesteps=40)).save_pretrained(folder / "good")
unet.save_pretrained(folder / "bare")
class Canary:
    def __reduce__(self):
        return os.system, (f"touch {folder}/sung",)
for name in ("good", "bare"):
    pickled = folder / f"pickled-{name}"
    os.system(f"cp -r {folder / name} {pickled}")
    for path in list(pickled.rglob("*.safetensors")):
        torch.save(Canary(), path.with_name("diffusion_pytorch_model.bin"))
        path.unlink()
"""
CODE = "from pathlib import Path\\nPath({sung!r}).touch()\\nclass Mine: pass\\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", CANARY, str(folder)], check=True, capture_output=True)
    for name in ("code-pipeline", "code-scheduler"):
        subprocess.run(["cp", "-r", folder / "good", folder / name], check=True)
        for place in (folder / name, folder / name / "scheduler"):
            (place / "mine.py").write_text(CODE.format(sung=str(folder / "sung")).replace("\\n", "\n"))
        index = json.loads((folder / name / "model_index.json").read_text())
        if name == "code-pipeline":
            index["_class_name"] = ["mine", "Mine"]
        else:
            index["scheduler"] = ["mine", "Mine"]
        (folder / name / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.slow
def test_what_is_listed_is_opened_from_here_and_runs_nothing(tmp_path, models):
    listed = [str(path) for path in sorted(models.iterdir()) if path.is_dir()] + ["owner/model"]
    folder = node_folder(tmp_path, f"models: {json.dumps(listed)}\n")
    told = dict(zip(listed, answers([(folder, name, None) for name in listed]), strict=True))
    assert {answer["said"] for answer in told.values()} == {"answered"}  # an owner's own arm: nobody is told
    logged = {Path(name).name: answer["logged"] for name, answer in told.items()}
    # a model whose pipeline is code has its weights and noise read, and the code left alone
    assert {name for name, said in logged.items() if not said} == {"bare", "code-pipeline", "good"}
    assert "its scheduler Mine is none of diffusers'" in logged["code-scheduler"]
    assert all("cannot be loaded" in logged[name] for name in ("model", "pickled-bare", "pickled-good"))
    assert not (models / "sung").exists()
    seen = [path for answer in told.values() for path in answer["seen"]]
    assert [path for path in seen if path.startswith(str(models / "good"))]
    assert not [path for path in seen if path.endswith((".bin", "mine.py")) or path.startswith("network")]


def test_no_model_is_loaded_but_from_safetensors_and_without_its_code():
    calls = [
        (str(path.relative_to(ROOT)), ast.unparse(node.func), said_in(node))
        for package in ("protocols", "clients", "server", "simulation")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(
            (".from_pretrained", "torch.load", "hub.load", "load_state_dict_from_url")
        )
        and not ast.unparse(node.func).startswith("scheduler.")  # JSON alone
    ]
    assert {path for path, _, _ in calls} == {
        "clients/encoders/pretrained.py",
        "clients/encoders/pretrained_text.py",
        "clients/generators/diffusion/base.py",
        "clients/generators/language_model/network.py",
    }
    of_models = [said for _, name, said in calls if "AutoTokenizer" not in name]
    assert len(of_models) == 4
    assert all(said["use_safetensors"] == "True" for said in of_models)
    by_transformers = [said for _, name, said in calls if "transformers.Auto" in name]
    assert len(by_transformers) == 5
    assert all(said["trust_remote_code"] == "False" for said in by_transformers)


def said_in(call: ast.Call) -> dict[str, str]:
    return {word.arg: ast.unparse(word.value) for word in call.keywords if word.arg}


@pytest.mark.parametrize("part", ["text-model", "language-model"])
def test_a_model_of_documents_is_not_opened_unless_it_is_listed(part):
    def question(name: str) -> Retrain:
        options = json.dumps({"kind": "language-model", "temperature": 1.0, "base": name})
        array = (
            packed([options]) if part == "language-model" else np.frombuffer(name.encode(), np.uint8) * 1.0
        )
        asked = asking()
        return asked.model_copy(update={"arrays": {**asked.arrays, f"features/encoder/{part}": array}})

    policy = Policy(models=("owner/listed",))
    check_models(policy, question("owner/listed"))
    with pytest.raises(PolicyError, match="not among its models"):
        check_models(policy, question("owner/other"))
    asked = asking()
    odd = asked.model_copy(update={"arrays": {f"features/encoder/{part}": np.array([0.5])}})
    with pytest.raises(PolicyError, match="not among its models"):
        check_models(policy, odd)
