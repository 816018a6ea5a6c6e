# SPDX-License-Identifier: Apache-2.0
"""Secure aggregation between the real apps, in process: exact sums, drop-outs, and what is not accepted."""

import json
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import yaml
from flwr.app import Error, Message

from tailweave.clients.data.silo import World
from tailweave.clients.node import world_of
from tailweave.clients.release.chain import read_ledger
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.privacy.calibration import analytic_gaussian_z
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.privacy.shrinkage import shrink
from tailweave.protocols.records import decode, encode
from tailweave.protocols.secure_sum.keys import SumRound, identity
from tailweave.protocols.secure_sum.schema import schema
from tailweave.protocols.secure_sum.sketches import (
    integer_sketch,
    noise_share,
    pooled_summary,
    sensitivity_steps,
)
from tailweave.protocols.secure_sum_messages import OfferKeyReply, SendMaskedReply
from tailweave.protocols.streams import stream
from tailweave.server.failure import RunFailed
from tailweave.server.federation import Federation
from tailweave.server.record import Record
from tailweave.server.rounds import greet
from tailweave.server.secure_sum import summarise
from tailweave.server.seed_run import SeedRun
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.prepare import prepare

SILOS = tuple(f"silo-{i}" for i in range(5))
COSINE = {"kind": "sliced", "directions": 64, "coefficients": 8}
HISTOGRAM = {"kind": "sliced", "basis": "histogram", "directions": 64, "bins": 8}
RAW = {
    "name": "masks",
    "seeds": [0],
    "data": {"source": "gaussian-modes", "rows": 1200, "dimensions": 3, "modes": 4, "rare-modes": 0},
    "silos": {"count": 5, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 60},
    "privacy": {
        "epsilon": 4,
        "min-rows": 50,
        "shrink": False,
        "secure-aggregation": True,
        "honest-silos": 3,
    },
    "federation": {"deadline-seconds": 0.05},
}
Tamper = Callable[[Message], list[Message]]


class Meddled(InProcessGrid):
    """Keeps replies, and meddles with those of (silo index, kind) as often as ``times`` says."""

    def meddle(self, silo: int, kind: str, tamper: Tamper, times: int = 1) -> None:
        self.__dict__.setdefault("tampers", {})[100 + silo, f"query.{kind}"] = [tamper, times]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        names = list(super().push_messages(messages))
        for name, message in zip(names, messages, strict=True):
            key = message.metadata.dst_node_id, message.metadata.message_type
            plan = self.__dict__.get("tampers", {}).get(key)
            if plan and plan[1]:
                plan[1] -= 1
                kept = plan[0](self._ready.pop(name))
                self._ready |= dict.fromkeys([name] if kept else [], kept[0] if kept else None)
        return names

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        replies = list(super().pull_messages(message_ids))
        self.__dict__.setdefault("heard", []).extend(replies)
        return replies


def lost(reply: Message) -> list[Message]:
    return []


def failed(reply: Message) -> list[Message]:
    error = Message(Error(2, "out of memory"), reply_to=reply)
    error.metadata.__dict__["_reply_to_message_id"] = reply.metadata.reply_to_message_id
    return [error]


