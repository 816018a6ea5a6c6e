# SPDX-License-Identifier: Apache-2.0
"""NPZ files that lie or unpack without end: refused by file and place, before memory is given.

Every reader of the product meets every lie; all are ``ValueError``s that name the file, none is a traceback.
"""

import ast
import struct
import subprocess
import sys
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tailweave.clients import storage
from tailweave.clients.data.tables import read_images, read_table
from tailweave.clients.release.store import Store
from tailweave.clients.samples import DataError
from tailweave.protocols.base_file import load_base
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.npz import (
    LITTLE_BYTES,
    MOST_ARRAYS,
    MOST_BYTES,
    MOST_RATIO,
    NpzError,
    open_npz,
    read_npz,
)
from tailweave.simulation.audit.wire_log import _arrays as read_wire_arrays
from tailweave.simulation.run_folder import REQUIRED, RunFolder

ROOT = Path(__file__).parents[2]
PLAIN = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"


def npy(
    header: str, content: bytes = b"\0" * 48, *, version: bytes = b"\1\0", length: int | None = None
) -> bytes:
    """Write an array whose header says what it likes."""
    text = header.encode("latin-1") + b" " * 20 + b"\n"
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + version + size + text + content


def shaped(shape: str, descr: str = "'<f8'") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


LYING_ARRAYS = {
    "more than there is": (shaped("(3, 3)"), "declares .* 72 bytes, found 48"),
    "less than there is": (shaped("(1, 3)"), "declares .* 24 bytes, found 48"),
    "exabytes": (shaped("(1000000000, 1000000000)"), "declares 8000000000000000000 bytes, at most"),
    "beyond 64 bits": (shaped("(9999999999999999999, 8)"), "impossible shape"),
    "exabytes of nothing": (shaped("(0, 1000000000000000)"), "declares .* bytes, at most"),
    "exabytes of empty text": (shaped("(1000000000000000,)", "'<U0'"), "declares .* bytes, at most"),
    "negative": (shaped("(-2, -3)"), "not one that numpy writes"),
    "a shape of text": (shaped("('a', 3)"), "not one that numpy writes"),
    "a list": (shaped("[2, 3]"), "not one that numpy writes"),
    "nine axes": (shaped("(2, 3, 1, 1, 1, 1, 1, 1, 1)"), "impossible shape"),
    "objects": (shaped("(2, 3)", "'|O'"), "Object arrays are pickles"),
    "a structure": (shaped("(2, 3)", "[('a', '<f8')]"), "not one that numpy writes"),
    "arrays in an array": (shaped("(2, 3)", "('<f8', (1000000000,))"), "not one that numpy writes"),
    "dates": (shaped("(2, 3)", "'<M8[ns]'"), "values are of type '<M8"),
    "no type": (shaped("(2, 3)", "'<f7'"), "which numpy does not know"),
    "brackets": (npy("(" * 900), "not one that numpy writes"),
    "minuses": (npy("-" * 900 + "1"), "not one that numpy writes"),
    "a key of bytes": (npy(PLAIN.replace("'shape'", "b'shape'")), "not one that numpy writes"),
    "two shapes": (npy(PLAIN.replace("}", "'shape': (6,), }")), "not one that numpy writes"),
    "no dictionary": (npy("3"), "not one that numpy writes"),
    "a long header": (npy(PLAIN + " " * 60_000), "header has .* bytes, at most 1024"),
    "a header of gigabytes": (
        npy(PLAIN, version=b"\2\0", length=2**32 - 1),
        "header has 4294967295 bytes, at most 1024",
    ),
    "a cut header": (npy(PLAIN)[:20], "not one that numpy writes"),
    "another version": (npy(PLAIN, version=b"\3\0"), "no NPY header of version 1.0 or 2.0"),
    "another magic": (b"\x93NUMPI" + npy(PLAIN)[6:], "no NPY header"),
    "nothing": (b"", "no NPY header"),
    "text": (b"x", "no NPY header"),
}
CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def written(
    path: Path, content: bytes, *, packing: int = zipfile.ZIP_STORED, names: tuple = ("x.npy",)
) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name in names:
            archive.writestr(name, content)
    return path


