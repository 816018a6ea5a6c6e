# SPDX-License-Identifier: Apache-2.0
"""The whole experiment: the root of the configuration tree that both apps and the command line read."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.data import DataSpec, PublicSpec, SilosSpec
from tailweave.protocols.config.features import FeaturesSpec
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.references import ReferenceSpec
from tailweave.protocols.config.rules import (
    RuleSpec,
    check_candidates,
    check_labels,
    check_pool,
    check_reference,
    check_scores,
)
from tailweave.protocols.config.starts import check_parameter_release
from tailweave.protocols.config.training import GeneratorSpec, Paradigm, RecursionSpec
from tailweave.protocols.kinds.features.plain import Identity
from tailweave.protocols.kinds.generators.base import GeneratorKind
from tailweave.protocols.kinds.partitions.natural import natural_count
from tailweave.protocols.kinds.references.base import SummarisedReference

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
PaperPage = Literal["biased-verification", "crossed", "concentration"]
"""Experiments of arXiv 2606.13732, the last of 2410.12341, with a page "published against reproduced"."""


class ArmSpec(Spec):
    """One way of selecting: a rule, and the reference that it compares with.

    ``epsilon`` lets one arm differ from ``privacy.epsilon``, so that a run can compare several; ``paradigm``
    and ``include-real`` do the same for ``recursion`` (null: as there), and ``generator`` for those of its
    options that do not change the public base, such as a language model's ``temperature``.
    """

    name: Name
    rule: RuleSpec
    reference: ReferenceSpec | None = None
    epsilon: Annotated[float, Field(gt=0.0, le=100.0)] | Literal["as-configured"] | None = "as-configured"
    paradigm: Paradigm | None = None
    include_real: bool | None = None
    generator: dict[str, Any] = {}

    @model_validator(mode="after")
    def _rule_and_reference_agree(self) -> Self:
        check_reference(self.rule, self.reference, looked_at=bool(self.generator))
        return self


class FederationSpec(Spec):
    """How few silos a run may go on with (null: two, or one where there is one), and how long it waits.

    Answers are waited for until the deadline, a silo that is not connected for ``return_seconds``.
    A message covers ``generations_per_message`` (null: all of them, and 5 in process).
    No silo weighs more than ``weight_cap`` of a reference (1 / K where K silos are fewer; null: no cap).
    A silo whose summary lies far from all others is in quarantine, not counted in the reference, unless
    ``trusted`` names it (or says all): silos that alone hold a mode look like that, and so do liars.
    """

    min_clients: Annotated[int, Field(ge=1)] | None = None
    deadline_seconds: Annotated[float, Field(gt=0.0)] = 3600.0
    return_seconds: Annotated[float, Field(ge=0.0)] = 180.0
    generations_per_message: Annotated[int, Field(ge=1)] | None = None
    weight_cap: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.25
    trusted: tuple[Name, ...] | Literal["all"] = ()

    def trusts(self, silo: str) -> bool:
        """Tell whether a person vouches for a silo that looks odd."""
        return self.trusted == "all" or silo in self.trusted


class EvaluationSpec(Spec):
    """How many fresh samples of each generation are compared with the held-out truth (null: as many).

    ``features`` measures in another space than the one in which rules select (null: in the same).
    ``against: data`` gives real silos the held-out rows of ``data`` as their truth. ``against: own`` leaves
    each to its own, among which nothing is that it has never seen, and which are its owner's: the server is
    told such numbers only where that owner's policy says so. A simulation always has those of ``data``.
    ``choices`` is a file of multiple-choice questions that a language model answers each generation: JSON
    lines with HellaSwag's keys ``ctx``, ``endings`` and ``label``.
    """

    samples: Annotated[int, Field(ge=20, le=20_000)] | None = None
    features: FeaturesSpec | None = None
    against: Literal["data", "own"] = "data"
    choices: Annotated[str, Field(min_length=1)] | None = None

    def anchored(self, folder: Path) -> Self:
        """Return the same with a relative path taken from ``folder``, that of the experiment."""
        if self.choices is None or Path(self.choices).is_absolute():
            return self
        return self.model_copy(update={"choices": str((folder / self.choices).resolve())})


class Experiment(Spec):
    """One experiment: arms x seeds on one federation of silos.

    ``keep_mib`` is how many MiB of final models and selected samples a simulation's run folder keeps for
    ``tailweave export``, first seeds first; 0 keeps none. Real silos keep theirs themselves.
    """

    name: Name
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = (0, 1, 2)
    data: DataSpec
    features: FeaturesSpec = Field(default_factory=Identity)
    silos: SilosSpec
    public: PublicSpec = Field(default_factory=PublicSpec)
    generator: GeneratorSpec
    recursion: RecursionSpec
    arms: Annotated[tuple[ArmSpec, ...], Field(min_length=1)]
    privacy: PrivacySpec = Field(default_factory=PrivacySpec)
    federation: FederationSpec = Field(default_factory=FederationSpec)
    evaluation: EvaluationSpec = Field(default_factory=EvaluationSpec)
    keep_mib: Annotated[int, Field(ge=0)] = 128
    paper: PaperPage | None = None

    @model_validator(mode="before")
    @classmethod
    def _silos_as_they_come(cls, raw: object) -> object:
        silos = raw.get("silos") if isinstance(raw, dict) else None
        if not isinstance(raw, dict) or not isinstance(silos, dict) or "count" in silos:
            return raw
        count = natural_count(silos.get("partition"), raw.get("data"))
        return raw if count is None else {**raw, "silos": {"count": count, **silos}}

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_or_list(cls, raw: object) -> object:
        if isinstance(raw, bool):
            raise ValueError("seeds must be a count or a list of seeds, got a boolean")
        if isinstance(raw, int):
            if raw < 1:
                raise ValueError(f"a count of seeds must be at least 1, got {raw}")
            return tuple(range(raw))
        return raw

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) != len(seeds):
            raise ValueError(f"seeds must be one or more different integers, got {list(seeds)}")
        return seeds

    @field_validator("arms")
    @classmethod
    def _arms_differ(cls, arms: tuple[ArmSpec, ...]) -> tuple[ArmSpec, ...]:
        names = [arm.name for arm in arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"arm names must differ, found twice: {', '.join(twice)}")
        return arms

    @property
    def min_clients(self) -> int:
        """Fewest silos that the run goes on with."""
        return self.federation.min_clients or min(2, self.silos.count)

    def privacy_of(self, arm: ArmSpec) -> PrivacySpec:
        """Return the bounds under which silos release summaries for this arm."""
        if arm.epsilon == "as-configured":
            return self.privacy
        return self.privacy.model_copy(update={"epsilon": arm.epsilon})

    def recursion_of(self, arm: ArmSpec) -> RecursionSpec:
        """Return the recursion of this arm: the experiment's own, with what the arm changes."""
        changed = {"paradigm": arm.paradigm, "include_real": arm.include_real}
        update = {key: value for key, value in changed.items() if value is not None}
        return self.recursion.model_copy(update=update)

    def generator_of(self, arm: ArmSpec) -> GeneratorKind:
        """Return the generator of this arm: the experiment's own, with what the arm changes."""
        return self.generator.varied(arm.generator) if arm.generator else self.generator

    @model_validator(mode="after")
    def _generators_differ_as_they_may(self) -> Self:
        for arm in self.arms:
            try:
                self.generator_of(arm)
            except ValueError as error:
                raise ValueError(f"arm {arm.name}: {error}") from None
        return self

    @model_validator(mode="after")
    def _noise_fits_aggregate(self) -> Self:
        for arm in self.arms:
            noised = self.privacy_of(arm).epsilon is not None
            if noised and isinstance(arm.reference, SummarisedReference) and arm.reference.unnoised:
                raise ValueError(f"arm {arm.name}: {arm.reference.unnoised}")
        return self

    @model_validator(mode="after")
    def _raw_rows_only_where_allowed(self) -> Self:
        for arm in self.arms:
            if arm.reference is None or not arm.reference.leaks:
                continue
            leak = f"arm {arm.name}: reference {arm.reference.kind} {arm.reference.leaks}"
            if not self.privacy.allow_raw_row_leakage:
                raise ValueError(
                    f"{leak}; where these rows are nobody's secret, say privacy.allow-raw-row-leakage: true"
                )
            if self.privacy_of(arm).epsilon is not None:
                raise ValueError(f"{leak}: no epsilon holds; set epsilon: null for this arm")
        return self

    @model_validator(mode="after")
    def _parameters_only_where_allowed(self) -> Self:
        epsilons = [(arm.name, self.privacy_of(arm).epsilon) for arm in self.arms]
        check_parameter_release(self.generator, self.privacy, epsilons)
        return self

    @model_validator(mode="after")
    def _masks_fit(self) -> Self:
        if not self.privacy.secure_aggregation:
            return self
        honest = self.privacy.honest_silos or 0
        if honest > self.silos.count:
            raise ValueError(f"privacy.honest-silos is {honest} but there are only {self.silos.count} silos")
        for arm in self.arms:
            found = _unmaskable(arm, self.privacy_of(arm))
            if found:
                raise ValueError(
                    f"arm {arm.name}: privacy.secure-aggregation: true allows arms that release nothing, and "
                    f"kind: sliced with aggregate: mixture and epsilon set; got {found}"
                )
        return self

    @model_validator(mode="after")
    def _kinds_take_the_samples(self) -> Self:
        given = self.data.gives
        specs = {
            "generator": self.generator,
            "features": self.features,
            "evaluation.features": self.evaluation.features,
            "silos.partition": self.silos.partition,
        }
        asked = [(f"{key}: kind {kind.kind}", kind.takes) for key, kind in specs.items() if kind is not None]
        asked += [(f"arm {arm.name}: rule {arm.rule.kind}", arm.rule.takes) for arm in self.arms]
        wrong = [
            f"{name} takes samples of sort {', '.join(takes)}" for name, takes in asked if given not in takes
        ]
        if self.evaluation.choices is not None and given != "text":
            wrong.append("evaluation.choices: questions are for samples of sort text")
        if wrong:
            raise ValueError(f"{'; '.join(wrong)}; data gives {given} (source {self.data.source})")
        return self

    @model_validator(mode="after")
    def _partition_fits_the_source(self) -> Self:
        if wrong := self.silos.partition.misfit(self.data):
            raise ValueError(f"silos.partition: {self.silos.partition.kind}: {wrong}")
        return self

    @model_validator(mode="after")
    def _rules_have_what_they_need(self) -> Self:
        for arm in self.arms:
            recursion, generator = self.recursion_of(arm), self.generator_of(arm)
            try:
                check_reference(arm.rule, arm.reference, looked_at=generator.looks_at_reference)
                check_labels(arm.rule, generator, weighs_labels=self.features.label_weight is not None)
                check_candidates(arm.rule, recursion.candidates)
                check_pool(arm.rule, recursion.paradigm, include_real=recursion.include_real)
                check_scores(arm.rule, f"generator {self.generator.kind}", self.generator.scores)
            except ValueError as error:
                raise ValueError(f"arm {arm.name}: {error}") from None
        return self

    @model_validator(mode="after")
    def _enough_silos(self) -> Self:
        if self.min_clients > self.silos.count:
            raise ValueError(
                f"federation.min-clients is {self.federation.min_clients} but there are only "
                f"{self.silos.count} silos"
            )
        return self


def _unmaskable(arm: ArmSpec, privacy: PrivacySpec) -> str | None:
    """Say why this arm's summaries cannot be summed under masks, or None if they can or there are none.

    An arm without noise is refused too: sent without masks it would show the server, for the sake of a
    comparison, the very sketches that the other arms hide.
    """
    if arm.reference is None or arm.reference.sees != "releases":
        return None
    if arm.reference.unsummable is None and privacy.epsilon is None:
        return "epsilon: null (make the comparison without noise an experiment of its own)"
    return arm.reference.unsummable
