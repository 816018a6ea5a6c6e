# SPDX-License-Identifier: Apache-2.0
"""The report of a run on text: documents shown as text and nothing else, concentration, and its answers."""

import json
import re

import numpy as np
import pytest

import tailweave
from tailweave.clients.nearest_training import SHOWN_TEXTS, beside_nearest
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.streams import stream
from tailweave.protocols.texts import unpacked
from tailweave.simulation.figures.concentration import draw_concentration
from tailweave.simulation.measurements import measurements
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.report.headline import answers
from tailweave.simulation.report.page import write_report
from tailweave.simulation.report.reading import caption, sheets, shown
from tailweave.simulation.run_folder import RunFolder, RunFolderError, write_json
from tailweave.simulation.summary import measured, summarise
from tailweave.simulation.texts import LONGEST

ARMS = ["siloed", "collaborative", "anchored"]
NASTY = "</p><script>alert(1)</script>\n\tx\u202ey\x1b[31m\x00"


def kept(arms, text="made", near="near"):
    """Return two documents of two generations, in the second of each arm's own."""
    return {
        arm: {g: [{"generated": f"{text}{arm * (g > 0)}", "nearest": near}] * 2 for g in (0, 3)}
        for arm in arms
    }


def test_documents_stand_beside_the_nearest_of_the_training():
    made = Samples.of([f"a\u00e9{i}" for i in range(6)], sort=TEXT)
    rows = Samples.of([f"row {i}" for i in range(9)], sort=TEXT)
    features, beside = stream(0, "made").normal(size=(6, 3)), stream(0, "rows").normal(size=(9, 3))
    found = beside_nearest(made, rows, features, beside)
    assert unpacked(found["generated"]) == made.values.tolist()[:SHOWN_TEXTS]
    nearest = [np.linalg.norm(beside - one, axis=1).argmin() for one in features[:SHOWN_TEXTS]]
    assert unpacked(found["nearest"]) == [f"row {i}" for i in nearest]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain \u00e9 \u4e2d", "plain \u00e9 \u4e2d"),
        (NASTY, "</p><script>alert(1)</script>\n    x\\u202ey\\x1b[31m\\x00"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "\u2026"),
        ("\n" * 300, "\n" * 12 + "\u2026"),
        ("a\r\nb\x0bc\u2028d", "a\nb\nc\nd"),
        ("", ""),
    ],
)
def test_a_document_does_nothing_but_be_read(text, expected):
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("count", "widths"), [(1, [1]), (4, [4]), (5, [3, 2]), (8, [4, 4]), (9, [3, 3, 3]), (0, [])]
)
def test_at_most_four_arms_stand_beside_each_other(count, widths):
    arms = [f"arm-{i}" for i in range(count)]
    found = sheets(kept(arms), [*arms, "without"])
    assert [len(sheet.arms) for sheet in found] == widths
    assert [name for sheet in found for name, _ in sheet.arms] == arms
    for sheet in found:
        assert [generation for generation, _ in sheet.lines] == [0, 3]
        assert [len(cells) for _, cells in sheet.lines] == [1, len(sheet.arms)]  # one base is shown once


def test_a_silo_that_dropped_out_leaves_a_gap():
    found = kept(["a", "b"])
    del found["b"][3]
    (sheet,) = sheets(found, ["a", "b"])
    assert sheet.lines[1] == (3, ((("madea", "near"),) * 2, ()))


def test_the_caption_says_whose_beginnings_are_seen():
    assert "only a simulation shows them" in caption({})
    assert "one of the silo's own documents" in caption({"generator": {"prompts": "own"}})
    varied = {"generator": {"prompts": "own"}, "arms": [{"generator": {"prompts": "nothing"}}]}
    assert "begins with" not in caption(varied)


def test_the_page_shows_documents_as_text(run_folder, reported):
    (run_folder.path / "maps.npz").unlink()  # a figure that takes its time
    write_json(run_folder.path / "texts.json", kept(["siloed", "collaborative"], NASTY, "<b>near</b>"))
    html = write_report(OpenRun(run_folder)).read_text(encoding="utf-8")
    section = html[html.index("What it reads like") : html.index("Silo by silo")]
    assert section.count("&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;\n    x\\u202ey") == 6
    assert section.count("&lt;b&gt;near&lt;/b&gt;") == 6
    assert "<script" not in html
    assert not re.search("[\x00-\x08\x1b\u202e]", html)
    assert "What it reads like" not in (reported.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "broken",
    ["[]", "{", '{"a": 3}', '{"a": {"x": []}}', '{"a": {"0": [{"generated": "x"}]}}']
    + ['{"a": {"0": [{"generated": "x", "nearest": 3}]}}', "[" * 100_000],
)
def test_documents_that_no_run_wrote_are_refused(broken, run_folder):
    (run_folder.path / "texts.json").write_text(broken)
    with pytest.raises(RunFolderError, match=r"texts\.json: is not what a run wrote there"):
        run_folder.texts()


