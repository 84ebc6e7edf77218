"""Rego engines: the port and its values, and the reserved package every engine adds to every bundle."""

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
from policies.engines.reserved import ADMIT_MODULE

__all__ = [
    "ADMIT_MODULE",
    "Evaluation",
    "FailureKind",
    "PolicyEngine",
    "PolicyFailure",
    "PolicyQuery",
    "PolicyValues",
    "TestCase",
    "TestReport",
]
