# SPDX-License-Identifier: Apache-2.0
"""Who is there and who is not: what the server remembers of absences while a run goes on."""

from dataclasses import dataclass, field

Place = tuple[int, str | None]
"""A node, and the arm that it was asked for; None in the rounds before ``retrain``."""


@dataclass
class Roll:
    """The absences of one run.

    Attributes:
        seen: Nodes that the last ``hello`` found, with the names that they had in it.
        greeted: Nodes that were asked ``hello`` in this seed; only others are asked later.
        absent: Names of the silos that have not connected yet, None for each whose name nobody knows.
    """

    seen: dict[int, str] = field(default_factory=dict)
    greeted: set[int] = field(default_factory=set)
    absent: list[str | None] = field(default_factory=list)
    _away: dict[Place, str] = field(default_factory=dict)
    _vain: set[Place] = field(default_factory=set)

    def missed(self, place: Place, silo: str) -> None:
        """Note that nothing usable came, though it was asked again or could not be."""
        self._away.setdefault(place, silo)
        self._vain.add(place)

    def worth_waiting(self, place: Place) -> bool:
        """Tell whether it may be waited for: not twice in vain, or a lost silo would hold up every round."""
        return place not in self._vain

    def arrived(self, silo: str) -> str | None:
        """Strike a silo off the absent ones; return its name there (empty: none), or None if it is not."""
        name = silo if silo in self.absent else None
        if name not in self.absent:
            return None
        self.absent.remove(name)
        return name or ""

    def answered(self, place: Place) -> dict[Place, str]:
        """Note an answer; return what ends with it, each with the name under which the silo was missed.

        An answer before ``retrain`` ends every absence of the node, as all arms begin anew after it.
        """
        node, arm = place
        ended = {p: s for p, s in self._away.items() if p[0] == node and (arm is None or p[1] in (arm, None))}
        for found in ended:
            del self._away[found]
        self._vain -= {found for found in self._vain if found[0] == node and arm in (None, found[1])}
        return ended
