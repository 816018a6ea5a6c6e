# SPDX-License-Identifier: Apache-2.0
"""What every reference says of itself."""

from typing import ClassVar, Literal

from tailweave.protocols.config.base import Spec


class ReferenceKind(Spec):
    """What selection compares with; the docstring's first paragraph stands in ``tailweave list``.

    Attributes:
        kind: Its name.
        implemented_in: File in ``protocols/references`` that implements it, if it is not its own name.
        points: Whether it has points; otherwise it is a sketch.
        sees: What it is made of: the silo's ``own`` rows, ``public`` samples, the ``truth``, which exists in
            simulation only, or what silos ``release``, for kinds that derive from ``SummarisedReference`` or
            ``TransportedReference``. Own rows make an arm's numbers their owner's.
        leaks: What no noise covers, said when it is refused and when it is used; empty if there is nothing.
        server_side: Options that only say what is done with releases: with others it is the same question.
    """

    kind: str
    implemented_in: ClassVar[str | None] = None
    points: ClassVar[bool] = True
    sees: ClassVar[Literal["own", "public", "truth", "releases"]] = "own"
    leaks: ClassVar[str] = ""
    server_side: ClassVar[frozenset[str]] = frozenset()

    @property
    def public_samples(self) -> int:
        """How many samples of the public base generator it is made of, where it ``sees`` those."""
        return 2000

    @property
    def numbers_a_candidate(self) -> int:
        """How many numbers it holds of each candidate beside the features, in single precision."""
        return 0

    @property
    def unsummable(self) -> str | None:
        """Why it cannot come of a sum under masks, as the options that are in the way; None if it can."""
        return f"kind: {self.kind}" if self.sees == "releases" else None


class SummarisedReference(ReferenceKind):
    """Every silo releases one summary, through the privacy gate, and the server weaves them; no kind itself.

    Attributes:
        clustered: Whether rows leave in groups, of ``privacy.min-cluster-size`` or more.
    """

    sees: ClassVar = "releases"
    clustered: ClassVar[bool] = False

    @property
    def described(self) -> str:
        """The reference in a few words."""
        return self.kind

    @property
    def bounded(self) -> tuple[str, ...]:
        """Options that an owner's policy bounds from above, under the same names."""
        return ()

    @property
    def unnoised(self) -> str | None:
        """Why no noise fits these options, and what does; None if it does."""
        return None
