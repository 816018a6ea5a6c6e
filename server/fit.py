# SPDX-License-Identifier: Apache-2.0
"""Whether an answer is one to the question: a check of what the message alone cannot know."""

from protocols.features import FeatureMap
from protocols.messages import Message, Retrain, RetrainReply, Summarise, SummariseReply
from protocols.records import MessageError
from protocols.references import read_summary
from server.record import KEYS


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
    rows, wanted = len(answer.arrays["values"]), question.stop - question.start + 1
    if (answer.arm, answer.start, rows) != (question.arm.name, question.start, wanted):
        raise MessageError(
            f"{rows} generations of arm {answer.arm} from {answer.start} on, asked for {wanted} of "
            f"{question.arm.name} from {question.start} on"
        )
    taken = [name for name in answer.names if name in KEYS]
    if taken:
        raise MessageError(f"metric names must not be {', '.join(KEYS)}, got {', '.join(taken)}")
