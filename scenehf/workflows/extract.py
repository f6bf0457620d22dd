"""The job kind `layers.extract`: plan, extract front to back, paint plates, assemble, export (see `making`)."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.context import Context
from jobs.errors import Paused
from jobs.job import Step as Attempt
from models.pool import Pool
from models.spec import Host
from scenehf.keys import KEYRING
from scenehf.layers.adjust import MOST
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import ExtractStep, Plan, PlateStep, StepId
from scenehf.layers.planners import OFFLINE, PLANNERS
from scenehf.settings import Settings
from scenehf.workflows.layer_units import LayerUnits
from scenehf.workflows.making import FINISHED, SOURCE, Files, Maker, Task, Unit, asset_name

KIND = "layers.extract"
PLAN, SCENE, EXPORT = "plan", "scene", "export"  # keys of the steps that no planner writes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Redo(_Strict):
    """How a step is to be done again. base: number of the attempt that is re-matted or refined. strokes: name of the
    asset with brush strokes (green keeps, red drops). feather, grow: px, see `layers.adjust`. edited: name of the asset
    that gives the base attempt's layer other colours. serial: counts requests, so that each is a new attempt."""

    mode: Literal["extract", "rematte", "refine", "edited"] = "extract"
    base: int | None = None
    strokes: str | None = None
    edited: str | None = None
    feather: Annotated[float, Field(ge=0, le=MOST)] = 0.0
    grow: Annotated[float, Field(ge=-MOST, le=MOST)] = 0.0
    serial: int = 0


class ExportOrder(_Strict):
    """What to write. edges: "faithful" layers add up to the photo; "clean" ones carry decontaminated colours."""

    formats: tuple[Literal["png", "zip", "psd", "ora", "tiff", "html"], ...] = ("zip",)
    edges: Literal["faithful", "clean"] = "faithful"


class Params(_Strict):
    """What a job of this kind is asked. confirmed: the person has seen the plan. headless: nobody watches, so
    results that need review are flagged and the run goes on. only: stop after this step."""

    name: Annotated[str, Field(max_length=200)] = "photo"
    engine: str = "local"
    planner: str = "offline"
    plan: Plan | None = None
    confirmed: bool = False
    headless: bool = False
    only: StepId | None = None
    redo: dict[StepId, Redo] = {}
    export: ExportOrder | None = None


def run(context: Context) -> None:
    """Take one picture apart. Raises Paused when a person is to look."""
    _Extraction(context).run()


