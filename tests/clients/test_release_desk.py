# SPDX-License-Identifier: Apache-2.0
"""The desk: one release a data version, charged before it is drawn, and nothing outside policy and budget."""

import hashlib
import math
import os
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_ndtr, ndtr

from tailweave.clients.release.budget import BudgetError, check_lifetime, check_version
from tailweave.clients.release.chain import LedgerError, read_ledger
from tailweave.clients.release.desk import Desk, answer, release_folder
from tailweave.clients.release.ledger import Ledger
from tailweave.clients.release.policy import Policy, PolicyError, simulation_policy
from tailweave.clients.release.request import ReleaseRequest
from tailweave.clients.storage import StorageError
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import calibration, gate
from tailweave.protocols.privacy.gate import Cost
from tailweave.protocols.privacy.noise import SeededNoise, SystemNoise

ROWS = np.random.default_rng(0).normal(size=(250, 3))
FEATURES = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0)
Z = 2.231
"""Noise multiplier of epsilon = 2 at delta = 1e-6, rounded up."""


@lru_cache(maxsize=4096)
def epsilon_of_rho(rho: float, delta: float) -> float:
    """Balle & Wang (2018), theorem 8, by bisection: independent of the project's accountant."""
    mu = math.sqrt(2.0 * rho)
    low, high = 0.0, 1000.0
    for _ in range(80):
        mid = 0.5 * (low + high)
        tail = math.exp(mid + log_ndtr(-mu / 2 - mid / mu))
        low, high = (mid, high) if ndtr(mu / 2 - mid / mu) - tail > delta else (low, mid)
    return high


def request(seed=0, **fields) -> ReleaseRequest:
    privacy = {name: fields.pop(name) for name in ("epsilon", "delta", "min_rows") if name in fields}
    asked = PrivacySpec.model_construct(**({"epsilon": 2.0} | privacy))
    return ReleaseRequest(SlicedReference(kind="sliced", **fields), asked, FEATURES, seed)


class Press:
    """Makes a release of fresh random bytes, and notes in which order it was charged and drew."""

    def __init__(self, cost: Cost | None = None) -> None:
        self.cost = cost or Cost(2.0, 1e-6, 0.5 / Z**2, "cosine")
        self.events: list[str] = []

    def __call__(self, charge):
        self.events.append("asked")
        charge(self.cost)
        self.events.append("drawn")
        return {"sums": np.frombuffer(os.urandom(64)[:64], dtype=np.uint8).astype(float)}


def desk(folder: Path, policy: Policy | None = None, noise=None) -> Desk:
    return Desk(folder, policy or Policy(), noise or SimpleNamespace(name="system"), epsilon_of_rho)


def refresh(folder: Path) -> None:
    """What the owner does when rows have changed."""
    with Ledger.open(folder / "ledger.jsonl", create=False) as ledger:
        assert ledger.refresh()


def spent(folder: Path) -> list[str]:
    return [e.kind for e in read_ledger(folder / "ledger.jsonl")]


def test_the_oracle_of_these_tests_knows_the_published_calibration():
    for epsilon, z in ((0.5, 8.058), (1, 4.225), (2, 2.230), (4, 1.194), (8, 0.653)):
        assert epsilon_of_rho(0.5 / z**2, 1e-6) == pytest.approx(epsilon, rel=2e-3)


