# SPDX-License-Identifier: Apache-2.0
"""Images from a folder: one file each, the class in the name of the sub-folder or in a table."""

import csv
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

import numpy as np

from tailweave.clients.data.folders import checked_file, files_by_class
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.samples import DataError, Images, Samples, unnamed
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.image_folder import ImageFolder, Resize

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
"""What the endings stand for: Pillow goes by content, and would hand PostScript to another program."""
_WHITE, _WHITE_16 = 255.0, 65535.0
MOST_PIXELS = 2**26
"""Of one image, as it stands in the file: 8192 x 8192, 192 MiB in colours."""
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's modes of 8 bits a channel."""
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Those of 16 bits, which have one channel; ``I`` is what Pillow makes of such a PNG or PGM."""
_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
"""EXIF's tag of how a camera was held, and those values for which height and width change places."""
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error)
"""What Pillow raises on files that are cut off or are no images."""


class _Wanted(NamedTuple):
    """An image as it is asked for."""

    where: str
    shape: ImageShape
    resize: Resize


def read_image_folder(spec: ImageFolder) -> Samples:
    """Read every image of a folder, in the order of their names.

    Without ``labels`` the images stand either all in the folder itself (no classes) or all in its
    sub-folders, whose names are the classes. With ``labels``, a CSV with the columns ``file`` and ``label``,
    exactly the files that it names are read. Names that begin with a dot are passed over.

    Args:
        spec: Folder, shape of an image, and what to do with other sizes: ``refuse``; ``crop``, which scales
            the shorter side and cuts off the rest of the longer one evenly; ``stretch``.

    Returns:
        Pixels in [0, 1] of 8 or 16 bits, channel by channel and row by row; ``image`` is the shape. Colours
        become grey for one channel, grey becomes colours for three, and transparency is dropped. A photograph
        is upright, as its EXIF data say.

    Raises:
        DataError: Naming the file or folder, what was found and what is allowed.
    """
    folder = Path(spec.path)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; expected one with images")
    files, labels = (
        _listed(folder, Path(spec.labels)) if spec.labels else files_by_class(folder, ENDINGS, "images")
    )
    if len(files) < 2:
        raise DataError(f"{folder}: expected at least 2 images ({', '.join(ENDINGS)}), found {len(files)}")
    values = np.empty((len(files), math.prod(spec.image)))
    for row, path in zip(values, files, strict=True):
        row[:] = pixels_of(str(path), path, spec.image, spec.resize)
    return Samples.of(values, labels, Images(unnamed(values.shape[1]), shape=spec.image))


def _listed(folder: Path, table: Path) -> tuple[list[Path], list[str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = list(reader.fieldnames or ())
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read as a CSV of file and label: {error}") from error
    for column in ("file", "label"):
        if column not in header:
            raise DataError(f"{table}, line 1: {unknown_name('column', column, header)}")
    seen: dict[str, int] = {}
    for line, row in lines:
        if not row["file"] or not row["label"]:
            raise DataError(f"{table}, line {line}: expected a file and a label, found an empty cell")
        if not (folder / row["file"]).is_file():
            raise DataError(f"{table}, line {line}: there is no file {folder / row['file']}")
        if (first := seen.setdefault(str(Path(row["file"])), line)) != line:
            raise DataError(f"{table}, line {line}: names {row['file']} again, after line {first}")
    return [checked_file(folder / row["file"], ENDINGS, "images") for _, row in lines], [
        row["label"].strip() for _, row in lines
    ]


def pixels_of(where: str, file: Path | BinaryIO, shape: ImageShape, resize: Resize) -> Floats:
    """Read one image.

    Args:
        where: What messages call it.
        file: Its path, or its bytes.
        shape: (channels, height, width) that is wanted.
        resize: What happens to another size; see ``read_image_folder``.

    Returns:
        Pixels in [0, 1], shape (p,), channel by channel.

    Raises:
        DataError: If it is no image, a bomb, cut off, or of another size that is not allowed.
    """
    from PIL import Image, ImageOps

    channels, height, width = shape
    wanted = _Wanted(where, shape, resize)
    try:
        with Image.open(file, formats=_FORMATS) as opened:
            _check_size(wanted, opened)
            frames = getattr(opened, "n_frames", 1)
            if frames != 1:
                raise DataError(f"{where}: found {frames} frames, allowed: one image a file")
            deep = opened.mode in _DEEP
            if not deep and opened.mode not in _MODES:
                raise DataError(
                    f"{where}: found pixels of mode {opened.mode}, allowed: 8 or 16 bits a channel"
                )
            if opened.mode == "I":
                _check_depth(where, opened)
            upright = ImageOps.exif_transpose(opened)
            image = upright.convert("F" if deep else "L" if channels == 1 else "RGB")
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{where}: {error}; allowed: at most {MOST_PIXELS} pixels") from None
    except _BROKEN as error:
        raise DataError(f"{where}: cut off or no image: {error}") from None
    array = np.asarray(_sized(wanted, image), dtype=np.float64)  # (h, w) or (h, w, 3)
    if deep:
        grey = np.clip(array / _WHITE_16, 0.0, 1.0)  # a resize may overshoot
        return np.tile(grey.reshape(-1), channels)
    return (array / _WHITE).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)


def _check_depth(where: str, opened: "Image") -> None:
    """Refuse what has 32 bits: its white is anybody's guess."""
    low, high = cast("tuple[int, int]", opened.getextrema())
    if low < 0 or high > _WHITE_16:
        raise DataError(f"{where}: found pixels from {low} to {high}, allowed: 8 or 16 bits a channel")


def _check_size(asked: _Wanted, opened: "Image") -> None:
    """Refuse by what the file says before a pixel is unpacked; EXIF data may lie behind the pixels."""
    _, height, width = asked.shape
    size, wanted = opened.size, (width, height)
    if size[0] * size[1] <= MOST_PIXELS and (asked.resize != "refuse" or size in (wanted, wanted[::-1])):
        turned = opened.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
        size = size[::-1] if turned else size
    if asked.resize == "refuse" and size != wanted:
        raise DataError(
            f"{asked.where}: found {size[0]} x {size[1]} pixels, image wants {width} x {height} "
            "(width x height); resize: crop or stretch allows other sizes"
        )
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(
            f"{asked.where}: found {size[0]} x {size[1]} pixels, allowed: at most {MOST_PIXELS}; "
            "scale it down"
        )


def _sized(asked: _Wanted, image: "Image") -> "Image":
    from PIL.Image import Resampling

    _, height, width = asked.shape
    if image.size == (width, height):
        return image
    if asked.resize == "stretch":
        return image.resize((width, height), Resampling.LANCZOS)
    scale = max(width / image.size[0], height / image.size[1])
    part = (width / scale, height / scale)
    left, top = (image.size[0] - part[0]) / 2, (image.size[1] - part[1]) / 2
    box = (left, top, left + part[0], top + part[1])
    return image.resize((width, height), Resampling.LANCZOS, box=box)


@implements(ImageFolder)
def load(spec: ImageFolder, *, seed: int) -> Samples:
    """Read all images."""
    return read_image_folder(spec)
