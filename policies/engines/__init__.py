"""Rego engines: the port and its values."""

from policies.engines.port import (
    Evaluation,
    FailureKind,
    PolicyEngine,
    PolicyFailure,
    PolicyQuery,
    PolicyValues,
    TestCase,
    TestReport,
)

__all__ = [
    "Evaluation",
    "FailureKind",
    "PolicyEngine",
    "PolicyFailure",
    "PolicyQuery",
    "PolicyValues",
    "TestCase",
    "TestReport",
]
