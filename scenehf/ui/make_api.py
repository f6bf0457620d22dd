"""The named endpoints of editing and generating. What a model takes is told by /models, from its own schema."""

from pathlib import Path
from typing import Any

import gradio as gr

from jobs.job import Job
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.pixels import Limits
from scenehf.settings import Settings
from scenehf.ui.api import declare_with_files
from scenehf.ui.make_form import offered
from scenehf.ui.photos import uploaded
from scenehf.ui.refusals import refusals
from scenehf.ui.visitors import made, visitor_of
from scenehf.workflows import make
from scenehf.workflows.make import Asked
from scenehf.workflows.quote import usd_each

Json = dict[str, Any]
Uploaded = dict[str, Any]  # a file of the caller as Gradio hands it over
TOLD = (
    "id",
    "title",
    "local",
    "licence",
    "terms",
    "usd",
    "lacks",
    "size",
    "images",
    "mask",
    "prompt",
    "controls",
)
NOBODY = ""  # the session of a program: the owner's own keys, where strangers cannot reach the app


class MakeEndpoints:
    """The endpoints over one store."""

    def __init__(self, store: Store, limits: Limits, uploads: Path) -> None:
        self._store = store
        self._limits = limits
        self._uploads = uploads

    def declare(self) -> None:
        """Add the endpoints to the Blocks being built."""
        gr.api(self.models, api_name="models", queue=False)
        declare_with_files(self.edit, "images", "mask")

    def models(self, request: gr.Request) -> list[Json]:
        """List the models that make pictures: how many images each takes, its options with their ranges, its price in
        US dollars, and what it lacks."""
        with refusals():
            settings = Settings()
            access = KEYRING.reach(NOBODY, settings)
            found = offered(self._store, settings, access, visitor_of(request))["models"]
            return [{name: model[name] for name in TOLD} for model in found]

    def edit(
        self,
        request: gr.Request,
        model: str,
        prompt: str = "",
        images: list[Uploaded] | None = None,
        mask: Uploaded | None = None,
        options: Json | None = None,
        count: int = 1,
        pay: bool = False,
        agreed: bool = False,
    ) -> Json:
        """Edit pictures, or make them from words. It starts at once: follow it with /events; /job then lists its files
        ("made-01/1/1.png"), each with its recipe inside. /run makes what is missing.

        Args:
            model: Id of the model, as /models lists it.
            prompt: What is to be seen.
            images: The pictures that go in, the one to be edited first.
            mask: A picture of the first one's size: what is white in it may change, all else stays as it is.
            options: Options of the model by name, as /models lists them; without a seed each picture has its own.
            count: How many pictures, 1 to 16.
            pay: Agree to what the service charges, within the caps of the settings.
            agreed: Agree to the terms of the model, where it has some.
        """
        with refusals():
            asked = Asked(model=model, prompt=prompt, options=options or {}, count=count, agreed=bool(agreed))
            spec = make.maker(model)
            usd = usd_each(spec, spec.chosen(asked.options).results()) * asked.count
            if usd and not pay:
                raise NotPossible(f"This may cost ${usd:.3f}: call it with pay = true if that is fine.")
            files = [
                (uploaded(self._uploads, image["path"]), str(image.get("orig_name") or "picture"))
                for image in images or []
            ]
            painted = uploaded(self._uploads, mask["path"]) if mask else None
            access = KEYRING.reach(NOBODY, Settings())

            def create() -> Job:
                return make.create(self._store, asked, files, painted, access=access, limits=self._limits)

            job = made(request, create)
            return {"job": job.id, "kind": job.kind, "title": job.title, "state": job.state}
