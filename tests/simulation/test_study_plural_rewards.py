# SPDX-License-Identifier: Apache-2.0
"""Study plural-rewards: what each part measures, and that it is held against statements about it alone."""

from pathlib import Path

import numpy as np
import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.kinds.studies.plural_rewards import PluralRewardsSpec
from tailweave.simulation.audience import SILENT
from tailweave.simulation.request import RunOptions
from tailweave.simulation.studies.claims import findings
from tailweave.simulation.studies.config import load_study
from tailweave.simulation.studies.plural_rewards import PluralRewardsStudy, places
from tailweave.simulation.studies.run import run_study

CONFIG = Path(__file__).parents[2] / "configs" / "plural-rewards.yaml"
SMALL = {
    "study": "plural-rewards",
    "seeds": (0, 1),
    "candidates": (2, 20),
    "samples": 100,
    "generations": 4,
    "points": 101,
    "steps": 20,
    "separations": (4.0,),
    "gaps": (1.0, 4.0),
    "losses": (0.3,),
    "workers": 1,
}


def study(**changes):
    return PluralRewardsStudy(PluralRewardsSpec(**SMALL | changes))


def rows_of(found):
    return [row for task in found.tasks() for row in found.rows(task)]


def test_the_config_is_the_defaults():
    assert load_study(CONFIG) == PluralRewardsSpec(study="plural-rewards")


@pytest.fixture(scope="module")
def rows():
    return rows_of(study())


def test_every_part_has_its_rows(rows):
    counts = {
        part: sum(row["part"] == part for row in rows) for part in dict.fromkeys(r["part"] for r in rows)
    }
    assert counts == {
        "grid": 6,  # steps 1, 2, 4, 8, 16 and the last
        "plateau": 2,
        "compromise": 1,
        "nash": 5,
        "expected": 2 * 2 * 5,
        "loop": 2 * 2 * 2 * 5,
    }
    first, last = (
        next(r for r in reversed(rows) if r["generation"] == at and r["part"] == "loop") for at in (0, 4)
    )
    assert first["share"] == pytest.approx(0.5, abs=0.3)  # six standard errors
    assert last | {"share": 0.0, "modes": 1} == last  # K = 20 and one preference


def test_weights_on_one_preference_and_loops_share_their_start(rows):
    starts = {(r["seed"], r["share"]) for r in rows if r["part"] == "loop" and r["generation"] == 0}
    assert len(starts) == 2
    lost = [
        r["share"] for r in rows if r["part"] == "expected" and r["asked"] == "one" and r["generation"] == 4
    ]
    assert len(lost) == 2
    assert max(lost) < 0.05


def test_the_nash_product_is_highest_at_q(rows):
    for row in (row for row in rows if row["part"] == "nash"):
        assert row["share"] == pytest.approx(row["q"], abs=1e-6)
        assert row["iterated"] == pytest.approx(row["q"], abs=1e-12)


def test_statements_are_held_against_what_they_are_about():
    """Of another q, separation or number of steps nothing was said."""
    plain = findings(study().claims(), rows_of(study(weights=(0.4, 0.6), gaps=(4.0,))))
    told = {(f.claim.section.split(",")[0], f.agrees) for f in plain}
    assert told == {
        ("Plateau rewards", True),
        ("A place that both preferences like almost best", False),
        ("Weighted Nash product of mixtures", True),
    }


def test_three_preferences_keep_three_modes():
    found = rows_of(study(weights=(0.2, 0.3, 0.5), candidates=(20,), generations=12, seeds=(0,)))
    assert {row["part"] for row in found} == {"expected", "loop"}
    ends = {(r["part"], r["asked"]): r for r in found if r["generation"] == 12}
    assert (ends["expected", "all"]["modes"], ends["loop", "all"]["modes"]) == (3, 3)
    assert (ends["expected", "one"]["modes"], ends["loop", "one"]["modes"]) == (1, 1)
    assert ends["expected", "all"]["share"] == pytest.approx(0.2, abs=0.01)
    assert places(3, 2.0).ravel().tolist() == [2.0, 0.0, -2.0]


@pytest.mark.slow
def test_its_page_has_both_figures(tmp_path):
    spec = PluralRewardsSpec(**SMALL)
    html = run_study(spec, RunOptions(tmp_path / "out"), SILENT).read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "appendix B.4" in html
    one = PluralRewardsSpec(**SMALL | {"weights": (1.0,), "generator": {"kind": "gaussian"}})
    html = run_study(one, RunOptions(tmp_path / "one"), SILENT).read_text(encoding="utf-8")
    assert html.count("<svg") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("weights: [0.3, 0.6]", r"weights: must sum to 1, got \[0.3, 0.6\], which sum to 0.9"),
        ("weights: []", "weights: must hold one value or more"),
        ("weights: [1.5]", "weights.0: input should be less than or equal to 1, got 1.5"),
        ("weights: [.nan]", "weights.0: input should be a finite number"),
        ("candidates: [1]", "candidates.0: input should be greater than or equal to 2, got 1"),
        (
            "separation: 12.0\nweights: [0.2, 0.3, 0.5]",
            r"separation must leave all 3 places in \[-6, 6\], got 12",
        ),
        (
            "generator: {kind: gaussian-mixture, components: 9999}",
            "components must be at most samples = 1000",
        ),
        ("generator: {kind: gaussian, start: local}", "generator.start does not count here"),
        ("generator: {kind: diffusion}", "generator"),
    ],
)
def test_bad_options(tmp_path, line, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"study: plural-rewards\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as refused:
        load_study(path)
    assert str(refused.value).count("\n") == 0


def test_rows_are_finite_numbers(rows):
    numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()