def patched(content: bytes, at: bytes, offset: int, form: str, value: int) -> bytes:
    """Overwrite one number in the last record of a zip that begins with ``at``."""
    raw = bytearray(content)
    struct.pack_into(form, raw, raw.rindex(at) + offset, value)
    return bytes(raw)


LYING_ZIPS = {
    "a member larger than the file": lambda raw: patched(raw, CENTRAL, 24, "<I", 2**31),
    "a member that takes more than the file": lambda raw: patched(raw, CENTRAL, 20, "<I", 2**31),
    "a directory of gigabytes": lambda raw: patched(raw, END, 12, "<I", 2**31),
    "a directory that is elsewhere": lambda raw: patched(raw, END, 16, "<I", 2**31),
    "encrypted": lambda raw: patched(raw, CENTRAL, 8, "<H", 1),
    "an unknown packing": lambda raw: patched(raw, CENTRAL, 10, "<H", 97),
    "a member elsewhere": lambda raw: patched(raw, CENTRAL, 42, "<I", 2**31),
    "another name inside": lambda raw: patched(raw, LOCAL, 30, "<H", 0),
    "another checksum": lambda raw: patched(raw, CENTRAL, 16, "<I", 7),
    "cut off": lambda raw: raw[:-30],
    "nothing": lambda raw: b"",
    "a plain NPY": lambda raw: npy(PLAIN),
}


def in_run_folder(path: Path) -> object:
    for name in REQUIRED:
        (path.parent / name).touch()
    return RunFolder(path.rename(path.with_name("maps.npz")).parent).maps()


def in_store(path: Path) -> object:
    version, request = "0" * 64, "1" * 64
    path.rename(path.with_name(f"{version}-{request}.npz"))
    return Store(path.parent).load(version, request)


DOORS = {
    "table": lambda path: read_table(path, None),
    "images": lambda path: read_images(path, None, (1, 1, 3)),
    "checkpoint": storage.load,
    "release": in_store,
    "base": load_base,
    "kit": PublicKit.load,
    "reference": KeptReference.load,
    "wire": read_wire_arrays,
    "maps": in_run_folder,
}


@pytest.mark.parametrize("lie", LYING_ARRAYS)
@pytest.mark.parametrize("door", DOORS)
def test_every_reader_refuses_a_lying_array(tmp_path, door, lie):
    content, said = LYING_ARRAYS[lie]
    with pytest.raises(ValueError, match=rf"\.npz.*({said})"):
        DOORS[door](written(tmp_path / "t.npz", content))


