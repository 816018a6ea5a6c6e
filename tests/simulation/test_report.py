# SPDX-License-Identifier: Apache-2.0
"""The report says what the summary says, in words, escaped, offline, and never more than was measured."""

import json
import re
from html.parser import HTMLParser

import pytest
import yaml

from tailweave.simulation import summary as summaries
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.report import tables
from tailweave.simulation.report.comparison import write_comparison
from tailweave.simulation.report.headline import answers, who
from tailweave.simulation.report.page import base_note, facts, truth_note, write_report
from tailweave.simulation.report.wording import decimals_for, listed, number, percent, size
from tailweave.simulation.run_folder import RunFolder, RunFolderError


def summarise(rows, config, **beside):
    return summaries.summarise(summaries.measured(rows, config), config, **beside)


VOID = {"meta", "br", "img", "use", "path", "image", "rect"}


class Page(HTMLParser):
    """Collects tags and visible text, and checks that every tag is closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open, self.links, self.ids = set(), "", [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [v for k, v in attrs if k in ("href", "src", "xlink:href")]
        self.ids += [v for k, v in attrs if k == "id"]
        assert not [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def summary_of(folder):
    return summarise(folder.metrics(), folder.config(), wire=folder.wire(), events=folder.events())


def said(answer):
    return " ".join([answer.short, *answer.sentences, answer.warning or ""])


def test_the_report_is_one_offline_page_without_scripts(reported):
    path = reported.path / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert not page.tags & {"script", "iframe", "object", "link", "img", "b"}
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "default-src 'none'" in path.read_text(encoding="utf-8")
    assert json.loads((reported.path / "summary.json").read_text())["name"] == "synthetic"


def test_hostile_names_are_shown_as_text(reported):
    html = (reported.path / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert "<img src=x" not in html
    text = Page(html).text
    assert "<script>alert(1)</script>" in text
    assert "<img src=x onerror=alert(2)>" in text
    assert "schema version 2, <b>expected</b> 1" in text


@pytest.mark.slow
def test_the_report_is_the_same_bytes_each_time(reported, run_folder):
    path = write_report(OpenRun(run_folder))
    assert path == run_folder.path / "report.html"
    assert path.read_bytes() == (reported.path / "report.html").read_bytes()
    for figure in (run_folder.path / "figures").iterdir():
        assert figure.read_bytes() == (reported.path / "figures" / figure.name).read_bytes()


def test_the_first_screen_answers_four_questions(reported):
    summary = summary_of(reported)
    collapsed, fast, saved, sent = answers(summary)
    arms = summary["arms"]
    end = {arm: number(found["last"]["coverage"]["mean"]) for arm, found in arms.items()}
    assert collapsed.short == "siloed and no-selection"
    assert "2 of 4 arms fell below half of the coverage at the start, within 6 gener" in said(collapsed)
    assert f"siloed 0.90 → {end['siloed']} and no-selection 0.90 → {end['no-selection']}" in said(collapsed)
    assert f"Not so: anchored 0.90 → {end['anchored']} and collaborative" in said(collapsed)
    half_life = arms["siloed"]["collapse"]["half_life"]
    assert f"siloed at generation {half_life} and no-selection at generation 3" in said(fast)
    gain = arms["collaborative"]["paired"]["siloed"]["coverage"]
    assert saved.short == f"{number(gain['mean'], signed=True)} coverage"
    assert (
        f"{number(gain['interval'][0], signed=True)} to {number(gain['interval'][1], signed=True)}."
        in said(saved)
    )
    assert f"Without any silo's help, anchored reaches coverage {end['anchored']}." in said(saved)
    assert (
        "4.2 % of collaborative's samples at the start, 9.1 % at the end (9.1 % on the silo with least)"
        in said(saved)
    )
    assert sent.short == "18.8 KiB a silo"  # (96 + 2304 + 16384 + 512) / 1024
    assert "3 messages a seed, at most 19.3 KiB" in said(sent)
    assert "16.5 KiB of it summarise the silo's rows (rows_bucket and sketch)" in said(sent)
    assert sent.warning == "No differential privacy: simulation only."
    text = re.sub(r"\s+", " ", Page((reported.path / "report.html").read_text(encoding="utf-8")).text)
    assert all(sentence in text for answer in answers(summary) for sentence in answer.sentences)


def renamed(run_folder, names):
    """Return a summary of the same rows under other arm names, references as they were."""
    config = run_folder.config()
    config["arms"] = [{**arm, "name": names[arm["name"]]} for arm in config["arms"] if arm["name"] in names]
    rows = [{**row, "arm": names[row["arm"]]} for row in run_folder.metrics() if row["arm"] in names]
    return summarise(rows, config, wire=run_folder.wire())


def test_other_names_and_fewer_arms_still_make_sense(run_folder):
    saved = answers(renamed(run_folder, {"siloed": "alone", "collaborative": "woven"}))[2]
    assert "with woven and 0.02 with alone" in said(saved)
    saved = answers(renamed(run_folder, {"no-selection": "none", "anchored": "base"}))[2]
    assert saved.short == "not tried"
    assert "Coverage at the end runs from 0.16 (none) to 0.59 (base)." in said(saved)
    saved = answers(renamed(run_folder, {"collaborative": "woven", "anchored": "base"}))[2]
    assert saved.short == "no baseline"
    collapsed, fast, *_ = answers(renamed(run_folder, {"collaborative": "woven"}))
    assert collapsed.short == "no arm"
    assert fast.short == "not yet"


@pytest.mark.parametrize(
    ("fallen", "spared", "headline"),
    [
        (1, 0, "arm-0"),
        (3, 1, "arm-0, arm-1 and arm-2"),
        (3, 0, "arm-0, arm-1 and arm-2"),
        (4, 1, "arm-0, arm-1 and 2 more"),
        (19, 5, "arm-0, arm-1 and 17 more"),
        (24, 0, "all 24 arms"),
    ],
)
def test_the_headline_names_the_arms_that_collapsed_first(run_folder, fallen, spared, headline):
    summary = summary_of(run_folder)
    lost, kept = summary["arms"]["siloed"], summary["arms"]["collaborative"]
    arms = {f"arm-{i}": lost | {"collapse": {"half_life": 1 + i}} for i in range(fallen)}
    spare = {f"spared-{i}": kept for i in range(spared)}
    collapsed = who({**summary, "arms": spare | dict(reversed(arms.items()))})
    assert collapsed.short == headline
    assert f"{fallen} of {fallen + spared} arm" in collapsed.sentences[0]
    assert all(f"{arm} 0.90 → " in collapsed.sentences[0] for arm in arms)


def test_an_arm_that_gives_rows_away_speaks_only_where_it_is_alone(run_folder):
    def saved(*arms):
        config = run_folder.config()
        kinds = {"collaborative": "sliced", "anchored": "geodesic", "siloed": "local"}
        config["arms"] = [{"name": a, "rule": "herding", "reference": {"kind": kinds[a]}} for a in arms]
        rows = [row for row in run_folder.metrics() if row["arm"] in arms]
        return said(answers(summarise(rows, config))[2])

    assert "with collaborative and 0.02 with siloed" in saved("anchored", "collaborative", "siloed")
    assert "with anchored and 0.02 with siloed" in saved("anchored", "siloed")


@pytest.mark.parametrize(
    ("silos", "told"),
    [
        ({"count": 3}, "3 silos"),
        ({"count": 10, "follow": 3}, "3 of 10 silos followed"),
        ({"count": 10}, "3 of 10 silos measured"),
    ],
)
def test_silos_that_are_not_followed_or_were_missing_are_counted_too(silos, told, run_folder):
    config = run_folder.config() | {"silos": silos}
    assert facts(summary_of(run_folder), config)[1] == told


def test_the_run_is_named_as_in_messages_and_logs(run_folder):
    assert not any(fact.startswith("run: ") for fact in facts(summary_of(run_folder), {}))
    assert facts({**summary_of(run_folder), "run": "x-0a"}, {})[-1] == "run: x-0a"


def test_nothing_is_claimed_without_evidence(run_folder):
    one_seed = [row for row in run_folder.metrics() if row["seed"] == 0]
    assert "do not generalise" in said(answers(summarise(one_seed, run_folder.config()))[2])
    alike = [
        {"arm": arm, "seed": seed, "silo": "s", "generation": 0, "coverage": 0.5 + shift * (seed - 0.5)}
        for arm, shift in (("siloed", 0.1), ("collaborative", -0.1))
        for seed in (0, 1)
    ]
    assert "no difference can be claimed" in said(answers(summarise(alike, {}))[2])
    bare = [{"arm": "mine", "seed": 0, "silo": "s", "generation": 3, "frechet": 2.0}]
    collapsed, fast, saved, sent = answers(summarise(bare, {}))
    assert (collapsed.short, fast.short) == ("not measured", "not measured")
    assert (saved.short, sent.short) == ("not tried", "nothing")


def test_privacy_that_was_spent_is_named(run_folder):
    config, wire = run_folder.config(), run_folder.wire()
    config["privacy"]["epsilon"] = 8.0
    for row in wire:
        row["privacy"]["epsilon"] = 8.0 if row["kind"] == "summarise" else None
    sent = answers(summarise(run_folder.metrics(), config, wire=wire))[3]
    assert sent.warning is None
    assert "epsilon 8 at most" in said(sent)
    (run_folder.path / "maps.npz").unlink()
    (run_folder.path / "config.yaml").write_text(yaml.safe_dump(config))
    (run_folder.path / "wire.jsonl").write_text("".join(json.dumps(row) + "\n" for row in wire))
    assert "No differential privacy" not in write_report(OpenRun(run_folder)).read_text(encoding="utf-8")


def test_the_result_table_marks_the_best_but_not_the_oracle(run_folder):
    config = run_folder.config()
    config["arms"].append({"name": "ceiling", "rule": "herding", "reference": "oracle"})
    better = [
        {**row, "arm": "ceiling", "coverage": row["coverage"] + 0.05}
        for row in run_folder.metrics()
        if row["arm"] == "collaborative"
    ]
    table = tables.results(summarise([*run_folder.metrics(), *better], config))
    heads = [head for head, _ in table.heads]
    marked = {
        line.head: [h for h, c in zip(heads, line.cells, strict=True) if c.mark] for line in table.lines
    }
    assert "coverage\u00a0↑" in marked["collaborative"]
    assert "Fréchet\u00a0↓" in marked["collaborative"]
    assert "variance kept\u00a0→\u00a01" in marked["collaborative"]
    assert marked["ceiling"] == marked["siloed"] == []
    assert [line.cells[-1].text for line in table.lines][-3:] == ["never", "never", "never"]


def test_generation_0_is_shown_where_all_arms_share_it(run_folder):
    rows = run_folder.metrics()
    table = tables.results(summarise(rows, run_folder.config()))
    assert (table.lines[0].head, table.lines[0].cells[0].text) == ("generation 0", "0.900")
    for row in rows:
        row["coverage"] += 0.1 * (row["arm"] == "siloed")
    assert tables.results(summarise(rows, run_folder.config())).lines[0].head == "no-selection"


def test_differences_are_bold_only_when_the_interval_excludes_zero(run_folder):
    summary = summary_of(run_folder)
    table = tables.differences(summary, "siloed")
    marks = {line.head: [cell.mark for cell in line.cells] for line in table.lines}
    names = [head.split("\u00a0")[0] for head, _ in table.heads]
    paired = summary["arms"]["anchored"]["paired"]["siloed"]
    for name, mark in zip(names[:3], marks["anchored"][:3], strict=True):
        low, high = paired[name]["interval"]
        assert (mark == "clear") == (low > 0 or high < 0)
    assert marks["anchored"][names.index("precision")] == ""
    assert marks["anchored"][names.index("coverage")] == "clear"


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"public": {"fraction": 1.0, "class-weights": {}}}, r"fitted on 100 % .* unbiased"),
        ({"public": {"fraction": 0.3}}, "fitted on 30 % .* share of the truth"),
        ({"public": {"class-weights": {"7": 0.05, "8": 1.0, "9": 0.05}}}, r"\(7 and 9 to 5.0 % of .* biased"),
        ({"generator": {"start": "local"}}, "silo's own rows"),
        ({"generator": {"start": "hub/name"}}, "started from: hub/name"),
    ],
)  # fmt: skip
def test_the_base_is_named(config, match):
    assert re.search(match, base_note(config))


def test_runs_side_by_side_show_what_differs(run_folder, tmp_path):
    other = tmp_path / "other<i>"
    other.mkdir()
    for name in ("environment.json", "metrics.jsonl", "wire.jsonl"):
        (other / name).write_bytes((run_folder.path / name).read_bytes())
    config = run_folder.config()
    config["arms"][3]["reference"]["directions"] = 64
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    out = write_comparison([run_folder, RunFolder(other)], tmp_path / "comparison.html")
    page = Page(out.read_text(encoding="utf-8"))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert "other<i>" in page.text
    changed = re.sub(r"\s+", " ", page.text)
    assert "arms.collaborative.reference.directions 256 64" in changed
    assert "recursion.generations" not in changed
    assert sorted(p.name for p in other.iterdir()) == [
        "config.yaml", "environment.json", "metrics.jsonl", "wire.jsonl",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="at least two runs to compare, got 1"):
        write_comparison([run_folder], out)


def test_an_unfinished_folder_gives_no_report(run_folder):
    (run_folder.path / "metrics.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl is missing"):
        write_report(OpenRun(run_folder))
    assert not (run_folder.path / "report.html").exists()


def test_numbers_are_written_as_people_read_them():
    assert number(-0.004) == "0.00"
    assert number(-1.5, 1) == "\u22121.5"
    assert number(0.25, 1, signed=True) == "+0.2"
    assert [decimals_for(v) for v in ([0.9], [9.0], [95.0], [1e-9], [0.0], [])] == [3, 2, 1, 6, 2, 2]
    assert [size(b) for b in (0, 1023, 1536, 3 * 1024**2)] == ["0 B", "1023 B", "1.5 KiB", "3.0 MiB"]
    assert [percent(s) for s in (0.0417, 0.5, 1.0, 0.0004)] == ["4.2 %", "50 %", "100 %", "0.04 %"]
    assert [listed(n) for n in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]


def test_the_report_of_real_silos_says_what_they_measured_against():
    real = {"engine": "superlink"}
    assert "the siloed arm looks better here than it is" in truth_note({}, real)
    assert "siloed" not in truth_note({"evaluation": {"against": "data"}}, real)
    assert truth_note({}, {"engine": "in-process"}) == ""
