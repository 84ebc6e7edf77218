"""The builders of targets: a part of `gateway.wiring`, apart because each orchestrator has settings of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, assert_never

from gateway.errors import ConfigurationWrong

if TYPE_CHECKING:
    from gateway.config_targets import TargetSettings, TemporalSettings
    from providers.targets import Target
    from providers.targets.temporal import Tls


def build_target(settings: TargetSettings) -> Target:
    """The adapter of a target. Raises ConfigurationWrong for a file that cannot be read, or an SDK that is not installed."""
    match settings.orchestrator:
        case "temporal":
            return _temporal_target(settings)
        case "memory":
            from providers.targets.memory import MemoryTarget

            return MemoryTarget(settings.name, settings.workflows, automatic=True)
    assert_never(settings.orchestrator)


def _temporal_target(settings: TemporalSettings) -> Target:
    from gateway.config_parts import current

    try:
        from providers.targets.temporal import TemporalTarget
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] != "temporalio":
            raise
        raise ConfigurationWrong(
            f"target '{settings.name}': Temporal's SDK is not installed", advice="run: pip install 'admittance[temporal]'"
        ) from problem
    key = settings.api_key
    return TemporalTarget(
        settings.name,
        address=settings.address,
        namespace=settings.namespace,
        task_queue=settings.task_queue,
        workflows=settings.workflows,
        tls=_tls(settings),
        api_key=None if key is None else partial(current, key),
        web_url=settings.web_url,
        timeout=settings.timeout,
    )


def _tls(settings: TemporalSettings) -> Callable[[], Tls] | None:
    """Reads certificates when it is called: they may have been renewed since the start."""
    from gateway.config_parts import current
    from gateway.config_targets import TemporalTls
    from providers.errors import AccessRefused
    from providers.targets.temporal import Tls

    wanted = settings.api_key is not None if settings.tls is None else settings.tls
    if wanted is False:
        return None
    tls = wanted if isinstance(wanted, TemporalTls) else TemporalTls()

    def read() -> Tls:
        try:
            return Tls(
                ca=None if tls.ca is None else tls.ca.read_bytes(),
                certificate=None if tls.certificate is None else tls.certificate.read_bytes(),
                key=None if tls.key is None else current(tls.key).encode(),
                server_name=tls.server_name,
            )
        except OSError as problem:
            raise AccessRefused(f"target '{settings.name}': {problem.filename} cannot be read: {problem.strerror}") from problem

    return read
