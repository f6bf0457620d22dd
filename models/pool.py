"""Loaded models of one process: check, load once, evict the least recently used, call."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeVar

from models.catalog import SPECS
from models.errors import OutOfMemory, UnknownModel
from models.requests import Loaded, Request, Run
from models.spec import Host, ModelSpec

Result = TypeVar("Result")


class Pool:
    """Lazy singletons. `budget`: how many MB of loaded models may stay in memory together."""

    def __init__(self, host: Host, specs: Sequence[ModelSpec] = SPECS, budget: int = 8000) -> None:
        self._host = host
        self._specs = {spec.id: spec for spec in specs}
        self._budget = budget
        self._loaded: OrderedDict[str, Loaded[Any, Any]] = OrderedDict()
        self._turn = threading.RLock()

    def spec(self, model_id: str) -> ModelSpec:
        """The spec with this id; raises UnknownModel."""
        try:
            return self._specs[model_id]
        except KeyError:
            raise UnknownModel(f"There is no model named {model_id!r}.") from None

    def __call__(self, model_id: str, request: Request[Result], run: Run) -> Result:
        """Answer `request` with the model `model_id`, loading it first if need be; one call at a time."""
        spec = self.spec(model_id)
        spec.check(request)
        with self._turn:
            run.check()
            try:
                return self._answer(spec, request, run)
            except (OutOfMemory, MemoryError):
                run.log(f"{spec.title} ran out of memory; trying once more with nothing else loaded.")
                self._loaded.clear()
                gc.collect()
            try:
                return self._answer(spec, request, run)
            except MemoryError as error:
                raise OutOfMemory(f"There is not enough memory for {spec.title}.") from error

    def _answer(self, spec: ModelSpec, request: Request[Result], run: Run) -> Result:
        model: Loaded[Request[Result], Result] = self._ready(spec, run)
        return model(request, run)

    def _ready(self, spec: ModelSpec, run: Run) -> Loaded[Any, Any]:
        if spec.id not in self._loaded:
            while self._loaded and self._resident() + spec.memory > self._budget:
                self._loaded.popitem(last=False)
            run.log(f"Loading {spec.title}")
            self._loaded[spec.id] = spec.load(self._host)
        self._loaded.move_to_end(spec.id)
        return self._loaded[spec.id]

    def _resident(self) -> int:
        return sum(self._specs[model_id].memory for model_id in self._loaded)