def test_a_thousand_requests_spend_one_budget(tmp_path):
    press, here = Press(), desk(tmp_path)
    first = answer(here, ROWS, request(), press)
    folder = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for number in range(1000):
        aggregate = SlicedReference(kind="sliced", bins=64)
        asked = ReleaseRequest(aggregate, request().privacy, FEATURES, 0) if number % 2 else request()
        assert answer(here, ROWS, asked, press)["sums"].tobytes() == first["sums"].tobytes()
    assert press.events == ["asked", "drawn"]
    assert folder == {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert spent(tmp_path) == ["open", "charge", "sent"]


def test_the_charge_is_on_the_disk_when_the_noise_is_drawn(tmp_path):
    def make(charge):
        assert spent(tmp_path) == ["open"]
        charge(Cost(2.0, 1e-6, 0.5 / Z**2, "cosine"))
        entry = read_ledger(tmp_path / "ledger.jsonl")[-1]
        assert (entry.kind, entry.epsilon, entry.delta, entry.noise) == ("charge", 2.0, 1e-6, "system")
        assert (entry.request, entry.rho, entry.mechanism) == (request().digest, 0.5 / Z**2, "cosine")
        assert not list(tmp_path.glob("*.npz"))
        return {"x": np.ones(1)}

    answer(desk(tmp_path), ROWS, request(), make)
    assert spent(tmp_path) == ["open", "charge", "sent"]


def test_nothing_in_the_folder_tells_the_rows(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    plain = hashlib.sha256(ROWS.tobytes()).hexdigest().encode()
    kept = b"".join(p.read_bytes() + p.name.encode() for p in tmp_path.iterdir())
    assert plain not in kept
    assert ROWS[0].tobytes() not in kept
    other = tmp_path / "other"
    answer(desk(other), ROWS + 1.0, request(), Press())
    versions = {read_ledger(p / "ledger.jsonl")[1].data_version for p in (tmp_path, other)}
    assert len(versions) == 1, "what a version is called must not depend on rows"


def test_a_second_question_or_version_is_another_release(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    with pytest.raises(BudgetError, match="1 releases of these data .* releases-per-data-version is 1"):
        answer(desk(tmp_path), ROWS, request(seed=1), Press())
    refresh(tmp_path)
    answer(desk(tmp_path), ROWS + 1.0, request(), Press())
    assert spent(tmp_path) == ["open", "charge", "sent", "refresh", "charge", "sent"]


def test_until_the_owner_says_refresh_nothing_tells_that_rows_have_changed(tmp_path):
    first = answer(desk(tmp_path), ROWS, request(), Press())
    for changed in (ROWS + 1.0, ROWS[::-1], ROWS[:20], np.full((0, 3), 0.0), np.full((250, 3), np.nan)):
        again = answer(desk(tmp_path), changed, request(), Press())
        assert again["sums"].tobytes() == first["sums"].tobytes()
        with pytest.raises(BudgetError, match="1 releases of these data were charged"):
            answer(desk(tmp_path, Policy(min_rows=1)), np.vstack([changed, ROWS]), request(seed=1), Press())
    assert spent(tmp_path) == ["open", "charge", "sent"]
    refresh(tmp_path)
    fresh = answer(desk(tmp_path), ROWS + 1.0, request(), Press())
    assert fresh["sums"].tobytes() != first["sums"].tobytes()


def test_a_new_question_after_a_change_is_of_the_rows_as_they_are_and_of_the_same_version(tmp_path):
    here = desk(tmp_path, Policy(releases_per_data_version=2))
    answer(here, ROWS, request(), Press())
    answer(here, ROWS + 1.0, request(seed=1), Press())
    charges = [e for e in read_ledger(tmp_path / "ledger.jsonl") if e.kind == "charge"]
    assert len({e.data_version for e in charges}) == 1
    with pytest.raises(BudgetError, match="2 releases of these data were charged"):
        answer(here, ROWS + 2.0, request(seed=2), Press())


def test_eleven_data_versions_at_epsilon_two_fit_into_a_lifetime_of_eight(tmp_path):
    """Privacy-notes section 8: 11 x .448^2 < 1.532^2."""
    for version in range(11):
        answer(desk(tmp_path), ROWS + version, request(), Press())
        refresh(tmp_path)
    late = Press()
    with pytest.raises(
        BudgetError, match=r"lifetime's epsilon to 8\.\d+, lifetime-epsilon is 8 at delta 1e-06"
    ):
        answer(desk(tmp_path), ROWS + 11, request(), late)
    assert late.events == ["asked"], "refused before the draw"
    assert spent(tmp_path).count("charge") == 11


def test_budget_bounds_at_their_edge():
    policy = Policy(lifetime_epsilon=2.0)
    rho = 0.5 / Z**2
    check_lifetime(policy, 0.0, rho, epsilon_of_rho)
    for before, after in ((rho * 0.01, rho), (0.0, rho * 1.01), (0.0, math.inf), (math.inf, rho)):
        with pytest.raises(BudgetError):
            check_lifetime(policy, before, after, epsilon_of_rho)
    with pytest.raises(BudgetError):
        check_lifetime(policy, 0.0, rho, lambda rho, delta: math.nan)
    check_lifetime(simulation_policy(), math.inf, math.inf, epsilon_of_rho)
    check_version(policy, 0)
    with pytest.raises(BudgetError, match="1 releases"):
        check_version(policy, 1)


def test_a_release_that_costs_more_than_was_asked_is_not_drawn(tmp_path):
    for cost, match in (
        (Cost(2.0, 1e-6, 0.5 / Z**2 * 1.01, "cosine"), "asked was 2"),
        (Cost(4.0, 1e-6, 0.5 / Z**2, "cosine"), "the release costs 4"),
        (Cost(2.0, 1e-9, 0.5 / Z**2, "cosine"), "the release costs 2.0 at 1e-09"),
        (Cost(None, 1e-6, None, "none"), "the release costs None"),
        (Cost(2.0, 1e-6, None, "none"), "null exactly when noise is none"),
        (Cost(2.0, 1e-6, math.nan, "cosine"), "rho must be finite"),
    ):
        press = Press(cost)
        with pytest.raises(ValueError, match=match):
            answer(desk(tmp_path), ROWS, request(), press)
        assert press.events == ["asked"]
    assert spent(tmp_path) == ["open"]


def test_a_release_is_charged_exactly_once(tmp_path):
    cost = Press().cost

    def never(charge):
        return {"x": np.ones(1)}

    def refused_but_sent(charge):
        with pytest.raises(ValueError, match="costs 3"):
            charge(Cost(3.0, 1e-6, cost.rho, "cosine"))
        return {"x": np.ones(1)}

    def twice(charge):
        charge(cost)
        charge(cost)
        return {"x": np.ones(1)}

    for make, match in (
        (never, "0 calls and 0"),
        (refused_but_sent, "1 calls and 0"),
        (twice, "2 calls and 1"),
    ):
        with pytest.raises(ValueError, match=match):
            answer(desk(tmp_path), ROWS, request(), make)
        assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("arrays", [{}, {"x": np.array([np.nan])}])
def test_what_is_no_release_is_not_kept_but_paid(tmp_path, arrays):
    def make(charge):
        charge(Press().cost)
        return arrays

    with pytest.raises(ValueError, match="finite arrays"):
        answer(desk(tmp_path), ROWS, request(), make)
    assert spent(tmp_path) == ["open", "charge"]
    with pytest.raises(BudgetError, match="1 releases"):
        answer(desk(tmp_path), ROWS, request(), Press())


@pytest.mark.parametrize(
    ("rows", "asked", "match"),
    [
        (ROWS, request(epsilon=3.0), "epsilon 3 asked"),
        (ROWS, request(epsilon=None), "epsilon null asked"),
        (ROWS, request(directions=2048), "directions 2048 asked"),
        (ROWS[:199], request(), "fewer than min-rows"),
        (np.where(np.arange(3) == 1, np.nan, ROWS), request(), "got nan in column 1"),
    ],
)
def test_refusals_leave_nothing_behind(tmp_path, rows, asked, match):
    press = Press()
    with pytest.raises(ValueError, match=match):
        answer(desk(tmp_path / "silo"), rows, asked, press)
    assert press.events == []
    assert not (tmp_path / "silo").exists()


def test_a_policy_made_stricter_binds_kept_releases_too(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    with pytest.raises(PolicyError, match="epsilon 2 asked, at most 1"):
        answer(desk(tmp_path, Policy(epsilon=1.0)), ROWS, request(), Press())


def test_a_lost_ledger_head_or_release_is_refused(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    (release,) = tmp_path.glob("*.npz")
    for name, match in (
        ("ledger.jsonl", "ledger.jsonl: missing"),
        ("ledger.head", "ledger.head: missing"),
        (release.name, "those bytes are lost"),
    ):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        with pytest.raises((LedgerError, StorageError), match=match):
            answer(desk(tmp_path), ROWS, request(), Press())
        (tmp_path / name).write_bytes(content)
    for name in ("ledger.jsonl", "ledger.head"):
        (tmp_path / name).unlink()
    with pytest.raises(LedgerError, match="missing"):
        answer(desk(tmp_path), ROWS, request(), Press())


def test_a_changed_release_is_refused(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    (release,) = tmp_path.glob("*.npz")
    with release.open("wb") as file:
        np.savez(file, sums=np.zeros(64))
    with pytest.raises(StorageError, match="those bytes are changed"):
        answer(desk(tmp_path), ROWS, request(), Press())


def test_ledger_and_head_put_back_together_are_seen_by_what_was_kept_since(tmp_path):
    answer(desk(tmp_path), ROWS, request(), Press())
    old = {name: (tmp_path / name).read_bytes() for name in ("ledger.jsonl", "ledger.head")}
    refresh(tmp_path)
    answer(desk(tmp_path), ROWS + 1.0, request(), Press())
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LedgerError, match="a release is kept there that the ledger never charged"):
        answer(desk(tmp_path), ROWS + 2.0, request(), Press())


def test_a_simulation_may_do_without_noise_and_the_ledger_says_so(tmp_path):
    simulated = desk(tmp_path, simulation_policy(), SeededNoise(np.random.default_rng(0)))
    answer(simulated, ROWS[:5], request(epsilon=None), Press(Cost(None, 1e-6, None, "none")))
    answer(simulated, ROWS[:5], request(min_rows=1), Press())
    charges = [e for e in read_ledger(tmp_path / "ledger.jsonl") if e.kind == "charge"]
    assert [(e.noise, e.rho is None, e.simulated) for e in charges] == [
        ("none", True, True),
        ("seeded", False, True),
    ]
    with pytest.raises(LedgerError, match="line 2: a release with noise 'none'"):
        answer(desk(tmp_path), ROWS, request(), Press())


def test_seeded_noise_is_not_drawn_outside_a_simulation(tmp_path):
    press = Press()
    with pytest.raises(LedgerError, match="noise must be 'system'"):
        answer(desk(tmp_path, noise=SeededNoise(np.random.default_rng(0))), ROWS, request(), press)
    assert press.events == ["asked"]


@given(
    asks=st.lists(
        st.tuples(
            st.booleans(),  # the owner says refresh before
            st.integers(0, 1),  # seed
            st.sampled_from([0.5, 2.0, 2.1, None]),
            st.sampled_from([256, 1024, 1025]),
        ),
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None)
def test_in_any_order_no_bytes_outside_policy_or_budget(asks):
    policy = Policy(releases_per_data_version=2, lifetime_epsilon=4.0)
    z_of = {0.5: 8.06, 2.0: Z, 2.1: 2.14}
    answers: dict[object, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        here, true_spend, now = desk(Path(name) / "silo", policy), 0.0, 0
        for refreshed, seed, epsilon, directions in asks:
            if refreshed and here.folder.exists():
                with Ledger.open(here.folder / "ledger.jsonl", create=False) as ledger:
                    now += ledger.refresh()
            version = now
            asked = request(seed, epsilon=epsilon, directions=directions)
            cost = Cost(epsilon, 1e-6, 0.5 / z_of[epsilon] ** 2 if epsilon else None, "cosine")
            press, key = Press(cost), (version, seed, epsilon, directions)
            try:
                got = answer(here, ROWS + version, asked, press)["sums"].tobytes()
            except (PolicyError, BudgetError):
                assert "drawn" not in press.events
                assert key not in answers
                continue
            assert epsilon in (0.5, 2.0)
            assert directions <= 1024
            true_spend += 0.0 if key in answers else cost.rho
            assert answers.setdefault(key, got) == got
        if answers:
            charges = [e for e in read_ledger(here.folder / "ledger.jsonl") if e.kind == "charge"]
            assert math.fsum(e.rho for e in charges) == pytest.approx(true_spend, rel=1e-12)
            assert epsilon_of_rho(true_spend, 1e-6) <= 4.0
            per_version = [[e.data_version for e in charges].count(e.data_version) for e in charges]
            assert max(per_version) <= 2


@given(silo=st.one_of(st.text(max_size=70), st.sampled_from(["..", "a/b", "a\n", "", "A", "-a", "a" * 65])))
@settings(max_examples=50)
def test_a_silo_cannot_be_named_out_of_its_folder(silo):
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", silo):
        assert release_folder(Path("/state"), silo) == Path("/state/releases") / silo
        silo = "../" + silo
    with pytest.raises(ValueError, match="silo must be a name"):
        release_folder(Path("/state"), silo)


def test_the_real_gate_and_accountant_fit_the_desk(tmp_path):
    pytest.importorskip("opendp")
    asked = request(directions=16)

    def make(charge):
        release = gate.release(
            ROWS,
            asked.reference,
            FEATURES,
            asked.privacy,
            seed=asked.seed,
            noise=SystemNoise(),
            rng=np.random.default_rng(0),
            charge=charge,
        )
        return release.arrays()

    policy = Policy(lifetime_epsilon=2.0)
    real = Desk(tmp_path, policy, SystemNoise(), calibration.epsilon_of_rho)
    first = answer(real, ROWS, asked, make)
    assert first["sums"].shape == (16, 8)
    assert {k: a.tobytes() for k, a in answer(real, ROWS, asked, make).items()} == {
        k: a.tobytes() for k, a in first.items()
    }
    refresh(tmp_path)
    with pytest.raises(BudgetError, match="lifetime"):
        answer(real, ROWS + 1.0, asked, make)
    (charge,) = [e for e in read_ledger(tmp_path / "ledger.jsonl") if e.kind == "charge"]
    assert charge.rho == pytest.approx(0.5 / 2.230**2, rel=2e-3)
    assert charge.mechanism == "cosine"
