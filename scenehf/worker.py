"""Puts the floors together: what the app and the command line run on, and what the worker process answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobs.context import Context
from jobs.host import Host as WorkerHost
from jobs.runner import Runner
from jobs.store import Store
from models.pool import Pool
from models.spec import Host
from scenehf.settings import Settings
from scenehf.workflows import extract, gaze, make

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
            "layers.assemble": scene_units.assemble,
            "layers.export": scene_units.export,
        }
    )


@dataclass
class Services(AbstractContextManager["Services"]):
    """The store of one data directory and the runner that works on it."""

    store: Store
    runner: Runner
    host: WorkerHost

    def __enter__(self) -> Self:
        self.runner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.runner.stop()
        self.host.close()
        self.store.close()


def build(settings: Settings) -> Services:
    """Services over the data directory of `settings`; nothing runs until they are entered."""
    store = Store(settings.store)
    host = WorkerHost("scenehf.worker:units", log=Path(settings.logs) / "worker.log")
    return Services(store, Runner(store, WORKFLOWS, host), host)