class Stage:
    """An experiment on five silos, its server's side up to the sum, and what it wrote."""

    def __init__(self, folder, reference, **changes) -> None:
        arms = [{"name": "woven", "rule": "herding", "reference": reference}]
        raw = {**RAW, "arms": arms} | {k: v for k, v in changes.items() if k != "privacy"}
        raw["privacy"] = RAW["privacy"] | changes.get("privacy", {})
        self.folder, config = folder, folder / "masks.yaml"
        config.write_text(yaml.safe_dump(raw))
        self.experiment = load_experiment(config)
        self.kit = prepare(self.experiment).kits[0]
        self.world: World = world_of(config, 0)
        settings = {"config": str(config), "state-dir": str(folder / "state")}
        self.grid = Meddled([{"partition-id": i} for i in range(5)], settings, workers=0)
        record = Record(folder / "out")
        self.federation = Federation(self.grid, self.experiment, "masks-1", record)
        self.spec = self.experiment.arms[0].reference
        self.privacy = self.experiment.privacy_of(self.experiment.arms[0])

    def run(self):
        run = SeedRun(self.federation, 0, self.kit)
        return summarise(run, (self.spec, self.privacy), greet(run))["sketch"]

    def lines(self, name):
        return [json.loads(line) for line in (self.folder / "out" / f"{name}.jsonl").read_text().splitlines()]

    def sketches(self):
        """Integer sketches by silo, made here from the rows."""
        space = self.kit.features.space(0)
        return {
            s.name: integer_sketch(self.kit.features(s.train.values), self.spec, space)
            for s in self.world.silos
        }

    def noise(self, silo, number, names):
        """The seeded share of a silo, drawn again here."""
        digest = schema(self.spec, self.privacy, self.kit.features, 0)
        attempt = SumRound("masks-1", number, digest, names)
        request = ReleaseRequest(self.spec, self.privacy, self.kit.features, 0, attempt)
        share = noise_share(
            analytic_gaussian_z(4.0, 1e-6) * sensitivity_steps(self.spec), self.privacy.honest_silos
        )
        rng = stream(0, "silo", silo, "noise", request.digest)
        return SeededNoise(rng).discrete_gaussian(share, (len(self.sketches()[silo]),))

    def expected(self, number, names):
        sketches = self.sketches()
        total = sum(sketches[silo] + self.noise(silo, number, names) for silo in names)
        pooled = pooled_summary(total, self.spec)
        return pooled.sums / pooled.count

    def masked_words(self):
        """Sum, modulo 2^32, of all masked vectors that the server heard."""
        words = [
            decode(reply.content, SendMaskedReply).arrays["words"]
            for reply in self.grid.__dict__["heard"]
            if reply.has_content() and reply.content["message"]["kind"] == "masked"
        ]
        return np.sum([w.ravel().astype(np.uint32) for w in words], axis=0, dtype=np.uint32)

    def charges(self, silo):
        path = self.folder / "state" / "releases" / silo / "ledger.jsonl"
        return [e for e in read_ledger(path) if e.kind == "charge"]


@pytest.fixture
def stage(tmp_path):
    return lambda reference=COSINE, **changes: Stage(tmp_path, reference, **changes)


@pytest.mark.parametrize("reference", [COSINE, HISTOGRAM], ids=["cosine", "histogram"])
def test_the_reference_is_the_exact_sum_of_all_sketches_and_shares(stage, reference):
    """The accountants' z differ by 1e-6 of itself, so a share of noise may round otherwise here and there."""
    made = stage(reference)
    found, expected = made.run(), made.expected(1, SILOS)
    step = 2.0**-8 / 1000  # one step of one silo's noise, in a mean over more than 1,000 rows
    assert (np.abs(found - expected) < 1e-12).mean() > 0.95
    assert np.abs(found - expected).max() < 5 * (step if reference is COSINE else 1 / 1000)


def test_the_noise_of_the_sum_is_five_thirds_of_what_was_asked(stage):
    """2,049 coefficients: standard error sqrt(2 / 2049) = 3.1 %, and five of them are allowed."""
    made = stage({**COSINE, "directions": 256})
    made.run()
    noise = made.masked_words().view(np.int32).astype(np.int64) - sum(made.sketches().values())
    asked = (analytic_gaussian_z(4.0, 1e-6) * sensitivity_steps(made.spec)) ** 2
    assert abs(noise.var() / asked - 5 / 3) < 5 / 3 * 5 * np.sqrt(2 / 2049)


