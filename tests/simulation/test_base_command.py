# SPDX-License-Identifier: Apache-2.0
"""``tailweave base``: the file that every node is given, and a run that starts from it."""

import re
import sys
from pathlib import Path

import pytest
import yaml

import tailweave
from tailweave.protocols.base_file import base_digest, load_base
from tailweave.simulation import cli

MIXTURE = {"kind": "gaussian-mixture", "components": 4}
LANGUAGE = {
    "kind": "language-model",
    "temperature": 0.8,
    "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
    "prompts": "public",
    "real-tokens": 4,
    "synthetic-tokens": 6,
    "first-epochs": 1,
    "epochs": 1,
    "device": "cpu",
}
WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
ARMS = [{"name": "random", "rule": "random"}, {"name": "anchored", "rule": "herding", "reference": "public"}]


@pytest.fixture
def call(monkeypatch, capsys):
    def base(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailweave", "base", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return base


def numbers(tiny, tmp_path: Path) -> Path:
    return tiny(generator=MIXTURE, arms=ARMS, recursion={"generations": 1, "samples": 60})


def texts(tiny, tmp_path: Path) -> Path:
    lines = [f'{{"text": "{" ".join(WORDS[i % 4 :])} {WORDS[i % 12]}"}}\n' for i in range(90)]
    (tmp_path / "own.jsonl").write_text("".join(lines), encoding="utf-8")
    return tiny(
        data={"source": "jsonl", "path": "own.jsonl", "evaluation-fraction": 0.3},
        features={"kind": "hidden-states", "dimensions": 3},
        silos={"count": 2, "partition": {"kind": "iid"}},
        generator=LANGUAGE,
        recursion={"generations": 1, "samples": 12},
        arms=ARMS,
        evaluation={"samples": 20},
        federation={"min-clients": 2},
    )


@pytest.mark.slow
@pytest.mark.parametrize("config", [numbers, texts])
def test_a_run_from_the_file_gives_the_metrics_of_the_shared_base(tiny, tmp_path, call, config):
    path, file = config(tiny, tmp_path), tmp_path / "made" / "base.npz"
    code, out, error = call(path, "--out", file, "--seed", 0)
    assert (code, error) == (0, "")
    kind, arrays = load_base(file)
    assert re.search(rf"base.npz: a {kind} of \d+\.\d MiB, digest {base_digest(kind, arrays)}, in ", out)
    assert file.stat().st_mode & 0o044  # public: others may read it, as the umask has it
    assert [one.name for one in file.parent.iterdir()] == ["base.npz"]
    generator = yaml.safe_load(path.read_text())["generator"]
    found = [
        tailweave.run(
            path, out=tmp_path / name, overrides={"seeds": [0], "generator": generator | start}
        ).metrics()
        for name, start in (("shared", {}), ("path", {"start": {"path": str(file)}}))
    ]
    assert found[0] == found[1]
    assert found[0]


def test_what_is_there_is_left_alone_and_what_is_wrong_makes_nothing(tiny, tmp_path, call):
    path, file = numbers(tiny, tmp_path), tmp_path / "base.npz"
    started = {"start": {"path": "base.npz"}}
    (tmp_path / "from-file.yaml").write_text(
        yaml.safe_dump(yaml.safe_load(path.read_text()) | {"generator": MIXTURE | started})
    )
    for arguments, said in (
        ((path, "--seed", "7"), "--seed must be one of the experiment's: 0, 1, got 7"),
        ((path, "--set", "generator.components=0"), "generator.components"),
        ((path, "--set", "public.fraction=0.001"), "components must be at most the 2 training rows"),
        ((tmp_path / "from-file.yaml",), "the base is in a file already, .*base.npz: nothing to fit"),
    ):
        code, out, error = call(*arguments, "--out", file)
        assert (code, out) == (2, "")
        assert re.search(said, error), error
        assert not list(tmp_path.glob("*.npz"))
    file.write_bytes(b"mine")
    assert call(path, "--out", file)[::2] == (
        2,
        f"error: --out: {file} exists and is left alone; give another file\n",
    )
    assert file.read_bytes() == b"mine"
