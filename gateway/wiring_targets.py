"""The builders of targets: a part of `gateway.wiring`, apart because each orchestrator has settings of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, assert_never

from gateway.config_parts import current
from gateway.errors import ConfigurationWrong

if TYPE_CHECKING:
    from gateway.config_targets import (
        AirflowSettings,
        ArgoSettings,
        DagsterSettings,
        PrefectSettings,
        TargetSettings,
        TemporalSettings,
    )
    from providers.targets import Target
    from providers.targets.temporal import Tls


def build_target(settings: TargetSettings) -> Target:
    """The adapter of a target. Raises ConfigurationWrong for a file that cannot be read, or an SDK that is not installed."""
    try:
        return _target(settings)
    except OSError as problem:  # certificates; ssl's own errors among them
        raise ConfigurationWrong(f"target '{settings.name}': its certificates cannot be used: {problem}") from problem


def _target(settings: TargetSettings) -> Target:
    match settings.orchestrator:
        case "temporal":
            return _temporal_target(settings)
        case "argo":
            return _argo_target(settings)
        case "airflow":
            return _airflow_target(settings)
        case "prefect":
            return _prefect_target(settings)
        case "dagster":
            return _dagster_target(settings)
        case "memory":
            from providers.targets.memory import MemoryTarget

            return MemoryTarget(settings.name, settings.workflows, automatic=True)
    assert_never(settings.orchestrator)


def _temporal_target(settings: TemporalSettings) -> Target:
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


def _argo_target(settings: ArgoSettings) -> Target:
    from providers.targets.argo import ArgoTarget
    from providers.targets.http import Token

    token = settings.token
    return ArgoTarget(
        settings.name,
        url=settings.url,
        namespace=settings.namespace,
        credentials=None if token is None else Token(partial(current, token)),
        workflows=settings.workflows,
        web_url=settings.web_url,
        timeout=settings.timeout,
        ca=settings.ca,
    )


def _airflow_target(settings: AirflowSettings) -> Target:
    from providers.targets.airflow import AirflowTarget, logging_in
    from providers.targets.http import Credentials, Token

    name, url, timeout, ca = settings.name, settings.url, settings.timeout, settings.ca
    credentials: Credentials | None = None
    if settings.token is not None:
        credentials = Token(partial(current, settings.token))
    elif settings.user is not None and settings.password is not None:
        credentials = logging_in(name, url=url, user=settings.user, password=partial(current, settings.password), timeout=timeout, ca=ca)
    return AirflowTarget(
        name, url=url, credentials=credentials, workflows=settings.workflows, web_url=settings.web_url, timeout=timeout, ca=ca
    )


def _prefect_target(settings: PrefectSettings) -> Target:
    from providers.targets.http import Basic, Credentials, Token
    from providers.targets.prefect import PrefectTarget

    credentials: Credentials | None = None
    if settings.token is not None:
        credentials = Token(partial(current, settings.token))
    elif settings.user is not None and settings.password is not None:
        credentials = Basic(settings.user, partial(current, settings.password))
    return PrefectTarget(
        settings.name,
        url=settings.url,
        credentials=credentials,
        workflows=settings.workflows,
        web_url=settings.web_url,
        timeout=settings.timeout,
        ca=settings.ca,
    )


def _dagster_target(settings: DagsterSettings) -> Target:
    from providers.targets.dagster import DagsterTarget, Job
    from providers.targets.http import Token

    token = settings.token
    return DagsterTarget(
        settings.name,
        url=settings.url,
        location=settings.location,
        repository=settings.repository,
        credentials=None if token is None else Token(partial(current, token), header=settings.token_header, word=""),
        jobs={
            name: Job(name=job.job, input_at=tuple(job.input_at.split(".")) if job.input_at else ())
            for name, job in settings.workflows.items()
        },
        web_url=settings.web_url,
        timeout=settings.timeout,
        ca=settings.ca,
    )
