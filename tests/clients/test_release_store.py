# SPDX-License-Identifier: Apache-2.0
"""Kept releases: exact, atomic, named by digests alone."""

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailweave.clients.release.store import Store
from tailweave.clients.storage import StorageError

V, R = "a" * 64, "b" * 64


def test_returns_the_same_arrays_and_the_digest_of_the_file(tmp_path):
    arrays = {"sums": np.random.default_rng(0).normal(size=(4, 3)), "count": np.array([np.pi])}
    kept = Store(tmp_path).save(V, R, arrays)
    again = Store(tmp_path).load(V, R)
    for name, array in arrays.items():
        assert kept.arrays[name].tobytes() == again.arrays[name].tobytes() == array.tobytes()
    (file,) = tmp_path.glob("*.npz")
    assert file.name == f"{V}-{R}.npz"
    assert file.stat().st_mode & 0o077 == 0
    assert kept.payload == again.payload == hashlib.sha256(file.read_bytes()).hexdigest()
    assert Store(tmp_path).held() == {(V, R)}


def test_has_nothing_that_was_not_kept(tmp_path):
    (tmp_path / f".{V}-{R}.npz.0123456789abcdef.part").write_bytes(b"half a release")
    (tmp_path / "other.npz").write_bytes(b"")
    assert Store(tmp_path).load(V, R) is None
    assert Store(tmp_path).held() == frozenset()
    assert Store(tmp_path / "nowhere").held() == frozenset()


def test_a_write_that_fails_leaves_the_old_release(tmp_path, monkeypatch):
    store = Store(tmp_path)
    old = store.save(V, R, {"x": np.zeros(2)})
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.save(V, R, {"x": np.ones(2)})
    assert store.load(V, R).payload == old.payload


def test_a_truncated_release_cannot_be_read_back(tmp_path):
    Store(tmp_path).save(V, R, {"x": np.zeros(9)})
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(StorageError, match="cannot be read back"):
        Store(tmp_path).load(V, R)


@given(name=st.one_of(st.text(max_size=80), st.sampled_from(["../" * 20 + "etc", "A" * 64, "a" * 64 + "\n"])))
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    store = Store(tmp_path_factory.getbasetemp())
    for names in ((name, R), (V, name)):
        with pytest.raises(ValueError, match="named by two digests"):
            store.load(*names)
