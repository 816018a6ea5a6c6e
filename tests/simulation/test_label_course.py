# SPDX-License-Identifier: Apache-2.0
"""Courses of self-labelling: a slow loop as oracle, the ends of the rate, what is paired, and bad input."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from tailweave.clients.bag_of_words import bag_of_words, plain_words
from tailweave.clients.samples import DataError
from tailweave.protocols.config.classifier import ClassifierOptions
from tailweave.protocols.streams import stream
from tailweave.simulation.studies.label_course import Plan, check_sizes, follow
from tailweave.simulation.studies.labelled_rows import Pool

TREE = ClassifierOptions(name="decision-tree", options={"max-depth": 3, "random-state": 5})


def noisy_pool(seed=1, *, rows=300, classes=3):
    """Classes that overlap, so that a model errs."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=rows)
    inputs = labels[:, None] + 0.8 * rng.standard_normal((rows, 4))
    names = tuple(f"class {k}" for k in range(classes))
    return Pool(inputs, labels, names, np.arange(200), np.arange(200, rows))


def plan(rate, sizes=(20, 50, 120), *, redraw=False, classifier=TREE):
    return Plan(sizes, rate, redraw, classifier)


def slow(pool, sizes, rate, seed):
    """The loop as one would write it down, of rows without redrawing."""
    order = stream(seed, "studies", "self-labelling", "order").permutation(pool.train)
    given, accuracies, tree = {}, [], None
    for generation, (before, size) in enumerate(zip((0, *sizes), sizes, strict=False)):
        shuffled = stream(seed, "studies", "self-labelling", "self-labelled", generation).permutation(
            size - before
        )
        own = set(shuffled[: round(rate * (size - before))].tolist())
        for place, row in enumerate(order[before:size].tolist()):
            alone = generation > 0 and place in own
            given[row] = int(tree.predict(pool.inputs[[row]])[0]) if alone else int(pool.labels[row])
        learned = list(given)
        tree = DecisionTreeClassifier(max_depth=3, random_state=5)
        tree.fit(pool.inputs[learned], [given[row] for row in learned])
        accuracies.append(tree.score(pool.inputs[pool.test], pool.labels[pool.test]))
    return accuracies, np.mean([given[row] != pool.labels[row] for row in given])


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_a_course_is_that_of_a_slow_loop(rate):
    pool = noisy_pool()
    rows = list(follow(pool, plan(rate), 3))
    accuracies, wrong = slow(pool, (20, 50, 120), rate, 3)
    assert [row["accuracy"] for row in rows] == pytest.approx(accuracies, abs=1e-12)
    assert rows[-1]["wrong"] == pytest.approx(wrong, abs=1e-12)
    assert [(row["generation"], row["size"]) for row in rows] == [(0, 20), (1, 50), (2, 120)]
    majority = np.bincount(pool.labels[pool.test]).max() / len(pool.test)
    assert rows[0]["above_majority"] == pytest.approx(rows[0]["accuracy"] - majority, abs=1e-12)


def test_rates_share_their_first_model_and_nest_what_is_labelled():
    pool = noisy_pool()
    courses = {rate: list(follow(pool, plan(rate), 0)) for rate in (0.0, 0.3, 1.0)}
    assert len({tuple(rows[0].values()) for rows in courses.values()}) == 1
    assert all(row["wrong"] == 0.0 for row in courses[0.0])
    # the same first model labels the second batch in each course: a larger share of it, never another part
    assert courses[0.3][1]["wrong"] <= courses[1.0][1]["wrong"]


def test_a_model_that_names_one_class_gives_it_to_all_that_comes():
    pool = noisy_pool()
    order = stream(0, "studies", "self-labelling", "order").permutation(pool.train)[:120]
    first, later = pool.labels[order[:20]], pool.labels[order[20:]]
    named = np.bincount(first).argmax()
    dummy = ClassifierOptions(name="dummy", options={"strategy": "most_frequent"})
    rows = list(follow(pool, plan(1.0, classifier=dummy), 0))
    assert rows[-1]["wrong"] == pytest.approx((later != named).sum() / 120, abs=1e-12)
    assert {row["accuracy"] for row in rows} == {(pool.labels[pool.test] == named).mean()}
    assert {row["largest"] for row in rows} == {1.0}


