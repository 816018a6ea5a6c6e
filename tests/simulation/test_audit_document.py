# SPDX-License-Identifier: Apache-2.0
"""``audit.json`` and ``audit.html`` hold the same figures, and every key is documented."""

import json
from html.parser import HTMLParser

import pytest
import yaml
from rich.console import Console

from tailweave.simulation.audit.command import run_audit
from tailweave.simulation.audit.document import (
    AttackDocument,
    AuditDocument,
    CanaryDocument,
    FindingDocument,
    MembershipDocument,
    PromiseDocument,
)
from tailweave.simulation.audit.request import accept_audit

SKETCH = {"kind": "sliced", "directions": 32}
CONFIG = {
    "name": "small",
    "seeds": 1,
    "data": {"source": "gaussian-modes", "rows": 700, "dimensions": 4, "modes": 3, "rare-modes": 0},
    "silos": {"count": 3, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 60},
    "arms": [
        {"name": "sketch", "rule": "herding", "reference": SKETCH},
        {"name": "wider", "rule": "herding", "reference": {**SKETCH, "range": 5.0}},
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 4}},
    ],
    "evaluation": {"samples": 60},
    "privacy": {"epsilon": None, "min-rows": 100},
}
DOCUMENTS = {
    "findings": FindingDocument,
    "attacks": AttackDocument,
    "promises": PromiseDocument,
    "membership": MembershipDocument,
    "canary": CanaryDocument,
}


def unlike(value, document):
    """Yield every place where JSON has other keys than are documented."""
    if set(value) != set(document.__annotations__):
        yield document.__name__, sorted(set(value) ^ set(document.__annotations__))
    for key, inner in DOCUMENTS.items():
        for part in [value[key]] if isinstance(value.get(key), dict) else value.get(key) or []:
            yield from unlike(part, inner)


class Cells(HTMLParser):
    """All table rows of a page, each a list of the texts of its cells."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.heads, self._inside = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        self._inside = self._inside or tag in ("th", "td")
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag == "small":
            self.rows[-1][-1] += "|"

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.rows[-1][-1] += data.strip()


def table_rows(html):
    """Yield each finding's cells by the head of their column."""
    heads = []
    for row in Cells(html).rows:
        if row[0] == "protocol":
            heads = row
        elif row:
            yield dict(zip(heads, row, strict=True))


def as_page(finding):
    """Return what the page must show of a finding, from the JSON alone."""
    first, _, rest = finding["verdict"].partition("; ")
    shown = {"verdict": f"{first}|{rest}" if rest else first}
    for attack in finding["attacks"]:
        text = f"{attack['close']:,} of {attack['rows']:,}|{attack['exact']:,} exactly"
        shown["rows recovered" if finding["role"] == "published" else attack["name"]] = text
    if finding["role"] not in ("doors open", "published"):
        claimed = finding["claimed_epsilon"]
        shown["ε claimed"] = "none" if claimed is None else f"{claimed:g}"
    if finding["canary"]:
        shown["ε shown"] = f"≥ {finding['epsilon_lower_bound']:.2f}"
    if finding["membership"]:
        game = finding["membership"]
        ceiling = lambda value: "no ceiling" if value is None else f"ceiling {value:.3f}"  # noqa: E731
        auc = f"{game['auc']:.3f} ± {game['auc_se']:.3f}"
        shown["membership AUC"] = f"{auc}|{ceiling(game['auc_ceiling'])}"
        shown["TPR at 1\u00a0%"] = f"{game['tpr']:.3f}|{ceiling(game['tpr_ceiling'])}"
    return shown


@pytest.mark.slow
def test_the_page_and_the_json_say_the_same_and_all_keys_are_documented(tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    request = accept_audit(config, tmp_path / "out", ("name=renamed",), runs=150, questions=100)
    assert run_audit(request, Console(quiet=True)) == 0
    found = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert list(unlike(found, AuditDocument)) == []
    assert (found["format"], found["name"]) == ("tailweave-audit/1", "renamed")
    rows = list(table_rows((tmp_path / "out" / "audit.html").read_text()))
    order = ["as configured", "at the doors", "doors open", "for comparison", "published"]
    assert {f["role"] for f in found["findings"]} == set(order)
    ordered = sorted(found["findings"], key=lambda f: order.index(f["role"]))
    assert len(rows) == len(ordered) == 3 + 2 + 2 + 3 + 2
    for row, finding in zip(rows, ordered, strict=True):
        below = ": ".join(filter(None, (", ".join(finding["arms"]), finding["note"])))
        assert row["protocol"] == "|".join(filter(None, (finding["protocol"], below)))
        for head, text in as_page(finding).items():
            assert row[head].startswith(text), (finding["protocol"], head)
