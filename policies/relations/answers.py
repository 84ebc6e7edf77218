"""Answers that know which model gave them, for the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.model import Question


class Answers(Mapping[Question, bool]):
    """Question → related or not. model: id of the model that all were answered by."""

    __slots__ = ("_answers", "model")

    def __init__(self, answers: Mapping[Question, bool], *, model: str) -> None:
        self._answers = dict(answers)
        self.model = model

    def __getitem__(self, question: Question) -> bool:
        return self._answers[question]

    def __iter__(self) -> Iterator[Question]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)