def test_redrawn_batches_can_repeat_rows():
    pool = noisy_pool()
    sizes = tuple(range(100, 1100, 100))  # five times the rows that there are
    rows = list(follow(pool, plan(0.0, sizes, redraw=True), 0))
    assert [row["size"] for row in rows] == list(sizes)


def test_words_are_those_of_a_vectorizer_fitted_on_the_rows_learned_from():
    texts = ["Tails, tails; it is 5 o'clock!", "snake_case isn't CamelCase", "ärger über TAILS", "the and of"]
    assert plain_words(texts[0]) == ["tails", "tails", "5", "oclock"]
    assert plain_words(texts[1]) == ["snakecase", "isnt", "camelcase"]
    counts = bag_of_words(texts)
    oracle = CountVectorizer(analyzer=plain_words).fit(texts[:2])
    learned = counts[:2]
    known = learned.getnnz(axis=0) > 0
    assert (counts[:, known].toarray() == oracle.transform(texts).toarray()).all()
    with pytest.raises(DataError, match="no document has a word"):
        bag_of_words(["the", "!"])


def test_a_model_knows_the_words_of_its_own_rows_alone():
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    words = [[f"{c}{k}" for k in range(40)] + [f"w{k}" for k in range(400)] for c in "ab"]
    texts = [" ".join(rng.choice(words[label], 20)) for label in labels]
    pool = Pool(bag_of_words(texts), labels, ("a", "b"), np.arange(80), np.arange(80, 120))
    options = {"max-features": "sqrt", "max-depth": 3, "random-state": 5}  # sqrt of how many words it knows
    tree = ClassifierOptions(name="decision-tree", options=options)
    for seed in range(6):
        found = next(follow(pool, plan(0.0, (20,), classifier=tree), seed))
        learned = stream(seed, "studies", "self-labelling", "order").permutation(80)[:20]
        oracle = make_pipeline(
            CountVectorizer(analyzer=plain_words, dtype=np.float32),
            DecisionTreeClassifier(max_features="sqrt", max_depth=3, random_state=5),
        )
        oracle.fit([texts[at] for at in learned], labels[learned])
        assert found["accuracy"] == pytest.approx(oracle.score(texts[80:], labels[80:]), abs=1e-12)


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\], got"):
        list(follow(noisy_pool(), plan(rate), 0))


def test_rows_of_one_class_are_refused():
    pool = noisy_pool()
    alone = Pool(
        pool.inputs, np.where(np.arange(300) < 200, 2, pool.labels), pool.classes, *(pool.train, pool.test)
    )
    with pytest.raises(DataError, match="seed 0: the first 20 rows are all of class 'class 2'.*above 20"):
        list(follow(alone, plan(0.0), 0))


def test_sizes_beyond_the_rows_are_refused():
    with pytest.raises(DataError, match="the last size is 201 rows, but only 200 are there to train on"):
        list(follow(noisy_pool(), plan(0.0, (20, 201)), 0))
    with pytest.raises(DataError, match="the largest batch is 300 rows, but only 200"):
        check_sizes((20, 320), 200, redraw=True)
    check_sizes((20, 220, 420), 200, redraw=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [("random-forrest", "nearest: 'random-forest'"), ("hist-gradient-boosting", "cannot be trained here")],
)
def test_a_classifier_that_does_not_fit_is_refused(name, message):
    labels = np.arange(60) % 2
    pool = Pool(bag_of_words([f"w{k}" for k in labels]), labels, ("a", "b"), np.arange(40), np.arange(40, 60))
    with pytest.raises(ValueError, match=message):
        list(follow(pool, plan(0.0, (20,), classifier=ClassifierOptions(name=name)), 0))
