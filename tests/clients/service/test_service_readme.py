# SPDX-License-Identifier: Apache-2.0
"""The Python client of README, run as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.selection.streaming import StreamingRule, streamed_herding
from tailweave.clients.service.served import Served
from tailweave.protocols.streams import stream

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    """The Python blocks of README that have to do with the service, in their order."""
    found = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in found if "service" in block]


def test_there_is_a_client_of_ten_lines(blocks):
    assert len(blocks) == 2, f"{README} must have the feature map and the client"
    assert sum(bool(line.strip()) for line in blocks[1].splitlines()) <= 10


def test_the_client_of_readme_keeps_what_the_rule_keeps(
    blocks, start, certificate, kept, tmp_path, monkeypatch
):
    (tmp_path / "server.pem").write_bytes(certificate[0].read_bytes())
    (tmp_path / "token").write_text("correct-horse-battery-staple\n")
    monkeypatch.chdir(tmp_path)
    rows = stream(0, "rows").normal(size=(1000, 7))
    names = {"rows": rows, "features": kept.features(rows)}
    client = blocks[1].replace("localhost:8443", f"localhost:{start().port}")
    exec(client, names)
    expected = streamed_herding(Served.of(kept).target, kept.features(rows), StreamingRule(1, 4))
    assert names["keep"] == expected.keep.tolist()
    del names["features"]
    exec(blocks[0], names)
    assert np.allclose(names["features"], kept.features(rows), rtol=1e-12)