def text_rows(**ends):
    """Two seeds and generations of three arms: metric to its ends, in their order; each starts from 0.5."""
    return [
        {"arm": arm, "seed": seed, "silo": "silo-0", "generation": g}
        | {name: (end[i] + 0.001 * seed * (1 + i)) if g else 0.5 for name, end in ends.items()}
        for i, arm in enumerate(ARMS)
        for seed in (0, 1)
        for g in (0, 1)
    ]


def told(rows):
    kinds = ("local", "sliced", "public")
    config = {
        "arms": [{"name": a, "rule": "herding", "reference": k} for a, k in zip(ARMS, kinds, strict=True)]
    }
    return answers(summarise(measured(rows, config), config))


def test_collaboration_on_text_is_judged_by_what_a_silo_never_saw():
    rows = text_rows(coverage=(0.5, 0.4, 0.3), group_distance=(0.9, 0.4, 0.6), perplexity_unseen=(58, 54, 55))
    saved = told(rows)[2]
    assert saved.short == "\u22124.00 perplexity on groups that the silo never saw"
    unseen, groups, alone = saved.sentences
    assert "perplexity on groups that the silo never saw is 54.00 with collaborative and 58.00 with" in unseen
    assert "siloed; lower is better. The 95 % interval" in unseen
    assert "distance of group shares from the truth is 0.40 with collaborative and 0.90 with" in groups
    assert alone.endswith("anchored reaches perplexity on groups that the silo never saw 55.00.")
    for row in rows:
        del row["perplexity_unseen"]
    assert told(rows)[2].short == "\u22120.50 distance of group shares from the truth"


def test_who_narrowed_most_is_said():
    most = "Mass of the ten likeliest next tokens rose most with siloed: 0.500 \u2192 0.700."
    assert most in told(text_rows(coverage=(0.1, 0.5, 0.5), top10_mass=(0.7, 0.6, 0.4)))[0].sentences
    assert most in told(text_rows(coverage=(0.5, 0.5, 0.5), top10_mass=(0.7, 0.6, 0.4)))[0].sentences
    assert most in told(text_rows(top10_mass=(0.7, 0.6, 0.4)))[0].sentences
    rose = told(text_rows(top10_mass=(0.4, 0.3, 0.2)))[0].sentences[-1]
    assert rose == "Mass of the ten likeliest next tokens rose in no arm."
    assert not any("tokens" in one for one in told(text_rows(coverage=(0.1, 0.5, 0.5)))[0].sentences)


def titles(*names):
    figure = draw_concentration(measurements(text_rows(**dict.fromkeys(names, (0.6, 0.7, 0.8)))))
    return None if figure is None else [axes.get_title(loc="left").split(",")[0] for axes in figure.axes]


def test_concentration_is_drawn_where_next_tokens_were_asked_for():
    assert titles("coverage", "perplexity") is None
    mass, entropy = "mass of the 10 likeliest next tokens \u2193", "entropy of the next token"
    assert titles("top10_mass") == [mass]
    whole = titles(
        "top10_mass", "next_token_entropy", "perplexity", "perplexity_unseen", "network_clustering"
    )
    assert whole == [mass, entropy, "perplexity", "clustering of the network of words"]
    own = titles("top10_mass", "next_token_entropy", "perplexity")
    assert own == [mass, entropy, "perplexity of held-out text \u2193"]


@pytest.mark.slow
def test_a_run_on_text_ends_with_documents_and_figures(tmp_path):
    pytest.importorskip("torch")
    rng = stream(0, "corpus")
    words = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
    corpus = [{"text": " ".join(rng.choice(words, 12)), "group": f"g{i % 3}"} for i in range(180)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in corpus))
    network = {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2}
    tokens = {"real-tokens": 8, "synthetic-tokens": 8, "first-epochs": 1, "epochs": 1}
    config = {
        "name": "tiny-text",
        "seeds": 1,
        "data": {"source": "jsonl", "path": str(tmp_path / "corpus.jsonl"), "group": "group"},
        "features": {"kind": "tf-idf", "dimensions": 8},
        "silos": {"count": 3, "follow": 1, "partition": {"kind": "by-class", "classes-per-silo": 1}},
        "generator": {"kind": "language-model", "temperature": 0.8, "network": network, **tokens},
        "recursion": {
            "generations": 2,
            "samples": 20,
            "candidates-per-sample": 1,
            "paradigm": "accumulate-select",
        },
        "arms": [
            {"name": "last", "rule": "last-generation"},
            {"name": "short", "rule": "last-generation"}
            | {"generator": {"real-tokens": 12, "synthetic-tokens": 4, "prompts": "own"}},
        ],
        "evaluation": {"samples": 30},
        "paper": "concentration",
    }
    tailweave.run(config, out=tmp_path / "run")
    texts = RunFolder(tmp_path / "run").texts()
    assert {arm: list(found) for arm, found in texts.items()} == {"last": [0, 1, 2], "short": [0, 1, 2]}
    originals = {one["text"] for one in corpus}
    assert all(len(pairs) == SHOWN_TEXTS for found in texts.values() for pairs in found.values())
    assert {pair["nearest"] for found in texts.values() for pair in found[0]} <= originals
    html = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "What it reads like" in html
    assert "How the language narrows" in html
    assert (tmp_path / "run" / "published.html").is_file()
