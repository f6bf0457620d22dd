"""The Edit / Generate tab: pick a model, give words and pictures, watch, compare, and find it all again."""

import base64
import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image as Picture

from jobs.job import Job
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.pixels import Limits, open_image, thumbnail
from scenehf.settings import Settings
from scenehf.studio.metadata import read
from scenehf.ui.choices import entered, private, session_of
from scenehf.ui.code import later
from scenehf.ui.code import read as page_code
from scenehf.ui.images import EXAMPLES, SIDES, example_path
from scenehf.ui.make_form import offered
from scenehf.ui.make_view import gallery
from scenehf.ui.photos import rename, start_screen, uploaded
from scenehf.ui.refusals import NOT_OURS, told
from scenehf.ui.visitors import made as made_for
from scenehf.ui.visitors import visitor_of
from scenehf.ui.watch import Watch
from scenehf.workflows import actions, make
from scenehf.workflows.make import Asked
from scenehf.workflows.quote import quote

# Page code, in the order in which it is read: small words first, the tab itself last.
SCRIPTS = (
    "page.js", "door.js", "money.js", "keyform.js",
    "sheets.js", "paint.js", "hands.js", "viewer.js", "zoom.js", "tray.js", "strokes.js", "veil.js", "painting.js",
    "edit_models.js", "edit_options.js", "edit_prompt.js", "edit_inputs.js", "edit_stage.js", "edit_results.js",
    "edit_gallery.js", "edit_quote.js", "edit_files.js", "draft.js", "log.js", "follow.js", "edit.js",
)  # fmt: skip
MOST_RECIPE = 4 << 20  # bytes of a JSON file that is looked at

Json = dict[str, Any]
Message = list[Any]  # what the page passes to a server function: always one list


def build(store: Store, watch: Watch, limits: Limits, uploads: Path, *, public: bool) -> None:
    """Add the tab's one component."""

    def poll(message: Message, request: gr.Request) -> Json:
        return private(watch.poll(str(message[0]), int(message[1])), request)

    def models(_: Message, request: gr.Request) -> Json:
        settings, visitor = Settings(), visitor_of(request)
        access = KEYRING.reach(visitor.session, settings)
        return told(lambda: offered(store, settings, access, visitor) | {"entered": entered(visitor.session)})

    def look(message: Message) -> Json:
        return told(lambda: _look(_file(store, uploads, message[0]), str(message[1]), limits))

    def estimate(message: Message, request: gr.Request) -> Json:
        settings = Settings()

        def answer() -> Json:
            given, sizes, masked = message
            asked = Asked.model_validate(given)
            pixels = [(int(width), int(height)) for width, height in sizes]
            access = KEYRING.reach(session_of(request), settings)
            quoted = quote(store, asked, pixels, masked=bool(masked), settings=settings, access=access)
            return asdict(quoted)

        return told(answer)

    def create(message: Message, request: gr.Request) -> Json:
        session = session_of(request)

        def answer() -> Json:
            given, images, mask = message
            files = [(_file(store, uploads, image), str(image.get("name", ""))) for image in images]
            painted = None if mask is None else _file(store, uploads, mask)
            access = KEYRING.reach(session, Settings())
            asked = Asked.model_validate(given)

            def held() -> Job:  # until it is known whose keys it may use: it would begin at once
                return make.create(store, asked, files, painted, access=access, limits=limits, hold=True)

            job = made_for(request, held)
            KEYRING.bind(job.id, session)
            store.requeue(job.id)
            return {"job": job.id}

        return told(answer)

    def made(message: Message, request: gr.Request) -> Json:
        visitor = visitor_of(request)
        names = None if visitor.owner else visitor.names
        return told(lambda: gallery(store, str(message[0]), str(message[1] or "") or None, names))

    def act(message: Message, request: gr.Request) -> Json:
        verb, job_id, given = str(message[0]), str(message[1]), message[2]
        KEYRING.bind(job_id, session_of(request))
        return told(lambda: _act(store, verb, job_id, given))

    gr.HTML(
        None,
        html_template=start_screen(page_code("edit.html"), EXAMPLES, public=public),
        js_on_load=later("edit", *SCRIPTS),
        server_functions=[poll, models, look, estimate, create, made, act],
        apply_default_css=False,
        elem_id="edit",
    )


def _look(file: Path, name: str, limits: Limits) -> Json:
    """What a file holds: a picture (size, and a small copy of it as data), a recipe, or both."""
    if name.lower().endswith(".json"):
        recipe = read(file.read_bytes()[:MOST_RECIPE])
        if recipe is None:
            raise NotPossible("That file holds no recipe of this app.")
        return {"recipe": recipe.model_dump(mode="json"), "picture": None}
    recipe, source = read(file), open_image(file, limits=limits)
    pixels = source.pixels if source.alpha is None else np.dstack([source.pixels, source.alpha])
    out = io.BytesIO()
    Picture.fromarray(thumbnail(pixels, SIDES[1])).save(out, "WEBP", quality=88, method=2)
    width, height = source.size
    return {
        "recipe": recipe and recipe.model_dump(mode="json"),
        "picture": {
            "width": width,
            "height": height,
            "url": f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}",
            "notices": source.notices,
        },
    }


def _file(store: Store, uploads: Path, image: Json) -> Path:
    """The file behind what the page calls a picture: an upload, an example, or a picture of a job."""
    if "upload" in image:
        return uploaded(uploads, str(image["upload"]))
    if "example" in image:
        return example_path(str(image["example"]))
    asset = store.asset(str(image["job"]), str(image["asset"]))
    if asset.mime != "image/png":
        raise NotPossible("That is not a picture of a job.")
    return store.path(asset.job_id, asset.name)


def _act(store: Store, verb: str, job_id: str, given: Json) -> Json:
    """One act of a person on a job."""
    if verb not in ACTS:
        raise NotPossible(NOT_OURS)
    ACTS[verb](store, job_id, given)
    return {}


ACTS: dict[str, Callable[[Store, str, Json], object]] = {
    # What is missing is made; what is there stays.
    "again": lambda store, job, _: make.again(store, job),
    "cancel": lambda store, job, _: store.request_cancel(job),
    "rename": lambda store, job, given: rename(store, job, str(given["title"])),
    "put_back": lambda store, job, given: make.put_back(store, job, str(given["asset"])),
    "payment": lambda store, job, given: actions.tell_payment(
        store, job, str(given["key"]), made=bool(given["made"])
    ),
}