class _Extraction:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._params = Params.model_validate(context.job.params)
        settings = Settings()
        self._maker = Maker(context, headless=self._params.headless, here=self._here, caps=settings.caps())
        # A pool of this run's own, so that it calls with the keys of whoever made the job.
        access = KEYRING.access(context.job.id, settings)
        self._units_here = LayerUnits(Pool(Host(weights=settings.weights, access=access))).table()
        self._chosen = self._maker.chosen
        self._do = self._maker.do

    def run(self) -> None:
        plan = self._plan()
        if not (self._params.confirmed or self._params.headless):
            raise Paused("The plan is ready: change it if you like, then run it.")
        total = len(plan.steps) + 2
        for position, step in enumerate(plan.steps, 1):
            self._do(self._task(plan, step), position, total)
            if self._params.only == step.id:
                raise Paused(f"Stopped after {step.name!r}, as asked.")
        self._do(self._scene(plan), total - 1, total)
        if self._params.export:
            self._do(self._export(plan, self._params.export), total, total)

    def _plan(self) -> Plan:
        if self._params.plan is not None:
            return self._params.plan
        plan = self._proposal(self._params.planner)
        self._params = self._params.model_copy(update={"plan": plan})
        self._context.set_params(self._params.model_dump(mode="json"))
        return plan

    def _proposal(self, planner: str) -> Plan:
        """What the planner proposes; where a service's came to nothing, what this computer's does, with a notice."""
        task = Task(PLAN, "Plan", "layers.plan", {"planner": planner}, {"image": self._path(SOURCE)})
        if planner == OFFLINE:
            return Plan.model_validate(self._do(task, 0, 8).result["plan"])
        attempt = self._maker.attempt(task, 0, 8)
        if attempt.state in FINISHED:
            return Plan.model_validate(attempt.result["plan"])
        why = (attempt.error or {}).get("message", "it gave no plan.")
        self._context.log(f"{PLANNERS[planner].title}: {why} This computer plans instead.")
        return self._proposal(OFFLINE)

    def _task(self, plan: Plan, step: ExtractStep | PlateStep) -> Task:
        files = {"image": self._base(plan, step)}
        redo = self._params.redo.get(step.id, Redo())
        params: dict[str, Any] = {
            "engine": self._params.engine,
            "prompt": step.prompt if "prompt" in ENGINES[self._params.engine].retries_with else "",
            # Without what is empty in every job that is older than it: their finished steps would be done again.
            "redo": redo.model_dump(exclude=set() if redo.edited else {"edited"}),
        }
        if isinstance(step, PlateStep):
            return Task(step.id, step.name, "layers.plate", params, files | self._alphas(step.removes))
        params |= {"box": step.box, "points": step.points}
        if redo.strokes:
            files["strokes"] = self._path(redo.strokes)
        if redo.edited:
            files["edited"] = self._path(redo.edited)
        if redo.base is not None:
            files["base"] = self._path(asset_name(step.id, redo.base, "alpha.png"))
        gone = {key for plate in plan.plates if plate.id in step.depends_on for key in plate.removes}
        others = [other for other in plan.extractions if other.id not in gone | {step.id}]
        around = {"avoid": [other.box for other in others if other.box], "coverage": step.checks.coverage}
        front = self._alphas([other.id for other in others if other.z > step.z])
        if files["image"] != (source := self._path(SOURCE)):
            front["source"] = source
        return Task(step.id, step.name, "layers.extract", params, files, (around, front))

    def _scene(self, plan: Plan) -> Task:
        files = {"source": self._path(SOURCE), **self._alphas([step.id for step in plan.extractions])}
        layers = []
        for step in plan.extractions:
            if f"alpha:{step.id}" not in files:
                continue
            attempt = self._chosen[step.id]
            files[f"cut:{step.id}"] = self._path(asset_name(step.id, attempt.attempt, "cut.png"))
            layers.append(
                {"id": step.id, "name": step.name, "z": step.z}
                | {axis: attempt.result[axis] for axis in ("x", "y")}
                | ({"edited": True} if attempt.result.get("edited") else {})
            )
        plate = self._chosen.get(plan.steps[-1].id) if plan.steps else None
        if layers and plate is not None and plate.state != "failed":
            files["plate"] = self._path(asset_name(plate.key, plate.attempt, "plate.png"))
        return Task(SCENE, "Scene", "layers.assemble", {"layers": layers}, files)

    def _export(self, plan: Plan, order: ExportOrder) -> Task:
        scene = self._chosen[SCENE]
        layers = scene.result["layers"]
        # With edited layers the scene adds up to the edited picture, no longer to the photo.
        whole = asset_name(SCENE, scene.attempt, "composite.png")
        is_edited = any(layer.get("edited") for layer in layers)
        files = {"source": self._path(whole if is_edited else SOURCE)}
        files["plate"] = self._path(asset_name(SCENE, scene.attempt, "plate.png"))
        for layer in layers:
            step = self._chosen[layer["id"]]
            clean, faithful = (step.key, step.attempt, "cut.png"), (SCENE, scene.attempt, f"{step.key}.png")
            name = asset_name(*(clean if order.edges == "clean" else faithful))
            files[f"layer:{layer['id']}"] = self._path(name)
            if "painted" in step.result:
                files[f"painted:{step.key}"] = self._path(asset_name(step.key, step.attempt, "painted.png"))
        params = {"formats": order.formats, "layers": layers, "documents": self._documents(plan)}
        return Task(EXPORT, "Export", "layers.export", params, files)

    def _documents(self, plan: Plan) -> dict[str, Any]:
        job = self._context.job
        report = report_of(plan, self._chosen)
        described = {"id": job.id, "kind": job.kind, "title": job.title, "created": job.created}
        settings = self._params.model_dump(mode="json", exclude={"plan", "export"})
        return {
            "plan.json": plan.model_dump(mode="json"),
            "job.json": described | {"params": settings},
            "report.json": report,
        }

    def _base(self, plan: Plan, step: ExtractStep | PlateStep) -> Path:
        """The picture a step works on: the last plate it depends on, else the source."""
        plates = {plate.id for plate in plan.plates}
        for needed in reversed(step.depends_on):
            attempt = self._chosen.get(needed)
            if needed in plates and isinstance(step, ExtractStep) and attempt and attempt.state != "failed":
                return self._path(asset_name(needed, attempt.attempt, "plate.png"))
        return self._path(SOURCE)

    def _alphas(self, step_ids: list[str] | tuple[str, ...]) -> Files:
        """Alpha of each extraction that has one; a failed step has none and is left out."""
        found = {}
        for step_id in step_ids:
            attempt = self._chosen.get(step_id)
            if attempt and attempt.state in (*FINISHED, "needs_review"):
                found[f"alpha:{step_id}"] = self._path(asset_name(step_id, attempt.attempt, "alpha.png"))
        return found

    def _path(self, name: str) -> Path:
        return self._context.path(name)

    def _here(self, task: Task) -> Unit | None:
        """What a service does stays in this process, which waits for it; everything else goes to the worker."""
        if task.unit == "layers.plan":
            is_cloud = PLANNERS[task.params["planner"]].where != "local"
        else:
            engine = ENGINES[self._params.engine]
            # Some services only cut; what lies behind is then filled here.
            plates = engine.service is None or "plate" in engine.prices
            asks = task.unit == "layers.extract" or (task.unit == "layers.plate" and plates)
            is_cloud = engine.where == "cloud" and asks
        return self._units_here[task.unit] if is_cloud else None


def report_of(plan: Plan, chosen: dict[str, Attempt]) -> dict[str, Any]:
    """What was measured, step by step: states, checks, and the recomposition error of the scene."""
    steps: list[dict[str, Any]] = []
    for step in plan.steps:
        attempt = chosen.get(step.id)
        if attempt is None or attempt.started is None or attempt.ended is None:
            continue
        figures = {name: attempt.result.get(name) for name in ("coverage", "confidence", "hole", "painted")}
        steps.append(
            {
                "id": step.id,
                "name": step.name,
                "action": step.action,
                "state": attempt.state,
                "attempt": attempt.attempt,
                "seconds": round(attempt.ended - attempt.started, 2),
                **{name: value for name, value in figures.items() if value is not None},
                "checks": attempt.result.get("checks", []),
                "error": attempt.error,
            }
        )
    scene = chosen.get(SCENE)
    needs_review = [step["id"] for step in steps if step["state"] in ("needs_review", "failed")]
    return {"steps": steps, "needs_review": needs_review, "scene": scene.result if scene else {}}