def test_the_log_says_what_was_sent_and_what_was_given_up(stage):
    made = stage()
    made.run()
    rows = [row for row in made.lines("wire") if row["round"] != "hello"]
    assert [(r["round"], r["silo"]) for r in rows] == [(k, s) for k in ("offer", "masked") for s in SILOS]
    assert rows[0]["privacy"] == {"epsilon": None}
    assert rows[0]["fields"].keys() == {"run", "seed", "silo", "number", "public", "signature", "identity"}
    row = rows[-1]
    assert row["kind"] == "sliced"
    assert np.load(made.folder / "out" / row["arrays"])["words"].shape == (513, 1)
    assert row["fields"]["words"] == {"shape": [513, 1], "dtype": "float64"}
    assert row["bytes"] > 513 * 8
    assert row["privacy"] == {"epsilon": 4.0, "delta": 1e-6, "noise": "seeded", "honest-silos": 3}
    (event,) = made.lines("events")
    assert (event["event"], event["round"], event["silo"]) == ("summed", "masked", None)
    assert (event["silos"], event["left-out"], event["attempts"]) == (list(SILOS), [], 1)
    assert "no weight was capped and no silo compared" in event["reason"]


@pytest.mark.parametrize("tamper", [lost, failed])
@pytest.mark.parametrize("kind", ["offer", "masked"])
def test_after_a_drop_out_the_rest_begin_again(stage, kind, tamper):
    made = stage()
    made.grid.meddle(2, kind, tamper, times=2)  # what is lost is asked for once more under the same number
    rest = tuple(silo for silo in SILOS if silo != "silo-2")
    assert np.median(np.abs(made.run() - made.expected(2, rest))) < 1e-12
    refused, summed = made.lines("events")
    assert (refused["silo"], refused["round"], refused["event"]) == ("silo-2", kind, "refused")
    assert (summed["silos"], summed["left-out"], summed["attempts"]) == (list(rest), ["silo-2"], 2)
    # A masked vector is paid for, whether its sum came about or not; a key alone costs nothing.
    assert [len(made.charges(silo)) for silo in rest] == [2 if kind == "masked" else 1] * 4


@pytest.mark.parametrize("kind", ["offer", "masked"])
def test_an_answer_that_was_lost_is_sent_again_and_costs_nothing(stage, kind):
    made = stage()
    made.grid.meddle(2, kind, lost)
    assert np.median(np.abs(made.run() - made.expected(1, SILOS))) < 1e-12
    assert [event["event"] for event in made.lines("events")] == ["refused", "returned", "summed"]
    assert [len(made.charges(silo)) for silo in SILOS] == [1] * 5


