# SPDX-License-Identifier: Apache-2.0
"""Schemes I and II as the server runs them: by hand, against the same maths in memory, and with bad silos."""

import numpy as np
import pytest
from flwr.app import Message

from tailweave.protocols.messages import TransportSupportReply
from tailweave.protocols.records import decode, encode
from tailweave.protocols.streams import stream
from tailweave.protocols.transport.free_support import free_support
from tailweave.protocols.transport.geodesic import between
from tailweave.protocols.transport.projection import project, towards
from tailweave.server.failure import RunFailed
from tailweave.server.rounds import run_seed

ATOMS = 20
ALLOWED = {"allow-raw-row-leakage": True}


def rows(node: int) -> np.ndarray:
    return stream(node, "rows").normal(size=(40 + node, 2))


def scheme(kind: str, **options) -> list[dict]:
    return [{"name": kind, "rule": "herding", "reference": {"kind": kind, "support": ATOMS, **options}}]


def reference_sent(made) -> dict[str, np.ndarray]:
    return made.grid.of_kind("retrain")[0][1].part("reference")


def turns(made, node: int = 0) -> list[int]:
    return [question.turn for to, question in made.grid.of_kind("transport") if to == node]


def test_one_iteration_is_the_mean_of_the_silos_images(scene):
    made = scene(arms=scheme("barycenter", iterations=1), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    first = made.kit.samples[:ATOMS]
    images = [project(first, rows(node)).image for node in range(3)]
    np.testing.assert_allclose(reference_sent(made)["support"], np.mean(images, axis=0), atol=1e-12)
    assert all(q.arrays["support"].tolist() == first.tolist() for _, q in made.grid.of_kind("transport"))


def test_more_are_the_fixed_point_iteration_in_memory(scene):
    made = scene(arms=scheme("barycenter", iterations=4), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    silos = [rows(node) for node in range(3)]
    expected = free_support(silos, np.ones(3), made.kit.samples[:ATOMS], iterations=4)
    np.testing.assert_allclose(reference_sent(made)["support"], expected.support, atol=1e-12)
    assert turns(made) == [1, 2, 3, 4]


def test_it_stops_when_the_support_no_longer_moves(scene):
    made = scene(silos=1, arms=scheme("barycenter", iterations=50), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    # 20 atoms go to means of 2 rows each and stay there, or nearly: far fewer turns than are allowed
    assert 2 <= len(turns(made)) < 25
    support = reference_sent(made)["support"]
    np.testing.assert_allclose(project(support, rows(0)).image, support, atol=1e-3)


def test_scheme_one_is_fedwad_between_public_samples_and_each_silo(scene):
    made = scene(arms=scheme("geodesic", interpolation=0.3, rounds=3), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    public, sent = made.kit.samples[:ATOMS], reference_sent(made)
    assert turns(made) == [1, 2, 3]
    for node, found in enumerate(sent["interpolants"]):
        xi = public
        for _ in range(3):
            near = towards(xi, project(xi, rows(node)).image, 0.3)
            xi = between(xi, public, near, 0.3)
        np.testing.assert_allclose(found, xi, atol=1e-12)
    np.testing.assert_allclose(sent["weights"], np.full(3, 1 / 3))


def test_each_silo_is_sent_its_own_support_only(scene):
    made = scene(arms=scheme("geodesic", rounds=2), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    second = [q.arrays["support"] for _, q in made.grid.of_kind("transport") if q.turn == 2]
    assert len({support.tobytes() for support in second}) == 3


def named(rows_at_least: int):
    """Let a silo say hello with this bucket of rows."""

    def tamper(message, content):
        content["message"]["body"] = content["message"]["body"].replace(
            '"rows-at-least":20', f'"rows-at-least":{rows_at_least}'
        )
        return [Message(content, reply_to=message)]

    return tamper


@pytest.mark.parametrize(("weights", "masses"), [("equal", [1] * 5), ("rows", [10, 20, 20, 20, 70 / 3])])
def test_silos_weigh_alike_or_by_the_rows_that_they_name(scene, weights, masses):
    made = scene(silos=5, arms=scheme("geodesic", rounds=1, weights=weights), privacy=ALLOWED)
    made.grid.tampers[0, "hello"], made.grid.tampers[4, "hello"] = named(10), named(1000)
    run_seed(made.federation, 0, made.kit)
    # 10, 20, 20, 20 and 1000 rows: none may have more than a quarter, which is 70 / 3 then
    np.testing.assert_allclose(reference_sent(made)["weights"], np.array(masses) / sum(masses))


def changed(change):
    """Let a silo's mapped support be another one."""

    def tamper(message, content):
        reply = decode(content, TransportSupportReply)
        fields = {name: getattr(reply, name) for name in type(reply).model_fields}
        return [Message(encode(TransportSupportReply(**fields | change(reply))), reply_to=message)]

    return tamper


def moved(arrays):
    return changed(lambda reply: {"arrays": {"moved": arrays(reply.arrays["moved"])}})


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (moved(lambda a: a[:-1]), r"(20, 2) atoms were sent, got (19, 2)"),
        (
            moved(lambda a: a * 0 + 5000.0),
            "an atom lies 5e+03 public radii from the centre: at most 1000 pass",
        ),
        (changed(lambda r: {"turn": r.turn + 1}), "answers turn 2 of another reference or turn"),
        (
            changed(lambda r: {"reference": r.reference.model_copy(update={"iterations": 7})}),
            "answers turn 1 of another reference or turn",
        ),
    ],
)
def test_a_silo_whose_answer_does_not_fit_is_out_of_the_reference(scene, tamper, reason):
    made = scene(arms=scheme("barycenter", iterations=2), privacy=ALLOWED)
    made.grid.tampers[1, "transport"] = tamper
    run_seed(made.federation, 0, made.kit)
    refused = made.lines("events")[0]
    assert (refused["round"], refused["silo"]) == ("transport", "silo-1")
    assert reason in refused["reason"]
    assert turns(made, 1) == [1]
    others = free_support([rows(0), rows(2)], np.ones(2), made.kit.samples[:ATOMS], iterations=2)
    np.testing.assert_allclose(reference_sent(made)["support"], others.support, atol=1e-12)
    assert len(made.grid.of_kind("retrain")) == 3 * 2  # the silo still takes part in the run


@pytest.mark.parametrize("kind", ["barycenter", "geodesic"])
def test_a_silo_that_leaves_half_way_is_out_of_the_reference(scene, kind):
    made = scene(
        arms=scheme(kind, **{"iterations" if kind == "barycenter" else "rounds": 3}), privacy=ALLOWED
    )
    late = iter([True, False, False])
    made.grid.tampers[2, "transport"] = lambda m, c: [Message(c, reply_to=m)] if next(late) else []
    run_seed(made.federation, 0, made.kit)
    assert turns(made, 2) == [1, 2, 2]  # once more, in vain
    assert turns(made, 0) == [1, 2, 3]
    if kind == "geodesic":
        assert reference_sent(made)["interpolants"].shape == (2, ATOMS, 2)
        assert reference_sent(made)["weights"].tolist() == [0.5, 0.5]


def test_too_few_silos_stop_the_run(scene):
    made = scene(silos=2, arms=scheme("barycenter"), privacy=ALLOWED)
    made.grid.tampers[1, "transport"] = lambda message, content: []
    with pytest.raises(RunFailed, match=r"(?s)1 silos are left, min-clients is 2.*silo-1 \(transport\)"):
        run_seed(made.federation, 0, made.kit)


def test_a_support_beyond_the_public_samples_is_refused(scene):
    made = scene(arms=scheme("barycenter"), privacy=ALLOWED)
    made.federation.experiment.arms[0].reference.__dict__["support"] = 51
    with pytest.raises(
        ValueError, match="barycenter: support must be at most the kit's 50 public samples, got 51"
    ):
        run_seed(made.federation, 0, made.kit)


def test_two_arms_of_one_reference_share_its_rounds(scene):
    one, two = scheme("barycenter", iterations=2)[0], scheme("barycenter", iterations=2)[0] | {"name": "two"}
    made = scene(arms=[one, two], privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    assert turns(made) == [1, 2]


def test_the_wire_log_lists_every_projection_that_left(scene):
    made = scene(silos=2, arms=scheme("geodesic", rounds=2), privacy=ALLOWED)
    run_seed(made.federation, 0, made.kit)
    sent = [row for row in made.lines("wire") if row["round"] == "transport"]
    assert [(row["silo"], row["kind"]) for row in sent] == [
        ("silo-0", "geodesic"),
        ("silo-1", "geodesic"),
    ] * 2
    assert sent[0]["fields"]["moved"] == {"shape": [ATOMS, 2], "dtype": "float64"}
    assert sent[0]["privacy"] == {"epsilon": None, "noise": "none"}
    assert sent[0]["bytes"] > ATOMS * 2 * 8