@pytest.mark.parametrize("lie", LYING_ZIPS)
@pytest.mark.parametrize("door", DOORS)
def test_every_reader_refuses_a_lying_zip(tmp_path, door, lie):
    path = written(tmp_path / "t.npz", npy(PLAIN))
    path.write_bytes(LYING_ZIPS[lie](path.read_bytes()))
    with pytest.raises(ValueError, match=r"\.npz"):
        DOORS[door](path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_numpy_does_not_write_are_not_unpacked(tmp_path, packing):
    with pytest.raises(DataError, match="packed in a way that is not numpy's"):
        read_table(written(tmp_path / "t.npz", npy(PLAIN), packing=packing), None)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_is_one_array_and_there_are_not_too_many(tmp_path):
    for names in (("x.npy", "x.npy"), ("x", "x.npy")):
        with pytest.raises(NpzError, match="stands in it twice"):
            read_npz(written(tmp_path / "t.npz", npy(PLAIN), names=names))
    names = tuple(f"{number}.npy" for number in range(MOST_ARRAYS + 1))
    with pytest.raises(NpzError, match=f"holds {MOST_ARRAYS + 1} arrays, at most {MOST_ARRAYS}"):
        read_npz(written(tmp_path / "t.npz", npy(PLAIN), names=names))
    with pytest.raises(NpzError, match="its directory has .* bytes, at most 1048576"):
        read_npz(written(tmp_path / "t.npz", b"", names=tuple("x" * 60 + str(n) for n in range(11_000))))


def test_limits_are_said_in_words_that_an_owner_knows(tmp_path):
    path = written(tmp_path / "t.npz", shaped(f"({MOST_BYTES // 8 + 1},)"))
    with pytest.raises(DataError, match=r"array 'x': cannot be read: .* at most 16 GiB are allowed"):
        read_table(path, None)
    with pytest.raises(ValueError, match="at most 256 MiB are allowed"):
        read_npz(path, most_bytes=256 * 2**20)


BOMB = LITTLE_BYTES + 8
MEASURE = """
import resource, sys
from pathlib import Path
from tailweave.clients.data.tables import read_table
from tailweave.clients import storage
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for read in (lambda path: read_table(path, None), storage.load):
    try:
        read(Path(sys.argv[1]))
    except ValueError as error:
        print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_no_memory(tmp_path):
    shape = f"({BOMB // 8}, 1)"
    content = shaped(shape).removesuffix(b"\0" * 48) + b"\0" * BOMB
    path = written(tmp_path / "t.npz", content, packing=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < BOMB / 500
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    *said, grown = found.stdout.splitlines()
    assert len(said) == 2
    assert all(f"above 64 MiB at most {MOST_RATIO} times as many are allowed" in line for line in said)
    assert int(grown) * 1024 < BOMB / 4


def test_many_small_bombs_are_one_large_one(tmp_path):
    content = zlib.compress(b"\0" * 2**20)
    assert len(content) < 2**20 / MOST_RATIO
    path = written(
        tmp_path / "t.npz",
        shaped(f"({2**17},)").removesuffix(b"\0" * 48) + b"\0" * 2**20,
        packing=zipfile.ZIP_DEFLATED,
        names=tuple(f"{n}.npy" for n in range(65)),
    )
    with pytest.raises(NpzError, match="bytes unpack to"):
        read_npz(path)


def test_what_packs_well_is_read(tmp_path):
    rows = np.tile(np.eye(8), (200, 1))
    np.savez_compressed(tmp_path / "t.npz", x=rows)
    assert np.array_equal(read_table(tmp_path / "t.npz", None).values, rows)


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="="),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(max_len=5),
    hnp.byte_string_dtypes(max_len=5),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.booleans(), st.booleans())
def test_it_reads_what_numpy_writes(tmp_path_factory, array, fortran, packed):
    path = tmp_path_factory.mktemp("npz") / "t.npz"
    array = np.asfortranarray(array) if fortran else array
    (np.savez_compressed if packed else np.savez)(path, x=array, y=np.ones(2))
    found = read_npz(path)
    with np.load(path, allow_pickle=False) as archive:
        wanted = archive["x"]
    assert list(found) == ["x", "y"]
    assert (found["x"].dtype, found["x"].shape) == (wanted.dtype, wanted.shape)
    assert found["x"].tobytes() == wanted.tobytes()
    assert found["x"].strides == wanted.strides or wanted.size < 2
    assert found["x"].flags.writeable


def test_arrays_that_a_damaged_directory_hides_are_missed(tmp_path):
    path = tmp_path / "t.npz"
    np.savez_compressed(path, x=np.arange(6.0).reshape(2, 3), y=np.array(["a", "b"]))
    raw = bytearray(path.read_bytes())
    raw[-10] = 0  # of the directory's length
    path.write_bytes(raw)
    with pytest.raises(NpzError, match="its end says 2 arrays, its directory names 0: it is damaged"):
        read_npz(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_byte_is_changed_it_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("npz") / "t.npz"
    np.savez_compressed(path, x=np.arange(6.0).reshape(2, 3), y=np.array(["a", "b"]))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(NpzError):  # any other error fails the test
        read_npz(path)
    with suppress(NpzError), open_npz(path) as archive:
        assert set(archive.members) != set()


def test_nothing_else_in_the_product_reads_arrays():
    reading = {"np.load", "numpy.load", "np.lib.npyio.NpzFile", "np.fromfile", "np.memmap", "pickle.load"}
    found = {
        str(path.relative_to(ROOT))
        for package in ("protocols", "clients", "server", "simulation")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in reading
    }
    assert found == set()