@pytest.mark.parametrize(
    ("changes", "gone", "said"),
    [
        ({}, (0, 1, 2), r"needs 3 silos .*, 2 are left; refused:\n  silo-0 \(offer\): no answer"),
        ({"privacy": {"honest-silos": 5}}, (4,), "needs 5 silos .*honest-silos = 5 .*4 are left"),
        (
            {"federation": {"min-clients": 4, "deadline-seconds": 0.05}},
            (0, 3),
            "needs 4 silos .*, 3 are left",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["offer", "masked"])
def test_with_too_few_the_run_fails(stage, changes, gone, said, kind):
    made = stage(**changes)
    for silo in gone:
        made.grid.meddle(silo, kind, lost, times=2)
    with pytest.raises(RunFailed, match=said.replace("offer", kind)):
        made.run()


def changed(expected, **fields) -> Tamper:
    def tamper(reply: Message) -> list[Message]:
        message = decode(reply.content, expected)
        values = {name: value() if callable(value) else value for name, value in fields.items()}
        whole = {name: getattr(message, name) for name in type(message).model_fields}
        reply.content.update(encode(expected(**{**whole, **values})))
        return [reply]

    return tamper


@pytest.mark.parametrize(
    ("kind", "tamper", "said"),
    [
        ("offer", changed(OfferKeyReply, signature="00" * 64), "the signature of silo-1 does not fit"),
        ("offer", changed(OfferKeyReply, public="09" + 31 * "00"), "the signature of silo-1 does not fit"),
        ("offer", changed(OfferKeyReply, identity=lambda: identity()[1]), "signature of silo-1 does not fit"),
        ("offer", changed(OfferKeyReply, number=2), "offers a key for number 2, asked for 1"),
        ("offer", changed(OfferKeyReply, silo="silo-0"), "answers as silo-0, said hello as silo-1"),
        ("masked", changed(SendMaskedReply, number=2), "is for another sum than was asked for"),
        (
            "masked",
            changed(SendMaskedReply, arrays={"words": np.zeros((512, 1))}),
            r"a masked sketch has 513 32-bit words, got \(512,\)",
        ),
        (
            "masked",
            changed(SendMaskedReply, arrays={"words": np.zeros((513, 2))}),
            r"one array 'words' \(n, 1\)",
        ),
        ("masked", changed(SendMaskedReply, arrays={"words": np.full((513, 1), 0.5)}), "whole numbers"),
        ("masked", changed(SendMaskedReply, arrays={}), "needs one array 'words'"),
    ],
)
def test_answers_that_do_not_fit_are_refused_and_the_rest_go_on(stage, kind, tamper, said):
    made = stage()
    made.grid.meddle(1, kind, tamper)
    made.run()
    refused, summed = made.lines("events")
    assert summed["left-out"] == ["silo-1"]
    with pytest.raises(ValueError, match=said):
        raise ValueError(refused["reason"])


def test_an_identity_that_changes_within_a_run_is_refused(stage):
    made = stage()
    made.federation.identities["silo-3"] = identity()[1]
    made.run()
    refused, summed = made.lines("events")
    assert refused["reason"] == "comes with another identity than it first had in this run"
    assert summed["left-out"] == ["silo-3"]


def test_a_sum_that_honest_silos_cannot_have_stops_the_run(stage):
    """One silo adds 2^24 to every word: each masked vector still looks like any other."""
    made = stage()

    def shifted(reply: Message) -> list[Message]:
        words = decode(reply.content, SendMaskedReply).arrays["words"]
        return changed(SendMaskedReply, arrays={"words": (words + 2.0**24) % 2.0**32})(reply)

    made.grid.meddle(0, "masked", shifted)
    with pytest.raises(RunFailed, match="none that honest silos can have, and masks hide .*it claims"):
        made.run()


def test_a_noised_sum_is_shrunk_by_the_noise_of_all_shares(stage):
    made = stage()
    noisy = made.run()
    rows = pooled_summary(made.masked_words().view(np.int32).astype(np.int64), made.spec).count
    made.privacy = made.privacy.model_copy(update={"shrink": True})
    shrunk = made.run()  # shrinking is the server's affair: the silos send the same bytes again
    assert [len(made.charges(silo)) for silo in SILOS] == [1] * 5
    sigma = analytic_gaussian_z(4.0, 1e-6) * sensitivity_steps(made.spec) / 256
    nu_sq = np.full(8, 5 / 3 * (sigma / rows) ** 2)
    public = made.kit.samples, made.spec, made.kit.features.space(0)
    # The two accountants' z agree to 1e-5, and the signal is a difference of numbers of its own size.
    size = np.abs(shrunk - noisy).max()
    np.testing.assert_allclose(shrunk, shrink(noisy, nu_sq, *public), atol=1e-3 * size)
    forgotten = shrink(noisy, 0.6 * nu_sq, *public)  # without K / K_h
    assert np.abs(forgotten - shrunk).max() > 0.02 * size > 0.0


def test_shares_too_small_for_the_grid_are_refused_before_anybody_is_asked(stage):
    made = stage({**HISTOGRAM, "directions": 8})
    with pytest.raises(ValueError, match="each silo must add noise of at least 4.0 steps"):
        made.run()
    assert {row["round"] for row in made.lines("wire")} == {"hello"}
