# SPDX-License-Identifier: Apache-2.0
"""The CIFAR-10 reader on a miniature of the authors' files, byte for byte as Python 2 pickled them."""

import io
import os
import pickle

import numpy as np
import pytest

from tailweave.clients.data.cifar10 import META, TEST, TRAIN, read_cifar10
from tailweave.clients.data.silo import simulated_world
from tailweave.clients.samples import DataError
from tailweave.protocols.config.data import PublicSpec, SilosSpec
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.kinds.sources.cifar10 import Cifar10
from tailweave.protocols.streams import stream

CASES = 6
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with the byte strings of Python 2 (SHORT_BINSTRING, BINSTRING), as in the real files."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_str2(self, value: bytes) -> None:
        if len(value) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(value)]) + value)
        else:
            self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_str2
    dispatch[str] = lambda self, value: self.save_str2(value.encode())


def dump(value: object) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batch(name: str) -> dict[bytes, object]:
    rng = stream(0, "cifar", name)
    return {
        b"batch_label": b"a batch of the test",
        b"labels": rng.integers(10, size=CASES).tolist(),
        b"data": rng.integers(256, size=(CASES, 3072)).astype(np.uint8),
        b"filenames": [b"some_name_s_%06d.png" % i for i in range(CASES)],
    }


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "cifar-10-batches-py"
    home.mkdir()
    meta = {b"num_cases_per_batch": CASES, b"label_names": [n.encode() for n in NAMES], b"num_vis": 3072}
    (home / META).write_bytes(dump(meta))
    for name in (*TRAIN, *TEST):
        (home / name).write_bytes(dump(batch(name)))
    (home / "readme.html").write_text("as in the archive")
    return home


def test_the_miniature_has_the_opcodes_of_python_2(folder):
    raw = (folder / "test_batch").read_bytes()
    assert raw.startswith(b"\x80\x02}q\x00(U\x0bbatch_label")
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in raw
    assert b"_codecs" not in raw


def test_rows_are_the_pixels_and_names_in_order(folder):
    rows = read_cifar10(folder, TRAIN)
    assert rows.image == (3, 32, 32)
    assert rows.values.shape == (5 * CASES, 3072)
    for number, name in enumerate(TRAIN):
        part = slice(number * CASES, (number + 1) * CASES)
        assert np.array_equal(rows.values[part] * 255.0, batch(name)[b"data"])
        assert rows.labels[part].tolist() == [NAMES[label] for label in batch(name)[b"labels"]]
    assert rows.columns[0] == "r0"
    assert rows.columns[-1] == "b1023"
    assert len(read_cifar10(folder, TEST)) == CASES


def test_the_test_batch_is_the_truth_of_a_world(folder):
    spec = Cifar10(source="cifar10", path=str(folder))
    silos = SilosSpec.model_validate({"count": 2, "partition": {"kind": "iid"}})
    world = simulated_world(spec, silos, PublicSpec(), seed=0)
    assert np.array_equal(world.evaluation.values, read_cifar10(folder, TEST).values)
    assert len(world.train) == 5 * CASES
    assert world.silos[0].train.image == (3, 32, 32)
    fewer = spec.model_copy(update={"rows": 20})
    assert len(simulated_world(fewer, silos, PublicSpec(), seed=0).train) == 20
    with pytest.raises(DataError, match=r"data.rows must be at most the 30 images that there are, got 31"):
        simulated_world(spec.model_copy(update={"rows": 31}), silos, PublicSpec(), seed=0)


def test_a_missing_file_is_named_with_what_is_expected(folder):
    (folder / "data_batch_3").unlink()
    (folder / "test_batch").unlink()
    with pytest.raises(
        DataError, match="missing data_batch_3, test_batch; expected the unpacked folder .*meta"
    ):
        read_cifar10(folder, TRAIN)
    with pytest.raises(DataError, match="there is no such folder; expected the unpacked folder"):
        read_cifar10(folder / "nowhere", TRAIN)
    with pytest.raises(DataError, match=r"found a file; expected .* \(unpack the archive first\)"):
        read_cifar10(folder / "data_batch_1", TRAIN)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_cut_off_anywhere_is_named_with_what_is_expected(folder, share):
    raw = (folder / "data_batch_2").read_bytes()
    (folder / "data_batch_2").write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(DataError, match="data_batch_2: cut off or damaged after .* expected a whole pickle"):
        read_cifar10(folder, TRAIN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {b"data": np.zeros((CASES - 1, 3072), np.uint8)},
            r"expected data, uint8 of shape \(6, 3072\), found",
        ),
        ({b"data": b"text"}, "expected data, uint8 of shape .* found bytes"),
        ({b"labels": [0] * (CASES + 1)}, "expected labels, a list of 6 class numbers, found 7"),
        ({b"labels": [0] * (CASES - 1) + [10]}, r"expected labels in 0..9, found 10"),
        ({b"labels": [0] * (CASES - 1) + [True]}, r"expected labels in 0..9, found True"),
    ],
)
def test_contents_that_do_not_fit_are_named(folder, change, message):
    (folder / "data_batch_5").write_bytes(dump(batch("data_batch_5") | change))
    with pytest.raises(DataError, match=f"data_batch_5: {message}"):
        read_cifar10(folder, TRAIN)


def test_meta_that_does_not_fit_is_named(folder):
    (folder / META).write_bytes(dump({b"label_names": []}))
    with pytest.raises(DataError, match="batches.meta: expected label_names"):
        read_cifar10(folder, TRAIN)
    (folder / META).write_bytes(dump([1]))
    with pytest.raises(DataError, match="batches.meta: expected a pickled dictionary, found list"):
        read_cifar10(folder, TRAIN)


class Evil:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, eval, pickle.loads, getattr, np.load])
def test_a_pickle_that_would_run_code_is_refused(folder, call):
    touched = folder / "touched"
    argument = f"touch {touched}" if call is os.system else f"open({str(touched)!r}, 'w')"
    (folder / "test_batch").write_bytes(dump({b"data": Evil(call, argument)}))
    with pytest.raises(DataError, match=f"test_batch: asks for .*{call.__name__}; .*was not read"):
        read_cifar10(folder, TEST)
    assert not touched.exists()


def test_arrays_of_other_kinds_are_refused(folder):
    # an array of objects could hold anything, one of floats would be eight times as large
    for dtype in (object, np.float64):
        changed = batch("test_batch") | {b"data": np.zeros((CASES, 3072), dtype)}
        (folder / "test_batch").write_bytes(dump(changed))
        with pytest.raises(DataError, match="test_batch: asks for an array of b'(O8|f8)'"):
            read_cifar10(folder, TEST)


def test_an_array_that_asks_for_the_whole_memory_gets_none(folder):
    raw = dump({b"data": Evil(np._core.multiarray._reconstruct, np.ndarray, (10**15,), b"b")})
    (folder / "test_batch").write_bytes(raw)
    with pytest.raises(DataError, match=r"found uint8 of shape \(0,\)"):
        read_cifar10(folder, TEST)


def test_a_relative_path_is_taken_from_the_configs_folder(folder):
    config = folder.parent / "mine.yaml"
    config.write_text(
        "name: mine\ndata: {source: cifar10, path: cifar-10-batches-py}\n"
        "silos: {count: 1, partition: {kind: iid}}\ngenerator: {kind: gaussian}\n"
        "recursion: {generations: 1, samples: 5}\narms: [{name: a, rule: random}]\n"
    )
    assert load_experiment(config).data.path == str(folder)
