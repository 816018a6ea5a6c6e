# SPDX-License-Identifier: Apache-2.0
"""Images from folders and archives: pixels, classes, sizes, and what is refused."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from sklearn.datasets import load_digits

from tailweave.clients.data.image_folder import read_image_folder
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import DataError, Images, Samples
from tailweave.protocols.kinds.sources.bundled import BundledData
from tailweave.protocols.kinds.sources.image_folder import ImageFolder
from tailweave.protocols.kinds.sources.table import TableData
from tailweave.protocols.streams import stream

COLOUR = stream(0, "pixels").integers(256, size=(4, 5, 6, 3)).astype(np.uint8)  # (n, h, w, c)


def spec(path, image=(3, 5, 6), **keys) -> ImageFolder:
    return ImageFolder(source="image-folder", path=str(path), image=image, **keys)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "pictures"
    for name, label, pixels in zip("abcd", ("cat", "cat", "dog", "dog"), COLOUR, strict=True):
        (home / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / label / f"{name}.png")
    (home / ".hidden").write_text("passed over")
    return home


def test_digits_are_images_of_eight_by_eight():
    rows = load_rows(BundledData(source="digits"), seed=0)[0]
    assert rows.image == rows.take(np.arange(3)).image == (1, 8, 8)
    assert np.array_equal(rows.values.reshape(-1, 8, 8), load_digits().images / 16.0)
    assert load_rows(BundledData(source="wine"), seed=0)[0].image is None


def test_sub_folders_are_classes_and_pixels_go_channel_by_channel(folder):
    rows = load_rows(spec(folder), seed=0)[0]
    assert rows.labels.tolist() == ["cat", "cat", "dog", "dog"]
    assert rows.image == (3, 5, 6)
    assert np.array_equal(rows.values.reshape(4, 3, 5, 6), COLOUR.transpose(0, 3, 1, 2) / 255.0)


def test_a_flat_folder_has_no_classes_and_a_table_gives_some(folder, tmp_path):
    flat = folder / "cat"
    assert read_image_folder(spec(flat)).labels is None
    table = tmp_path / "labels.csv"
    table.write_text("file,label\nb.png,second\na.png,first\n")
    rows = read_image_folder(spec(flat, labels=str(table)))
    assert rows.labels.tolist() == ["second", "first"]
    assert np.array_equal(rows.values[1].reshape(3, 5, 6), COLOUR[0].transpose(2, 0, 1) / 255.0)


def test_grey_is_pillows_luma_and_grey_files_become_colours(folder):
    rows = read_image_folder(spec(folder, (1, 5, 6)))
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])  # ITU-R 601; Pillow rounds to whole numbers
    assert np.abs(rows.values.reshape(4, 5, 6) * 255.0 - luma).max() <= 1.0
    for path in folder.glob("*/*.png"):
        Image.open(path).convert("L").save(path)
    three = read_image_folder(spec(folder)).values.reshape(4, 3, 5, 6)
    assert np.array_equal(three[:, 0], three[:, 2])


def test_other_sizes_are_refused_cropped_or_stretched_as_asked(folder):
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, :5] = 255  # the left quarter: a centre crop to a square loses it
    Image.fromarray(wide).save(folder / "cat" / "a.png")
    Image.fromarray(wide).save(folder / "cat" / "b.png")
    flat = folder / "cat"
    with pytest.raises(DataError, match=r"a.png: found 20 x 10 pixels, .* wants 4 x 4 .*crop or stretch"):
        read_image_folder(spec(flat, (3, 4, 4)))
    assert read_image_folder(spec(flat, (3, 4, 4), resize="crop")).values.max() < 0.1
    stretched = read_image_folder(spec(flat, (3, 4, 4), resize="stretch")).values.reshape(2, 3, 4, 4)
    assert stretched[0, 0, 1, 0] > 0.8
    assert stretched[0, 0, 1, 3] < 0.1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_a_truncated_image_is_named(folder, share):
    path = folder / "dog" / "c.png"
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(DataError, match=r"c.png: cut off or no image"):
        read_image_folder(spec(folder))


def test_what_does_not_belong_in_a_folder_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        read_image_folder(spec(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected at least 2 images .* found 0"):
        read_image_folder(spec(tmp_path / "empty"))
    (folder / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"found sub-folders \(cat\) beside files \(notes.txt\)"):
        read_image_folder(spec(folder))
    (folder / "notes.txt").rename(folder / "dog" / "notes.txt")
    with pytest.raises(DataError, match=r"notes.txt: found .txt, allowed: .png"):
        read_image_folder(spec(folder))
    (folder / "dog" / "notes.txt").unlink()
    (folder / "dog" / "inner").mkdir()
    with pytest.raises(DataError, match="inner: found a folder in a class's folder"):
        read_image_folder(spec(folder))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_images_of_sixteen_bits_keep_them(tmp_path, ending):
    deep = stream(0, "deep").integers(2**16, size=(2, 5, 6)).astype(np.uint16)
    deep[0, 0, :2] = 0, 2**16 - 1
    for name, pixels in zip("ab", deep, strict=True):
        Image.fromarray(pixels).save(tmp_path / f"{name}.{ending}")
    grey = read_image_folder(spec(tmp_path, (1, 5, 6))).values.reshape(2, 5, 6)
    np.testing.assert_allclose(grey, deep / 65535.0, rtol=1e-12)
    colours = read_image_folder(spec(tmp_path, (3, 5, 6))).values.reshape(2, 3, 5, 6)
    assert all(np.array_equal(colours[:, channel], grey) for channel in range(3))
    small = read_image_folder(spec(tmp_path, (1, 2, 3), resize="stretch")).values
    assert 0.0 <= small.min() < small.max() <= 1.0


@pytest.mark.parametrize(("value", "said"), [(2**16, "from 0 to 65536"), (-1, "from -1 to 0")])
def test_thirty_two_bits_are_refused_whose_white_nobody_knows(folder, value, said):
    deep = np.zeros((5, 6), np.int32)
    deep[0, 0] = value
    Image.fromarray(deep).save(folder / "cat" / "a.tif")
    with pytest.raises(DataError, match=f"a.tif: found pixels {said}, allowed: 8 or 16 bits a channel"):
        read_image_folder(spec(folder))


def test_floats_are_refused(folder):
    Image.fromarray(np.zeros((5, 6), np.float32)).save(folder / "cat" / "a.tif")
    with pytest.raises(DataError, match="a.tif: found pixels of mode F, allowed: 8 or 16 bits a channel"):
        read_image_folder(spec(folder))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_photographs_are_upright(tmp_path, orientation, ending):
    """What a viewer shows is what is read: Pillow's own transposition is the oracle, and a corner by hand."""
    upright = np.zeros((5, 6), np.uint8)
    upright[0, 0] = 255  # a bright corner, up and left
    undone = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose}
    undone |= {6: np.rot90, 7: lambda a: np.rot90(a.T, 2), 8: lambda a: np.rot90(a, -1)}
    stored = Image.fromarray(np.ascontiguousarray(undone[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in "ab":
        stored.save(tmp_path / f"{name}.{ending}", exif=exif, quality=100)
    rows = read_image_folder(spec(tmp_path, (1, 5, 6)))
    assert rows.values.argmax(axis=1).tolist() == [0, 0]
    if orientation > 4:
        with pytest.raises(DataError, match=r"found 6 x 5 pixels, image wants 5 x 6"):
            read_image_folder(spec(tmp_path, (1, 6, 5)))


@pytest.mark.parametrize("ending", ["tif", "webp"])
def test_several_frames_are_refused(folder, ending):
    frames = [Image.fromarray(pixels) for pixels in COLOUR]
    frames[0].save(folder / "cat" / f"z.{ending}", save_all=True, append_images=frames[1:3])
    with pytest.raises(DataError, match=rf"z.{ending}: found 3 frames, allowed: one image a file"):
        read_image_folder(spec(folder))


def test_what_file_managers_leave_is_passed_over(folder):
    for name in ("Thumbs.db", "desktop.ini", "cat/Thumbs.db", "cat/.DS_Store"):
        (folder / name).write_bytes(b"not an image")
    (folder / "__MACOSX").mkdir()
    assert read_image_folder(spec(folder)).labels.tolist() == ["cat", "cat", "dog", "dog"]


def test_a_file_that_a_table_names_twice_is_refused_with_both_lines(folder, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.png,first\nb.png,second\n./a.png,third\n")
    with pytest.raises(DataError, match=r"labels.csv, line 4: names ./a.png again, after line 2"):
        read_image_folder(spec(folder / "cat", labels=str(table)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'file'"),
        ("file,labels\n", "no column 'label'; nearest: 'labels'"),
        ("file,label\na.png,\n", "line 2: expected a file and a label"),
        ("file,label\na.png,x\nz.png,x\n", "line 3: there is no file .*z.png"),
        ("file,label\na.png,x\n", "expected at least 2 images"),
    ],
)
def test_a_table_of_labels_that_does_not_fit_is_named(folder, tmp_path, text, message):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_image_folder(spec(folder / "cat", labels=str(tmp_path / "labels.csv")))


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 1, 5, 6), (4, 30)])
def test_an_npz_of_images_is_read_in_every_shape(tmp_path, shape):
    path, grey = tmp_path / "x.npz", COLOUR[..., 0]
    np.savez(path, x=grey.reshape(shape), y=[1, 0, 1, 0])
    given = TableData(source="npz", path=str(path), image=(1, 5, 6))
    rows = load_rows(given, seed=0)[0]
    assert rows.image == (1, 5, 6)
    assert rows.labels.tolist() == ["1", "0", "1", "0"]
    assert np.array_equal(rows.values, grey.reshape(4, 30) / 255.0)
    np.savez(path, x=grey.reshape(shape) / 510.0)
    assert np.array_equal(load_rows(given, seed=0)[0].values, grey.reshape(4, 30) / 510.0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 6, 5)), r"found shape \(4, 6, 5\), allowed for image \[1, 5, 6\]: \(n, 1, 5, 6\) or"),
        (np.zeros((0, 30)), r"found shape \(0, 30\)"),
        (np.full((4, 30), 1.5), "found values from 1.5 to 1.5, allowed: whole numbers 0 to 255"),
        (np.full((4, 30), 256), "found values from 256 to 256"),
        (np.full((4, 30), -1), "found values from -1 to -1"),
    ],
)
def test_an_npz_that_holds_no_such_images_is_named(tmp_path, x, message):
    np.savez(tmp_path / "x.npz", x=x)
    given = TableData(source="npz", path=str(tmp_path / "x.npz"), image=(1, 5, 6))
    with pytest.raises(DataError, match=message):
        load_rows(given, seed=0)[0]


def test_image_keys_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="image needs source: npz or image-folder, got csv"):
        TableData(source="csv", path="a.csv", image=(1, 2, 2))
    with pytest.raises(ValidationError, match="images are not standardized"):
        TableData(source="npz", path="a.npz", image=(1, 2, 2), standardize=True)
    with pytest.raises(ValidationError, match="Input should be 1 or 3"):
        spec("a", (2, 2, 2))
    with pytest.raises(DataError, match=r"image \(1, 2, 2\) does not fit rows of 3 columns"):
        Samples.of(np.zeros((1, 3)), None, Images(("a", "b", "c"), shape=(1, 2, 2)))
    given = TableData(source="npz", path="a.npz", image=(1, 2, 2))
    assert TableData.model_validate(given.model_dump(by_alias=True)) == given
