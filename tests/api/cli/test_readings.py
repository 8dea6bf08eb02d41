"""A message that fails while it is read is told once, whoever hears of it first."""

from __future__ import annotations

from typing import Any

from peerix import TransferAborted
from peerix.cli.readings import Readings


class Message:
    """As much of a message as matters."""

    def __init__(self, failure: TransferAborted | None = None) -> None:
        self.failure = failure


def message(failure: TransferAborted | None = None) -> Any:
    return Message(failure)


def test_the_failure_of_a_message_is_told_by_its_reader_while_it_reads() -> None:
    readings, failed = Readings(), message()
    readings.begin(failed)
    failed.failure = TransferAborted("aborted")
    assert readings.tell(failed.failure)


def test_the_failure_of_a_message_is_told_by_its_reader_who_was_first() -> None:
    readings, failed = Readings(), message(TransferAborted("aborted"))
    readings.begin(failed)
    readings.end(failed)
    assert readings.tell(failed.failure)


def test_a_failure_of_what_nobody_reads_is_told_by_others() -> None:
    readings = Readings()
    readings.begin(message(TransferAborted("aborted")))
    assert not readings.tell(TransferAborted("aborted"))
