# SPDX-License-Identifier: Apache-2.0
"""What the controls do to a run: liars out of the reference and on record, nobody over the cap."""

import numpy as np
import pytest
from flwr.app import Message

from tailweave.protocols import references
from tailweave.protocols.messages import SummariseReply
from tailweave.protocols.records import decode, encode
from tailweave.protocols.references import weave
from tailweave.protocols.references.sliced import SlicedSummary, summarise
from tailweave.protocols.streams import stream
from tailweave.server.failure import RunFailed
from tailweave.server.rounds import run_seed
from tailweave.server.weaving import _variance_of_mean

SLICED = {"kind": "sliced", "directions": 4, "coefficients": 3}
ARMS = [{"name": "woven", "rule": "herding", "reference": SLICED}]
LOOSE = {"deadline-seconds": 0.05, "generations-per-message": 2}


def silo_rows(node: int) -> np.ndarray:
    return stream(node, "rows").normal(size=(40 + node, 2))


def woven(made) -> np.ndarray:
    run_seed(made.federation, 0, made.kit)
    return made.grid.of_kind("retrain")[0][1].part("reference")["sketch"]


def plain(made, silos) -> np.ndarray:
    """The reference of these silos without any control, summed by the server's own order."""
    spec, space = made.federation.experiment.arms[0].reference, made.kit.features.space(0)
    kept = [references.release(silo_rows(i), spec, space, 10, rng=stream(i, "release")) for i in silos]
    return weave(kept, spec)["sketch"]


def lying(**changes):
    def tamper(message: Message, content) -> list[Message]:
        reply = decode(content, SummariseReply)
        arrays = reply.arrays | {name: change(reply.arrays[name]) for name, change in changes.items()}
        return [Message(encode(reply.model_copy(update={"arrays": arrays})), reply_to=message)]

    return tamper


@pytest.mark.parametrize("silos", [5, 8])
def test_honest_silos_give_the_reference_that_they_gave_without_controls(scene, silos):
    made = scene(silos=silos, arms=ARMS)
    assert np.array_equal(woven(made), plain(made, range(silos)))
    assert made.lines("events") == []


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"sums": lambda sums: 0.9 * np.sign(sums) * 44 / np.arange(1, 4)}, "from the other silos"),
        ({"sums": lambda sums: 10.0 * sums}, r"exceed count / j"),
        ({"sums": lambda sums: 100 * sums, "count": lambda count: 100 * count}, "said at least 20 in hello"),
    ],
)
def test_a_silo_that_lies_is_left_out_on_record_and_still_in_the_run(scene, lie, reason):
    made = scene(silos=6, arms=ARMS)
    made.grid.tampers[5, "summarise"] = lying(**lie)
    assert np.array_equal(woven(made), plain(made, range(5)))
    (event,) = made.lines("events")
    assert (event["event"], event["silo"], event["round"]) == ("quarantined", "silo-5", "summarise")
    assert event["reason"].startswith("sliced at epsilon none: ")
    assert reason in event["reason"]
    assert {row["silo"] for row in made.lines("metrics")} == {f"silo-{i}" for i in range(6)}


@pytest.mark.parametrize("trusted", ["all", ["silo-5"]])
def test_a_silo_that_a_person_trusts_is_counted_and_called_odd(scene, trusted):
    made = scene(silos=6, arms=ARMS, federation=LOOSE | {"trusted": trusted, "weight-cap": None})
    made.grid.tampers[5, "summarise"] = lying(sums=lambda sums: 0.9 * np.sign(sums) * 44 / np.arange(1, 4))
    assert not np.allclose(woven(made), plain(made, range(5)), atol=1e-3)
    (event,) = made.lines("events")
    assert (event["event"], event["silo"]) == ("odd", "silo-5")


def test_trust_waives_no_bound(scene):
    made = scene(silos=6, arms=ARMS, federation=LOOSE | {"trusted": "all"})
    made.grid.tampers[5, "summarise"] = lying(sums=lambda sums: 10.0 * sums)
    assert np.array_equal(woven(made), plain(made, range(5)))
    assert [event["event"] for event in made.lines("events")] == ["quarantined"]


def test_the_run_stops_where_too_few_summaries_may_be_counted(scene):
    made = scene(silos=4, arms=ARMS, federation=LOOSE | {"min-clients": 4})
    made.grid.tampers[2, "summarise"] = lying(sums=lambda sums: 10.0 * sums)
    with pytest.raises(RunFailed, match=r"(?s)3 silos are left, min-clients is 4.*silo-2 \(quarantine\)"):
        run_seed(made.federation, 0, made.kit)


def test_a_silo_of_most_rows_weighs_no_more_than_the_cap(scene):
    """Silos 0 to 2 hold 41 rows on average and silo 3 claims 59: over a quarter of the whole."""
    many = lying(sums=lambda sums: 59 / 43 * sums, count=lambda count: np.array(59.0).reshape(count.shape))
    made = scene(silos=4, arms=ARMS)
    made.grid.tampers[3, "summarise"] = many
    spec, space = made.federation.experiment.arms[0].reference, made.kit.features.space(0)
    means = [s.sums / s.count for s in (summarise(silo_rows(i), spec, space) for i in range(4))]
    np.testing.assert_allclose(woven(made), np.mean(means, axis=0), atol=1e-14)  # K = 4: each a quarter
    free = scene(silos=4, arms=ARMS, out="free", federation=LOOSE | {"weight-cap": None})
    free.grid.tampers[3, "summarise"] = many
    by_rows = np.average(means, axis=0, weights=[40, 41, 42, 59])
    np.testing.assert_allclose(woven(free), by_rows, atol=1e-14)


def test_a_bucket_that_is_none_is_refused_at_hello(scene):
    made = scene(silos=5, arms=ARMS)
    made.grid.tampers[0, "hello"] = lambda message, content: [
        Message(_other_bucket(content), reply_to=message)
    ]
    run_seed(made.federation, 0, made.kit)
    assert "rows" in made.lines("events")[0]["reason"]
    assert {row["silo"] for row in made.lines("metrics")} == {f"silo-{i}" for i in range(1, 5)}


def _other_bucket(content):
    content["message"]["rows-at-least"] = 33
    return content


def test_the_variance_of_the_weighted_mean_is_that_of_many_draws():
    """Mean of x_k = noise / n_k with shares w_k; 40,000 draws, so within sqrt(2 / 40,000)."""
    counts, masses, sd = np.array([200.0, 300.0, 900.0]), np.array([200.0, 300.0, 250.0]), 4.0
    draws = sd * stream(0, "noise").standard_normal((40_000, 3)) / counts @ (masses / masses.sum())
    spec = SlicedSummary(np.zeros((1, 1)), 1.0)
    summaries = {str(i): SlicedSummary(spec.sums, count) for i, count in enumerate(counts)}
    found = _variance_of_mean(summaries, masses, np.array([sd**2]))
    assert found[0] == pytest.approx(draws.var(), rel=5 * np.sqrt(2 / 40_000))
