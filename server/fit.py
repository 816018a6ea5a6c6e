# SPDX-License-Identifier: Apache-2.0
"""Whether an answer is one to the question: a check of what the message alone cannot know."""

from tailweave.protocols.features import FeatureMap
from tailweave.protocols.messages import Message, Retrain, RetrainReply, Summarise, SummariseReply
from tailweave.protocols.records import MessageError
from tailweave.protocols.references import read_summary


def check_fit(question: Message, answer: Message) -> None:
    """Refuse a summary for another reference, or metrics of another span, than were asked for.

    Raises:
        MessageError: If the answer does not fit the question.
    """
    if isinstance(answer, SummariseReply) and isinstance(question, Summarise):
        _check_reference(question, answer)
    if isinstance(answer, RetrainReply) and isinstance(question, Retrain):
        _check_span(question, answer)


def _check_reference(question: Summarise, answer: SummariseReply) -> None:
    if (answer.reference, answer.privacy) != (question.reference, question.privacy):
        raise MessageError("the summary is for another reference or other privacy bounds than were asked for")
    dimension = FeatureMap.from_arrays(question.part("features")).dimension
    try:
        read_summary(answer.arrays, answer.reference, dimension, exact=answer.privacy.epsilon is None)
    except ValueError as error:
        raise MessageError(str(error)) from None


def _check_span(question: Retrain, answer: RetrainReply) -> None:
    asked = (question.arm.name, question.start, question.stop)
    if (answer.arm, answer.start, answer.stop) != asked:
        raise MessageError(
            f"generations {answer.start} to {answer.stop} of arm {answer.arm}, asked for {question.start} to "
            f"{question.stop} of {question.arm.name}"
        )
    if not answer.kept and bool(answer.names) != question.measured:
        asked_for = "some were asked for" if question.measured else "none were asked for"
        raise MessageError(f"brings {len(answer.names)} metrics, {asked_for}")
