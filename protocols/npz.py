# SPDX-License-Identifier: Apache-2.0
"""The one reader of NPZ archives: what a file says of itself is held against the file before memory is given.

An NPZ is a zip of NPY arrays. A zip may pack a thousand times as much as it is long, its directory and the
header of an array may promise any size, and a pickled array runs code. Here nothing is unpacked that does
not fit its own header, no header is evaluated, and no pickle is loaded.
"""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.whole_file import write_whole

GIB = 2**30
MOST_BYTES = 16 * GIB
"""Of one array, and of all that are read of one file: what a large node has memory for."""
LITTLE_BYTES = 64 * 2**20
"""As much may be unpacked from however little."""
MOST_RATIO = 100
"""Above that, an array has at most as many times the bytes that it takes in the file."""
MOST_ARRAYS = 1000
MOST_AXES = 8
LONGEST_HEADER = 1024
"""Characters; eight axes and a plain type take a quarter of that."""
_MOST_DIRECTORY = 2**20
"""Bytes; more are refused before they are read. A thousand arrays take a fifth of that."""
_CHUNK = 2**20
_END_BYTES = 22
"""Of a zip without a comment."""
_UNSAID = 0xFFFF
"""Stands for a number of arrays that is written elsewhere."""
_HEADER = re.compile(
    r"\{ *'descr': *'([^']{1,40})' *, *'fortran_order': *(True|False) *, *"
    r"'shape': *\(([0-9, ]*)\) *,? *\}[ \n]*"
)
_TYPE = re.compile(r"[<>|=][biufcSU][0-9]{1,9}")
_REMEDY = "write it with numpy.savez, of plain numbers or text"
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What damaged, encrypted or exotic archives raise."""


class NpzError(ValueError):
    """An archive or an array that is not read; says what was found and what is allowed, not which file."""


class _Header(NamedTuple):
    """What an array says of itself, and how many bytes it took to say so."""

    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]
    length: int


class _ShyFile(io.FileIO):
    """A file that gives no more than a directory at once: ``ZipFile`` asks for as much as the zip says."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most ``size`` bytes."""
        if size is not None and size > _MOST_DIRECTORY:
            raise NpzError(f"its directory has {size} bytes, at most {_MOST_DIRECTORY} are allowed")
        return super().read(size)


@dataclass(frozen=True)
class NpzArchive:
    """An open archive; use ``open_npz``."""

    members: dict[str, zipfile.ZipInfo]
    most_bytes: int
    _zip: zipfile.ZipFile
    _file_bytes: int

    def read(self, name: str) -> NDArray[Any]:
        """Return one array of the archive, in memory of its own.

        Raises:
            NpzError: If it is damaged, too large, packed too tightly, or not of numbers or text.
        """
        member = self.members[name]
        try:
            self._check(member)
            with self._zip.open(member) as stream:
                header = _header(stream)
                self._check_size(header, member.file_size)
                return _values(stream, header)
        except NpzError:
            raise
        except _UNREADABLE as error:
            raise NpzError(str(error) or type(error).__name__) from None

    def _check(self, member: zipfile.ZipInfo) -> None:
        """Hold what the zip's directory says of a member against the file and the limits."""
        if not member.filename.endswith(".npy"):
            raise NpzError(f"found no array; {_REMEDY}")
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError(f"it is encrypted, or packed in a way that is not numpy's; {_REMEDY}")
        unpacked, packed = member.file_size, member.compress_size
        stored = member.compress_type == zipfile.ZIP_STORED
        if packed > self._file_bytes or (stored and packed != unpacked):
            raise NpzError(
                f"the archive says that it has {unpacked} bytes and takes {packed} of the file, which has "
                f"{self._file_bytes}"
            )
        if unpacked > self.most_bytes + _CHUNK:
            raise NpzError(f"it has {unpacked} bytes, at most {_gib(self.most_bytes)} are allowed")
        check_ratio(unpacked, packed)

    def _check_size(self, header: _Header, unpacked: int) -> None:
        size = math.prod(header.shape) * header.dtype.itemsize
        # an empty axis or text of no characters takes no bytes, and may yet stand for any number of values
        declared = math.prod(max(length, 1) for length in header.shape) * max(header.dtype.itemsize, 1)
        if declared > self.most_bytes:
            raise NpzError(
                f"its header declares {declared} bytes, at most {_gib(self.most_bytes)} are allowed"
            )
        if header.length + size != unpacked:
            raise NpzError(
                f"its header declares {header.shape} of {header.dtype}, which is {size} bytes, found "
                f"{unpacked - header.length}"
            )


@contextmanager
def open_npz(path: Path, *, most_bytes: int = MOST_BYTES) -> Iterator[NpzArchive]:
    """Open an archive and read its directory, no array yet.

    Raises:
        OSError: If there is no such file, or it may not be opened.
        NpzError: If it is no zip, or its directory is damaged, too long or names an array twice.
    """
    with _ShyFile(path) as file:
        size = file.seek(0, io.SEEK_END)
        try:
            archive = zipfile.ZipFile(file)
            members = _members(archive)
            _check_count(file, size, len(members))
        except NpzError:
            raise
        except _UNREADABLE as error:
            raise NpzError(str(error) or type(error).__name__) from None
        with archive:
            yield NpzArchive(members, most_bytes, archive, size)


