# SPDX-License-Identifier: Apache-2.0
"""One arm on one node: what is asked, which rows it may see, and where its state is."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tailweave.clients.features import received_features
from tailweave.clients.metrics import Yardstick, yardstick
from tailweave.clients.metrics.of_table import TableTruth
from tailweave.clients.metrics.text.choices import Question, read_lines
from tailweave.clients.node import Node
from tailweave.clients.owner_report import REPORT, OwnerReport
from tailweave.clients.release.experiments import HELD_OUT, own_rows_seen
from tailweave.clients.samples import TEXT, Samples, Sort
from tailweave.protocols.arrays import matrix
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.messages import Retrain
from tailweave.protocols.texts import unpacked


@dataclass(frozen=True)
class ArmRun:
    """One arm on this node.

    Attributes:
        node: The silo.
        question: What is asked.
        features: The map into the space of selection.
    """

    node: Node
    question: Retrain
    features: FeatureMap

    @property
    def simulated(self) -> bool:
        """Whether the node is one of a simulation, where rows are nobody's."""
        return self.node.truth is not None

    @cached_property
    def seen(self) -> tuple[str, ...]:
        """Where the arm sees own rows that somebody wants to keep; none in simulation."""
        return () if self.simulated else own_rows_seen(self.question)

    @property
    def told(self) -> bool:
        """Whether the server is told the numbers."""
        return not self.seen or self.node.policy.allow_own_metrics

    @property
    def own_rows(self) -> Samples | None:
        """The silo's rows; None for an arm that sees no own rows."""
        return self.node.silo.train if self.simulated or self.seen else None

    @property
    def learnt_rows(self) -> Samples | None:
        """Those of the silo's rows that a model can learn from: with labels where it learns labels."""
        rows = self.own_rows
        return rows.labelled if rows is not None and self.question.generator.labels else rows

    @property
    def sort(self) -> Sort:
        """What a sample is; without the names of its columns for an arm that looks at no own rows."""
        own = self.node.silo.train.sort
        return own if self.simulated or self.seen else own.anonymous()

    @cached_property
    def space(self) -> FeatureMap:
        """The map in which generations are measured: its own, or that of the selection."""
        parts = self.question.part("evaluation")
        return received_features(parts) if parts else self.features

    def of_public(self, training: Samples | None) -> bool:
        """Tell whether samples are the simulation's public ones themselves, the same for all its silos."""
        return self.node.truth is not None and training is self.node.truth.public

    @property
    def public_truth(self) -> bool:
        """Whether the question brings public rows to measure against."""
        return bool(self.question.part(HELD_OUT))

    @cached_property
    def ruler(self) -> Yardstick:
        """What the arm is measured by; a simulation knows the truth and needs nothing sent.

        Raises:
            ValueError: If what was sent is no matrix of the space's columns, or no truth to measure by.
        """
        if self.simulated or not self.public_truth:
            return self.own_ruler
        public = self.question.part(HELD_OUT)
        beside = "rows" if self.sort.name == "table" else "texts"
        if not {"features"} <= set(public) <= {"features", beside}:
            raise ValueError(
                f"held-out must be array features, or with {beside}, got {', '.join(sorted(public))}"
            )
        features = matrix(public["features"], "held-out/features", columns=self.space.dimension)
        ruler = yardstick(features, None)
        if "rows" in public:
            rows = Samples.of(public["rows"], sort=self.sort)
            return replace(ruler, samples=rows, table=TableTruth.of(rows))
        if "texts" not in public:
            return ruler
        return replace(ruler, samples=Samples.of(unpacked(public["texts"]), sort=TEXT))

    @cached_property
    def own_ruler(self) -> Yardstick:
        """The yardstick of the silo's own held-out rows; in simulation of the truth's."""
        return self.node.yardstick(self.space, self.question.seed)

    @cached_property
    def questions(self) -> list[Question]:
        """Multiple-choice questions that the server sent; raises ``ValueError`` if they are none."""
        sent = self.question.part("choices")
        return read_lines(unpacked(sent["questions"]), "choices") if "questions" in sent else []

    @property
    def arm_folder(self) -> Path:
        """Where this arm's state is."""
        run = self.node.state / self.question.run / f"seed-{self.question.seed}"
        return run / self.node.silo.name / self.question.arm.name

    @property
    def folder(self) -> Path:
        """Where its models are: apart where own rows are in them, so that nothing else goes on from them."""
        return self.arm_folder / "own" if self.seen else self.arm_folder

    @property
    def report(self) -> OwnerReport:
        """The owner's report on this arm."""
        question = self.question
        path = (
            self.node.state / question.run / REPORT / f"seed-{question.seed}" / f"{question.arm.name}.jsonl"
        )
        about = {"arm": question.arm.name, "seed": question.seed, "silo": self.node.silo.name}
        return OwnerReport(path, {**about, "told": self.told, "seen": list(self.seen)})
