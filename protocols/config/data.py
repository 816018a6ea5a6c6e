# SPDX-License-Identifier: Apache-2.0
"""Where the truth comes from, how it is cut into silos, and what the public base generator saw."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Side = Annotated[int, Field(ge=1, le=4096)]
ImageShape = tuple[Literal[1, 3], Side, Side]
"""Channels, height, width."""
Resize = Literal["refuse", "crop", "stretch"]
LEAST_TEXT_COLUMNS, MOST_TEXT_COLUMNS = 2, 4096
TextColumns = Annotated[int, Field(ge=LEAST_TEXT_COLUMNS, le=MOST_TEXT_COLUMNS)]
DIGITS_IMAGE: ImageShape = (1, 8, 8)
CIFAR_IMAGE: ImageShape = (3, 32, 32)


class BundledData(Spec):
    """A data set that scikit-learn ships; ``digits`` is scaled to [0, 1], the others to unit variance."""

    source: Literal["digits", "breast-cancer", "wine"]
    evaluation_fraction: Fraction = 0.4


class GaussianModes(Spec):
    """An analytic mixture of spherical Gaussians with known masses, some of them rare."""

    source: Literal["gaussian-modes"]
    rows: Annotated[int, Field(ge=20)] = 6000
    dimensions: Annotated[int, Field(ge=1)] = 8
    modes: Annotated[int, Field(ge=1)] = 12
    rare_modes: Annotated[int, Field(ge=0)] = 2
    rare_mass: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    separation: Annotated[float, Field(gt=0.0)] = 6.0
    evaluation_fraction: Fraction = 0.4

    @model_validator(mode="after")
    def _masses_fit(self) -> Self:
        if self.rare_modes >= self.modes:
            raise ValueError(f"rare-modes must be below modes ({self.modes}), got {self.rare_modes}")
        if self.rare_modes * self.rare_mass >= 1.0:
            raise ValueError(
                f"rare-modes x rare-mass must be below 1, got {self.rare_modes * self.rare_mass}"
            )
        return self


class TableData(Spec):
    """The user's own rows: a CSV with a header line, Parquet, or NPZ arrays ``x`` and, if any, ``y``.

    ``image`` (NPZ only) says that each row of x is an image: [channels, height, width]. Images are not
    standardized; whole numbers 0 to 255 become [0, 1].
    """

    source: Literal["csv", "npz", "parquet"]
    path: Annotated[str, Field(min_length=1)]
    label: str | None = None
    image: ImageShape | None = None
    standardize: bool = True
    evaluation_fraction: Fraction = 0.4

    @model_validator(mode="before")
    @classmethod
    def _images_stay_as_they_are(cls, raw: object) -> object:
        if isinstance(raw, dict) and raw.get("image") is not None:
            return {"standardize": False, **raw}
        return raw

    @model_validator(mode="after")
    def _images_fit(self) -> Self:
        if self.image is not None and self.source != "npz":
            raise ValueError(f"image needs source: npz or image-folder, got {self.source}")
        if self.image is not None and self.standardize:
            raise ValueError("images are not standardized: remove standardize, or image")
        return self


class ImageFolder(Spec):
    """A folder of image files; the class is the name of the sub-folder, or stands in a CSV (file, label).

    ``image`` is [channels, height, width]. ``resize`` says what happens to another size: ``refuse`` stops the
    run, ``crop`` scales the shorter side and cuts the longer one, ``stretch`` scales both.
    """

    source: Literal["image-folder"]
    path: Annotated[str, Field(min_length=1)]
    image: ImageShape
    resize: Resize = "refuse"
    labels: Annotated[str, Field(min_length=1)] | None = None
    evaluation_fraction: Fraction = 0.4


class TextData(Spec):
    """Documents as bags of hashed words, not a language model: ``columns`` numbers each, of length 1.

    ``path`` is a folder of .txt files (the class is the sub-folder, if there are any), a .txt with a document
    a line, or a CSV whose column ``text-column`` holds documents and ``label`` their classes.
    """

    source: Literal["text"]
    path: Annotated[str, Field(min_length=1)]
    columns: TextColumns = 256
    text_column: Annotated[str, Field(min_length=1)] | None = None
    label: Annotated[str, Field(min_length=1)] | None = None
    evaluation_fraction: Fraction = 0.4


class Cifar10(Spec):
    """CIFAR-10's own folder cifar-10-batches-py; its test batch is the held-out truth.

    ``rows`` and ``evaluation_rows`` keep a random share of the 50,000 and the 10,000 images (null: all).
    """

    source: Literal["cifar10"]
    path: Annotated[str, Field(min_length=1)]
    rows: Annotated[int, Field(ge=20)] | None = None
    evaluation_rows: Annotated[int, Field(ge=20)] | None = None


DataSpec = Annotated[
    BundledData | GaussianModes | TableData | ImageFolder | TextData | Cifar10, Field(discriminator="source")
]


def image_of(data: DataSpec) -> ImageShape | None:
    """Return the shape of an image where rows are images, else None."""
    if isinstance(data, BundledData):
        return DIGITS_IMAGE if data.source == "digits" else None
    if isinstance(data, Cifar10):
        return CIFAR_IMAGE
    return data.image if isinstance(data, TableData | ImageFolder) else None


class IidPartition(Spec):
    """Rows are dealt at random."""

    kind: Literal["iid"]


class ByClassPartition(Spec):
    """Each silo holds whole classes; a class that several silos hold is shared evenly between them."""

    kind: Literal["by-class"]
    classes_per_silo: Annotated[int, Field(ge=1)]


class DirichletPartition(Spec):
    """Each class is split between all silos by a Dirichlet draw (Hsu et al. 2019)."""

    kind: Literal["dirichlet"]
    alpha: Annotated[float, Field(gt=0.0)]


class ExDirichletPartition(Spec):
    """Each silo is assigned classes; each class is Dirichlet-split among its holders (arXiv 2606.13732)."""

    kind: Literal["ex-dirichlet"]
    classes_per_silo: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0.0)]


class ByQuantilePartition(Spec):
    """Rows are ordered by one feature column and cut into equal blocks."""

    kind: Literal["by-quantile"]
    column: Annotated[int, Field(ge=0)] = 0


PartitionSpec = Annotated[
    IidPartition | ByClassPartition | DirichletPartition | ExDirichletPartition | ByQuantilePartition,
    Field(discriminator="kind"),
]


class SilosSpec(Spec):
    """How many silos there are, what each holds, and how many retrain (``follow``: the first; null: all)."""

    count: Annotated[int, Field(ge=1, le=1000)]
    follow: Annotated[int, Field(ge=1)] | None = None
    partition: PartitionSpec
    rows_per_silo: Annotated[int, Field(ge=1)] | None = None
    heldout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1

    @property
    def followed(self) -> int:
        """How many silos retrain and are measured; the others only take part in making references."""
        return self.count if self.follow is None else self.follow

    @model_validator(mode="after")
    def _enough_to_follow(self) -> Self:
        if self.followed > self.count:
            raise ValueError(f"follow must be at most count = {self.count}, got {self.follow}")
        return self


class PublicSpec(Spec):
    """The share of the truth that the public base generator was fitted on, thinned by class weights."""

    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    class_weights: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = {}

    @model_validator(mode="before")
    @classmethod
    def _labels_are_text(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            return raw
        key = "class-weights" if "class-weights" in raw else "class_weights"
        if isinstance(raw.get(key), dict):
            return {**raw, key: {str(label): weight for label, weight in raw[key].items()}}
        return raw
