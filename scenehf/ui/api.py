"""The named endpoints. Each is a function whose name is also its MCP tool's name and whose docstring is its manual.

Ids of jobs come from /jobs_create. Boxes and points are in 0..1 of the upright photo. A refusal is an error whose
message is one sentence that says what to do. /run and /events are streams that stay alive while nothing happens.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from jobs.job import Asset, Job, Step
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.pixels import Limits
from scenehf.ui.images import url_of
from scenehf.ui.refusals import refusals
from scenehf.ui.watch import Watch
from scenehf.workflows import actions, gaze, make
from scenehf.workflows.extract import KIND, ExportOrder, Params

Json = dict[str, Any]
Uploaded = dict[
    str, Any
]  # a file of the caller as Gradio hands it over: "path" lies in its folder of uploads
Format = Literal["png", "zip", "psd", "ora", "tiff", "html"]

USUAL = gaze.Params()
FORBIDDEN = (
    "This app is shared with other people: only the owner of its machine can do that, with ./launch.sh jobs."
)


class Endpoints:
    """The endpoints over one store. public: strangers can call them, so none shows or touches all jobs."""

    def __init__(self, store: Store, watch: Watch, limits: Limits, weights: Path, *, public: bool) -> None:
        self._store = store
        self._watch = watch
        self._limits = limits
        self._weights = weights
        self._public = public

    def declare(self) -> None:
        """Add the endpoints to the Blocks being built."""
        for endpoint in (
            self.health, self.jobs_list, self.job, self.plan, self.step_run, self.step_retry, self.step_bg_remove,
            self.step_plate_and_retry, self.step_accept, self.step_choose, self.asset, self.export, self.cancel,
            self.pause, self.delete, self.cleanup,
        ):  # fmt: skip
            gr.api(endpoint, api_name=endpoint.__name__, queue=False)
        for stream in (self.run, self.events):
            # A stream costs nothing while it waits; a limit would make followers wait for each other.
            gr.api(stream, api_name=stream.__name__, concurrency_limit=None)
        declare_with_files(self.jobs_create, "photo")
        declare_with_files(self.step_refine, "strokes")
        declare_with_files(self.gaze, "portrait")

    def health(self) -> Json:
        """Tell whether the app works: number of jobs in each state, and free bytes on its disk."""
        with refusals():
            return {"ok": True, "jobs": self._store.counts(), "free": self._store.disk_use().free}

    def jobs_create(self, photo: Uploaded, name: str = "", planner: str = "offline") -> Json:
        """Open a photo and queue a job that plans how to take it apart. Follow it with /events, then call /run.

        Args:
            photo: The picture file (PNG, JPEG, WebP, TIFF, HEIC, AVIF, GIF, BMP), at most 100 megapixels.
            name: Title of the job; the file's own name if empty.
            planner: Who proposes the steps. "offline" needs no key and no network.
        """
        with refusals():
            if not photo:
                raise NotPossible("Give a photo.")
            path = Path(photo["path"])
            title, params = name or path.name, Params(planner=planner or "offline")
            return self._told(actions.create(self._store, path, title, params=params, limits=self._limits))

    def gaze(
        self,
        portrait: Uploaded,
        name: str = "",
        grid: int = USUAL.grid,
        mobile_grid: int = USUAL.mobile,
        cell: int = USUAL.cell,
        cutout: bool = False,
        face: list[float] | None = None,
        engine: str = USUAL.engine,
        fast: bool = False,
    ) -> Json:
        """Turn a portrait into one that looks at the cursor: a grid of head poses and a page that shows it.

        It starts at once. Follow it with /events; /job then lists its files ("site/1/site.zip"). /run goes on after a
        cancel.

        Args:
            portrait: A picture file that shows a face (PNG, JPEG, WebP, TIFF, HEIC, AVIF, GIF, BMP).
            name: Title of the job; the file's own name if empty.
            grid: Cells a side, 3 to 60.
            mobile_grid: Cells a side for phones, 3 to 60.
            cell: Longer side of a cell in px, 64 to 1024.
            cutout: The person alone, without the background.
            face: A point [x, y] in 0..1 of the picture on the face that is to turn; the largest face without it.
            engine: "mesh", "liveportrait" where its weights have been pulled, or "replicate", which asks for the
                owner's key and costs: the job waits with its price, and /run agrees to it.
            fast: LivePortrait draws 64 keyframes; the other cells are carried between them.
        """
        with refusals():
            if not portrait:
                raise NotPossible("Give a portrait.")
            path = Path(portrait["path"])
            asked = {"grid": grid, "mobile": mobile_grid, "cell": cell, "engine": engine, "fast": fast}
            params = gaze.usable(asked | {"cutout": cutout, "face": face or None}, self._weights)
            return self._told(
                gaze.create(self._store, path, name or path.name, params=params, limits=self._limits)
            )

    def jobs_list(self, limit: int = 50, before: str = "", state: str = "", search: str = "") -> list[Json]:
        """List jobs, newest first.

        Args:
            limit: How many, at most 200.
            before: Id of the last job of the page before; empty for the first page.
            state: Only jobs in this state: queued, running, needs_review, succeeded, failed or cancelled.
            search: Only jobs with this text in their title.
        """
        with refusals():
            self._owner_only()
            found = self._store.list_jobs(
                max(1, min(limit, 200)), before or None, state or None, search=search or None
            )
            return [self._summary(job) for job in found]

    def job(self, job: str) -> Json:
        """Tell how a job stands: state, steps with their figures, and the names of its files.

        Args:
            job: Id of the job.
        """
        with refusals():
            return self._told(self._store.job(job))

    def plan(self, job: str, plan: Json | None = None) -> Json:
        """Read the plan of a job, or replace it before running.

        Args:
            job: Id of the job.
            plan: The whole new plan, in the form in which this endpoint returns it; nothing to only read it.
        """
        with refusals():
            if plan:
                return actions.set_plan(self._store, job, plan).model_dump(mode="json")
            return actions.plan_of(self._store, job).model_dump(mode="json")

    async def run(self, job: str) -> AsyncIterator[Json]:
        """Run a job, or go on with it, and stream its events until it is finished or waits for a person.

        Args:
            job: Id of the job.
        """
        with refusals():
            seen = self._store.last_seq()
            kind = self._store.job(job).kind
            if kind == gaze.KIND:
                gaze.again(self._store, job)
            elif kind == make.KIND:
                make.again(self._store, job)
            else:
                actions.run(self._store, job)
            async for message in self._watch.follow(job, seen):
                yield message

    def step_run(self, job: str, step: str) -> Json:
        """Run a job up to and including one step, then wait.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
        """
        with refusals():
            if step not in {known.id for known in actions.plan_of(self._store, job).steps}:
                raise NotPossible(f"The plan has no step {step!r}.")
            actions.run(self._store, job, only=step)
            return self._told(self._store.job(job))

    def step_retry(
        self, job: str, step: str, box: list[float] | None = None, points: list[list[float]] | None = None,
        prompt: str = "",
    ) -> Json:  # fmt: skip
        """Do one step again, with another hint where one is given; the earlier attempt is kept.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
            box: Where the object is: [x0, y0, x1, y1].
            points: Clicks on the photo: [x, y, 1] on the object, [x, y, 0] beside it.
            prompt: What the object is, for engines that read.
        """
        with refusals():
            hints: Any = {"box": box or None, "points": points or None, "prompt": prompt or None}
            actions.retry(self._store, job, step, **hints)
            return self._told(self._store.job(job))

    def step_bg_remove(self, job: str, step: str) -> Json:
        """Cut a step's result out again and drop the background left inside it.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
        """
        with refusals():
            actions.remove_background(self._store, job, step)
            return self._told(self._store.job(job))

    def step_plate_and_retry(self, job: str, step: str, removes: list[str]) -> Json:
        """Paint out layers that cover a step's object, then run the step again on that plate.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
            removes: Ids of the steps whose layers are in the way.
        """
        with refusals():
            actions.plate_and_retry(self._store, job, step, removes)
            return self._told(self._store.job(job))

    def step_refine(
        self, job: str, step: str, strokes: Uploaded | None = None, feather: float = 0.0, grow: float = 0.0
    ) -> Json:
        """Correct a step's mask: with brush strokes, by moving its outline, or by softening it.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
            strokes: PNG of the photo's size: green where the layer is to be kept, red where it is to be dropped.
            feather: Pixels of the photo over which the outline is softened, at most 50.
            grow: Pixels by which the outline is moved outwards, at most 50; negative: inwards.
        """
        with refusals():
            drawn = Path(strokes["path"]).read_bytes() if strokes else None
            actions.refine(self._store, job, step, drawn, feather=feather or 0.0, grow=grow or 0.0)
            return self._told(self._store.job(job))

    def step_accept(self, job: str, step: str) -> Json:
        """Accept a step's result as it is, so that the job goes on.

        Args:
            job: Id of the job.
            step: Id of the step in the plan, or "scene".
        """
        with refusals():
            actions.accept(self._store, job, step)
            return self._told(self._store.job(job))

    def step_choose(self, job: str, step: str, attempt: int) -> Json:
        """Go back to an earlier attempt of a step.

        Args:
            job: Id of the job.
            step: Id of the step in the plan.
            attempt: Its number, from 1.
        """
        with refusals():
            actions.choose(self._store, job, step, attempt)
            return self._told(self._store.job(job))

    def asset(self, job: str, name: str) -> Json:
        """Tell where to fetch one of a job's files.

        Args:
            job: Id of the job.
            name: Name of the file as /job lists it, for example "scene/1/plate.png".
        """
        with refusals():
            return _link(self._store.asset(job, name))

    async def events(self, job: str, after: int = 0) -> AsyncIterator[Json]:
        """Stream a job's events, with a sign of life each second, until it is finished or waits for a person.

        Args:
            job: Id of the job.
            after: Sequence number of the last event already known; 0 tells everything from the beginning.
        """
        with refusals():
            async for message in self._watch.follow(job, after):
                yield message

    def export(
        self, job: str, formats: list[Format] | None = None, edges: Literal["faithful", "clean"] = "faithful"
    ) -> Json:
        """Write a finished scene to files; /job lists them when the job has succeeded again.

        Args:
            job: Id of the job.
            formats: Any of png, zip, psd, ora, tiff, html; zip alone if nothing is given.
            edges: "faithful" layers add up to the photo exactly, "clean" ones carry no colour of the background.
        """
        with refusals():
            order = ExportOrder.model_validate({"formats": formats or ["zip"], "edges": edges or "faithful"})
            actions.export(self._store, job, order)
            return self._told(self._store.job(job))

    def cancel(self, job: str) -> Json:
        """Cancel a job; what is finished stays, and /run goes on from there.

        Args:
            job: Id of the job.
        """
        with refusals():
            return self._summary(self._store.request_cancel(job))

    def pause(self, job: str) -> Json:
        """Pause a job after its current step; /run goes on.

        Args:
            job: Id of the job.
        """
        with refusals():
            return self._summary(self._store.request_pause(job))

    def delete(self, job: str) -> Json:
        """Delete a job with all its files. A running job has to be cancelled first.

        Args:
            job: Id of the job.
        """
        with refusals():
            return {"freed": self._store.delete_job(job)}

    def cleanup(self, hours: float = 24.0) -> Json:
        """Delete every job that nobody has touched for some time, and files that no job needs.

        Args:
            hours: How long nobody has touched it. Running and queued jobs stay.
        """
        with refusals():
            self._owner_only()
            done = self._store.clean(older_than_hours=max(0.0, hours))
            return {"jobs": done.jobs, "freed": done.bytes}

    def _owner_only(self) -> None:
        if self._public:
            raise NotPossible(FORBIDDEN)

    def _summary(self, job: Job) -> Json:
        return {
            "job": job.id,
            "kind": job.kind,
            "title": job.title,
            "state": job.state,
            "created": job.created,
            "error": job.error,
            "cancel_requested": job.cancel_requested,
        }

    def _told(self, job: Job) -> Json:
        told = self._summary(job)
        told["steps"] = [_step(step) for step in self._store.steps(job.id)]
        told["assets"] = [_link(asset) for asset in self._store.assets(job.id)]
        if job.kind == KIND:
            told |= {"plan": job.params.get("plan"), "confirmed": bool(job.params.get("confirmed"))}
        return told


def declare_with_files(endpoint: Callable[..., Json], *names: str) -> None:
    """Add an endpoint whose arguments of these names are files; "images" is a list of files.

    gr.api has no type hint for a file. Components of its own for one would be loaded by every page.
    """
    gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=2)
    fns = gr.context.Context.root_block.fns.values()
    added = next(fn for fn in fns if fn.api_name == endpoint.__name__)
    for name in names:
        place = list(inspect.signature(endpoint).parameters).index(name)
        count: Literal["single", "multiple"] = "multiple" if name == "images" else "single"
        added.inputs[place]._api_info = gr.File(label=name, file_count=count, render=False).api_info()


def _step(step: Step) -> Json:
    told = ("key", "attempt", "name", "state", "chosen", "result", "error")
    return {name: getattr(step, name) for name in told}


def _link(asset: Asset) -> Json:
    link = {"name": asset.name, "mime": asset.mime, "bytes": asset.bytes, "sha256": asset.sha256}
    return link | {"url": url_of(asset)}
