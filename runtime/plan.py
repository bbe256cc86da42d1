"""What is to run, and in which order: plain data and decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from consortium.errors import RetryableError
from runtime.process import Command


class UnhealthyError(RetryableError):
    """A service did not pass its check; the text says how, for a person."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Service:
    """One thing that is started, watched and asked."""

    name: str
    check: Callable[[], str]
    """Asks the service for real; returns what is worth telling or raises `UnhealthyError`."""
    command: Callable[[], Command] | None = None
    """How it is started; None for a server that somebody else runs: it is only asked."""
    requires: tuple[str, ...] = ()
    """Services and jobs that must be healthy or done before it starts."""
    prepare: Callable[[], None] = _nothing
    """Done before each start; may raise `SetupError`."""
    url: str = ""
    interval: float = 5.0
    """Seconds between checks once it is healthy."""
    patience: float = 120.0
    """Seconds it may take to become healthy, or later be unhealthy, before it is restarted."""
    optional: bool = False
    """Whether the platform is healthy, and `up` done, without it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One step that is done once in a start: making databases, bringing a schema to the newest version."""

    name: str
    run: Callable[[], None]
    """May raise `SetupError`; it is tried again with backoff."""
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All services and jobs of a start."""

    services: tuple[Service, ...]
    jobs: tuple[Job, ...] = ()

    @property
    def requirements(self) -> Mapping[str, tuple[str, ...]]:
        """What each service and job waits for, by name."""
        services = {service.name: service.requires for service in self.services}
        return services | {job.name: job.requires for job in self.jobs}

    def only(self, names: Iterable[str]) -> Plan:
        """Return the part of the plan that these names need. Raises `ValueError` for an unknown one."""
        wanted: set[str] = set()
        left = list(names)
        if unknown := set(left) - self.requirements.keys():
            raise ValueError(f"not in the plan: {', '.join(sorted(unknown))}")
        while left:
            name = left.pop()
            wanted.add(name)
            left.extend(self.requirements[name])
        return Plan(
            tuple(service for service in self.services if service.name in wanted),
            tuple(job for job in self.jobs if job.name in wanted),
        )


@dataclass(slots=True)
class Condition:
    """How one service or job stands now."""

    state: str = "waiting"
    """waiting, preparing, starting, healthy, unhealthy, backoff, stopping, stopped; done for a job."""
    detail: str = ""
    error: str = ""
    """The last failure, kept until it is healthy again."""
    failures: int = 0
    """Failures in a row."""
    restarts: int = 0
    """Starts after the first one."""
    since: float = 0.0
    """Unix time at which it came into its state."""
    pid: int = 0
    job: bool = False
    optional: bool = False
    url: str = ""
    members: list[tuple[int, int]] = field(default_factory=list)
    """Its processes: id and start time."""

    @property
    def ready(self) -> bool:
        """Whether what requires it may start."""
        return self.state in {"healthy", "done"}


def levels(requirements: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the names in order of start: each level needs only earlier ones, and may start side by side.

    Raises `ValueError` on a circle or a requirement that is not in the plan.
    """
    left = {name: set(needs) for name, needs in requirements.items()}
    unknown = {need for needs in left.values() for need in needs} - left.keys()
    if unknown:
        raise ValueError(f"required but not in the plan: {', '.join(sorted(unknown))}")
    ordered: list[list[str]] = []
    while left:
        level = sorted(name for name, needs in left.items() if not needs)
        if not level:
            raise ValueError(f"these require each other in a circle: {', '.join(sorted(left))}")
        ordered.append(level)
        left = {name: needs - set(level) for name, needs in left.items() if name not in level}
    return ordered