def read_npz(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """Read all arrays of an archive.

    All arrays together have at most ``MOST_BYTES``, each at most ``most_bytes``.

    Returns:
        Arrays by name, in the order of the file.

    Raises:
        OSError: If there is no such file, or it may not be opened.
        NpzError: As ``open_npz`` and ``NpzArchive.read`` say; names the array.
    """
    with open_npz(path, most_bytes=most_bytes) as archive:
        total = sum(member.file_size for member in archive.members.values())
        if total > MOST_BYTES:
            raise NpzError(f"its arrays have {total} bytes, at most {_gib(MOST_BYTES)} are allowed")
        check_ratio(total, sum(member.compress_size for member in archive.members.values()))
        found = {}
        for name in archive.members:
            try:
                found[name] = archive.read(name)
            except NpzError as error:
                raise NpzError(f"array {name!r}: {error}") from None
        return found


def write_npz(
    path: Path, arrays: Mapping[str, NDArray[Any]], *, mode: int | None = None, lasting: bool = True
) -> None:
    """Write what ``read_npz`` reads; ``mode`` and ``lasting`` as in ``write_whole``."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    write_whole(path, buffer.getbuffer(), mode=mode, lasting=lasting)


def check_ratio(unpacked: int, packed: int) -> None:
    """Refuse what grows beyond measure: a file of a few KiB must not fill the memory of a node.

    Raises:
        NpzError: If there are many, and more than ``MOST_RATIO`` times those in the file.
    """
    if unpacked > LITTLE_BYTES and unpacked > MOST_RATIO * packed:
        raise NpzError(
            f"{packed} bytes unpack to {unpacked}; above {LITTLE_BYTES // 2**20} MiB at most {MOST_RATIO} "
            "times as many are allowed: write it without compression"
        )


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise NpzError("an array stands in it twice")
    if len(members) > MOST_ARRAYS:
        raise NpzError(f"it holds {len(members)} arrays, at most {MOST_ARRAYS} are allowed")
    return members


def _check_count(file: IO[bytes], size: int, found: int) -> None:
    """Refuse a zip whose end, as numpy writes it, says another number of arrays than its directory names.

    A wrong byte in the directory's length or place hides arrays, and would pass for a file without them.
    """
    file.seek(max(0, size - _END_BYTES))
    end = file.read(_END_BYTES)
    said = int.from_bytes(end[10:12], "little")
    if end.startswith(b"PK\x05\x06") and said not in (found, _UNSAID):
        raise NpzError(f"its end says {said} arrays, its directory names {found}: it is damaged")


def _header(stream: IO[bytes]) -> _Header:
    """Read an NPY header by comparison; numpy's own way evaluates it, after reading as much as it says."""
    start = stream.read(8)
    width = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}.get(start)
    if width is None:
        raise NpzError(f"it has no NPY header of version 1.0 or 2.0; {_REMEDY}")
    length = int.from_bytes(stream.read(width), "little")
    if length > LONGEST_HEADER:
        raise NpzError(f"its header has {length} bytes, at most {LONGEST_HEADER} are allowed; {_REMEDY}")
    text = stream.read(length).decode("latin-1")
    said = _HEADER.fullmatch(text)
    if said is None or len(text) != length:
        raise NpzError(f"its header is not one that numpy writes: {text[:80].strip()!r}; {_REMEDY}")
    sides = [side.strip() for side in said[3].removesuffix(",").split(",")] if said[3].strip() else []
    if len(sides) > MOST_AXES or not all(side.isdecimal() and len(side) < 19 for side in sides):
        raise NpzError(f"its header declares an impossible shape ({said[3][:80]})")
    return _Header(_dtype(said[1]), said[2] == "True", tuple(map(int, sides)), 8 + width + length)


def _dtype(name: str) -> np.dtype[Any]:
    if name == "|O":
        raise NpzError(f"Object arrays are pickles, which are never loaded; {_REMEDY}")
    if _TYPE.fullmatch(name) is None:
        raise NpzError(f"its values are of type {name!r}; {_REMEDY}")
    try:
        return np.dtype(name)
    except (TypeError, ValueError):
        raise NpzError(f"its values are of type {name!r}, which numpy does not know; {_REMEDY}") from None


def _values(stream: IO[bytes], header: _Header) -> NDArray[Any]:
    """Read what the header declares and nothing more; at its very end the zip compares its checksum."""
    content = np.empty(math.prod(header.shape) * header.dtype.itemsize, dtype=np.uint8)
    filled = 0
    while filled < content.size:
        part = stream.read(min(_CHUNK, content.size - filled))
        if not part:
            raise NpzError(f"it ends after {filled} of {content.size} bytes")
        content[filled : filled + len(part)] = np.frombuffer(part, dtype=np.uint8)
        filled += len(part)
    if stream.read(1):
        raise NpzError(f"it goes on after {filled} bytes")
    flat: NDArray[Any] = np.ndarray(math.prod(header.shape), header.dtype, buffer=content)
    return flat.reshape(header.shape[::-1]).T if header.fortran else flat.reshape(header.shape)


def _gib(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // 2**20} MiB"
