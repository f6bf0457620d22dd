"""What making pictures will take, told before it is started: dollars at most, seconds by what earlier pictures of the
same model took, and the work in megapixel-steps."""

from dataclasses import dataclass
from statistics import median

from jobs.job import Step
from jobs.ledger import DOLLAR
from jobs.store import Store
from models.errors import InvalidRequest, ModelError
from models.providers.prices import known_price
from models.spec import Access, ModelSpec, Size
from scenehf.errors import SceneError
from scenehf.settings import Settings
from scenehf.studio.budget import compute, effort
from scenehf.workflows.make import KIND, Asked, check, maker
from scenehf.workflows.making import FINISHED

LATELY = 12  # jobs of this store that tell how long a model takes


@dataclass(frozen=True)
class Quote:
    """usd: the most that it can cost. seconds: None where this model has made nothing here yet. compute:
    megapixel-steps of all pictures, None where that says nothing. problem: the sentence with which it would be refused,
    "" if it would not."""

    usd: float
    seconds: float | None
    compute: float | None
    problem: str


def quote(
    store: Store, asked: Asked, sizes: list[Size], *, masked: bool, settings: Settings, access: Access
) -> Quote:
    """What it would take. sizes: of the pictures that go in. Raises UnknownModel, and InvalidRequest for options."""
    spec = maker(asked.model)
    chosen = spec.chosen(asked.options)
    try:
        check(asked, images=len(sizes), masked=masked, settings=settings, access=access)
        problem = ""
    except (ModelError, SceneError) as error:
        said_enough = isinstance(error, ModelError) and error.hint == InvalidRequest.hint
        problem = str(error.args[0] if said_enough else error)
    one = compute(spec, asked.options, sizes)
    rate = _seconds_each(store, spec)
    return Quote(
        usd=usd_each(spec, chosen.results()) * asked.count,
        seconds=None if rate is None else rate * effort(spec, asked.options, sizes) * asked.count,
        compute=None if one is None else one * asked.count,
        problem=problem,
    )


def usd_each(spec: ModelSpec, results: int = 1) -> float:
    """The most that one call for so many pictures can cost."""
    row = known_price(spec.where, spec.priced) if spec.priced else None
    return row.bound(results) / DOLLAR if row else 0.0


def _seconds_each(store: Store, spec: ModelSpec) -> float | None:
    """Seconds that this model takes here for an effort of 1; None where nothing is known."""
    rates = [
        (step.ended - step.started) / effort(spec, step.params["options"], _sizes(step))
        for job in store.list_jobs(LATELY, kind=KIND, state="succeeded")
        if job.params["model"] == spec.id
        for step in store.chosen_steps(job.id)
        if step.state in FINISHED and step.started and step.ended
    ]
    return median(rates) if rates else None


def _sizes(step: Step) -> list[Size]:
    return [(given["width"], given["height"]) for given in step.params["images"]]
