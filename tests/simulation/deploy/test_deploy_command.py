# SPDX-License-Identifier: Apache-2.0
import sys

import pytest
from typer.testing import CliRunner

from tailweave.simulation import cli
from tailweave.simulation.deploy.command import app

runner = CliRunner()


def test_init_then_check_then_a_fault(tmp_path):
    folder = tmp_path / "kit"
    made = runner.invoke(app, ["init", str(folder), "--silo", "north", "--port", "21000"])
    assert made.exit_code == 0
    assert "README.md" in made.output
    (folder / "silos/north/data.csv").write_text("u\n1\n2\n3\n")
    good = runner.invoke(app, ["check", "--quick", str(folder / "silos/north")])
    assert good.exit_code == 0
    lines = good.output.splitlines()
    assert len(lines) == 19
    assert {line.split()[0] for line in lines[:-1]} == {"ok", "off", "skip"}
    assert runner.invoke(app, ["check", "--quick", "--running", str(folder / "silos/north")]).exit_code == 1
    settings = folder / "silos/north/node.yaml"
    settings.chmod(0o644)
    settings.write_text(settings.read_text().replace("data: data.csv", "data: none.csv"))
    bad = runner.invoke(app, ["check", "--quick", str(folder / "silos/north")])
    assert bad.exit_code == 1
    assert "FAIL silo north" in bad.output
    assert "remedy: " in bad.output
    assert runner.invoke(app, ["renew", str(folder)]).exit_code == 0


def test_settings_are_printed_for_the_scripts(kit):
    printed = runner.invoke(app, ["settings", str(kit / "silos/north")]).output
    assert "CUDA_VISIBLE_DEVICES=''\n" in printed


@pytest.mark.parametrize("name", ["a\nb", 'a" b', "a\udcff"])
def test_a_folder_that_cannot_stand_in_a_unit_is_bad_input(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "argv", ["tailweave", "deploy", "init", str(tmp_path / name), "--silo", "a"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: the kit's folder: ")
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_message_and_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tailweave", "deploy", "check", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "federation.yaml: no such file" in told
    assert "Traceback" not in told
