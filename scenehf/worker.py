"""Puts the floors together: what the app and the command line run on, and what the worker process answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobs.archive import Archive
from jobs.context import Context
from jobs.host import Host as WorkerHost
from jobs.runner import Runner
from jobs.store import Store
from models.errors import ModelError
from models.pool import Pool
from models.runtime import weights
from models.spec import Host
from scenehf.settings import Settings
from scenehf.workflows import extract, gaze, make

UNITS = "scenehf.worker:units"
ABOUT = "about"  # the unit that tells which models are loaded
WORKFLOWS: dict[str, Callable[[Context], None]] = {
    extract.KIND: extract.run,
    gaze.KIND: gaze.run,
    make.KIND: make.run,
}


def units() -> dict[str, Callable[..., Any]]:
    """Every unit of work by name; called once inside the worker process."""
    from scenehf.workflows import scene_units
    from scenehf.workflows.gaze_units import GazeUnits
    from scenehf.workflows.layer_units import LayerUnits
    from scenehf.workflows.make_units import MakeUnits

    pool = Pool(Host(weights=Settings().weights))
    return (
        LayerUnits(pool).table()
        | GazeUnits(pool).table()
        | MakeUnits(pool).table()
        | {
            ABOUT: lambda params, files, run: ({"models": pool.loaded()}, {}),
            "layers.assemble": scene_units.assemble,
            "layers.export": scene_units.export,
        }
    )


@dataclass
class Services(AbstractContextManager["Services"]):
    """The store of one data directory, the runner that works on it, and where finished jobs are put as well."""

    store: Store
    runner: Runner
    host: WorkerHost
    archive: Archive | None = None

    def loaded(self) -> list[str] | None:
        """The models in the worker process; None while it is busy. Takes no time."""
        if self.host.pid is None:
            return []
        told = self.host.peek(ABOUT)
        return None if told is None else list(told["models"])

    def __enter__(self) -> Self:
        self.runner.start()
        if self.archive:
            self.archive.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runner.stop()
        if self.archive:
            self.archive.stop()
        self.host.close()
        self.store.close()


def build(settings: Settings) -> Services:
    """Services over the data directory of `settings`; nothing runs until they are entered."""
    log = Path(settings.logs) / "worker.log"
    store, host = _on_zero_gpu(settings, log) if settings.zero_gpu else _here(settings, log)
    archive = Archive(store, settings.archive) if settings.archive else None
    return Services(store, Runner(store, WORKFLOWS, host), host, archive)


def furnish(settings: Settings) -> str:
    """Fetch the starter weights where they are missing; why that was not possible, "" if all is well."""
    try:
        weights.pull("starter", settings.weights, lambda fraction, message: None)
    except ModelError as error:
        return f"Going on without the starter weights: people and faces will not be found. {error}"
    return ""


def _here(settings: Settings, log: Path) -> tuple[Store, WorkerHost]:
    return Store(settings.store), WorkerHost(UNITS, log=log)


def _on_zero_gpu(settings: Settings, log: Path) -> tuple[Store, WorkerHost]:
    from scenehf.zerogpu import TicketStore, ZeroHost  # patches torch before anybody imports it

    store = TicketStore(settings.store)
    return store, ZeroHost(UNITS, store, log=log)
