# SPDX-License-Identifier: Apache-2.0
"""Synthetic rows beside real ones, whoever made them: which groups were lost?"""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailweave.simulation.score.score import Score


def score(
    real: object,
    synthetic: object,
    *,
    columns: str | PathLike[str] | Mapping[str, Any] | None = None,
    label: str | None = None,
    alpha: float = 0.05,
) -> "Score":
    """Compare synthetic rows with real ones: lost groups, distances, copies.

    Groups are the classes of the label, the levels of categories and the 20 rarest pairs of these; where
    there are neither labels nor categories, modes that k-means finds in all rows together.

    Args:
        real: A table file (.csv, .csv.gz, .tsv, .parquet, .feather), an .npz, documents (.jsonl), a folder of
            images or documents; a data frame; an array (n, p), or images (n, c, h, w).
        synthetic: The same kind of thing, with the same columns.
        columns: What the columns of a table are: a YAML file with a block ``data`` or ``columns`` as in an
            experiment, or such a mapping. None: numbers, dates and truth values are what they are, text of
            few values is a category, other text is left out.
        label: Name of the label column, array or key.
        alpha: Chance that any group at all is called lost or thinner where synthetic rows are drawn as the
            real ones are, in (0, 1).

    Returns:
        The score: ``lost`` (names), ``groups``, ``distances``, ``copied``, ``as_json()``,
        ``write_page(path)``; printed it is a table.

    Raises:
        ValueError: If a side cannot be read, or they do not fit together; says what is allowed.
    """
    from tailweave.simulation.score.score import score as judge
    from tailweave.simulation.score.sides import sides

    return judge(sides(real, synthetic, columns, label), alpha)
