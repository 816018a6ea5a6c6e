# SPDX-License-Identifier: Apache-2.0
"""Maps of documents: hidden states of a base, weighed words, and what crosses the wire of them."""

import numpy as np
import pytest
from tiny_language_model import corpus, fitted, save_pretrained, spec_of

from tailweave.clients.encoders import open_encoder
from tailweave.clients.encoders.tf_idf import HashedTfIdf
from tailweave.clients.features import fit_features, received_features
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.features.text import HiddenStates, TfIdf
from tailweave.protocols.streams import stream

ODD = Samples.of(["", " \n", "\U0001f389", "the " * 3000, "<|endoftext|>"], sort=TEXT)


@pytest.fixture(scope="module")
def model():
    return fitted(spec_of())


@pytest.fixture(scope="module", params=["hidden-states", "tf-idf", "pretrained"])
def feature_map(request, model, tmp_path_factory):
    samples = corpus(40, seed=1)
    if request.param == "tf-idf":
        return fit_features(TfIdf(kind="tf-idf", dimensions=4), samples, rng=stream(0, "features"))
    folder = None
    if request.param == "pretrained":
        folder = save_pretrained(tmp_path_factory.mktemp("encoder") / "tiny")
    spec = HiddenStates(kind="hidden-states", dimensions=4, model=folder)
    return fit_features(spec, samples, base=model, rng=stream(0, "features"))


def test_it_maps_every_string_alike_whatever_stands_beside_it(feature_map):
    rows = Samples.joined([corpus(6, seed=2), ODD])
    together = feature_map.alike(rows)
    assert together.shape == (len(rows), 4)
    assert np.isfinite(together).all()
    for place in range(len(rows)):
        alone = feature_map.alike(rows.take(np.array([place])))
        np.testing.assert_array_equal(alone[0], together[place])
    np.testing.assert_allclose(feature_map(rows), together, atol=1e-4)


def test_it_is_the_same_after_the_wire(feature_map):
    again = received_features(feature_map.arrays())
    rows = corpus(5, seed=3)
    np.testing.assert_array_equal(again(rows), feature_map(rows))
    assert again == feature_map
    sealed = FeatureMap.from_arrays(feature_map.arrays())
    assert sealed.columns == 1
    with pytest.raises(ValueError, match="sealed"):
        sealed(rows)


def test_numbers_are_refused(feature_map):
    with pytest.raises(ValueError, match="documents must be"):
        feature_map(np.zeros((3, 1)))


def test_tf_idf_is_what_scikit_learn_makes_of_the_same_counts():
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    documents = corpus(20, seed=4).values
    counts = HashingVectorizer(n_features=64, norm=None, alternate_sign=False).transform(documents.tolist())
    wanted = TfidfTransformer().fit_transform(counts).toarray()
    np.testing.assert_allclose(HashedTfIdf.fitted(documents, 64)(documents), wanted, atol=1e-12)


def test_hidden_states_of_a_base_need_a_language_model():
    spec = HiddenStates(kind="hidden-states", dimensions=2)
    with pytest.raises(ValueError, match="must be of generator language-model"):
        fit_features(spec, corpus(10), rng=stream(0, "features"))


def test_more_dimensions_than_codes_are_refused(model):
    spec = HiddenStates(kind="hidden-states", dimensions=17)
    with pytest.raises(ValueError, match=r"dimensions must be at most the length of a code \(16\), got 17"):
        fit_features(spec, corpus(40), base=model, rng=stream(0, "features"))


def test_odd_encoders_are_refused(feature_map):
    parts = {
        n.removeprefix("encoder/"): a for n, a in feature_map.arrays().items() if n.startswith("encoder/")
    }
    name = next(n for n in ("language-model", "rarity", "text-model") if n in parts)
    for odd in (np.array([0.5, 300.0]), np.array([[1.0]]), np.zeros(0)):
        with pytest.raises(ValueError, match="encoder|rarity|documents|bytes"):
            open_encoder(parts | {name: odd})
