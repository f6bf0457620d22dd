"""The README's screenshots, from real runs: `python -m benchmarks.screenshots` writes docs/screen-*.webp.

The real engine takes apart photos that ship in wheels, without a hint. Shown are the plan of the example
button's astronaut, the finished scene of a dahlia (by vultilion, CC BY 2.0, ships in scikit-learn), her portrait turned
towards the pointer, and the list of jobs; each in light and in dark.
"""

import argparse
import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.composites import PHOTOS
from jobs.store import Store
from scenehf.settings import load
from scenehf.ui.build import Screens
from scenehf.worker import build
from scenehf.workflows import actions, gaze
from tests.conftest import BROWSERS, QUIET

TARGET = Path(__file__).parent.parent / "docs"
VIEWPORT = {"width": 1400, "height": 900}
SCALE = 1.5
MOST = 250_000  # bytes of one picture
THEMES = ("light", "dark")
SHOWN, NAME = "flower", "Dahlia"  # of the finished scene; a person gave the name
ASIDE = (0.30, 0.02)  # how far its layer is dragged, as shares of the photo's width
REST = 1500  # ms in which pictures arrive and badges settle
OTHERS = {  # what History shows besides: photo, title, and what comes of it
    "grace": ("Grace Hopper, portrait", "succeeded"),
    "motorcycle": ("Motorcycle for the spring catalogue", "planned"),
    "coffee": ("Coffee, menu page 3", "succeeded"),
    "rocket": ("Rocket on the pad", "cancelled"),
}


def settle(store: Store, job_id: str) -> str:
    """Wait until the job waits for a person or is finished; its state."""
    while (state := store.job(job_id).state) in ("queued", "running"):
        time.sleep(0.1)
    return state


def finish(store: Store, job_id: str) -> None:
    """Run the plan, and accept what needs a look, as a person in a hurry would."""
    actions.run(store, job_id)
    while settle(store, job_id) == "needs_review":
        for step in store.chosen_steps(job_id):
            if step.state == "needs_review":
                actions.accept(store, job_id, step.key)
    if store.job(job_id).state != "succeeded":
        raise RuntimeError(store.job(job_id).error)


def other_jobs(store: Store) -> None:
    """Some history."""
    for name, (title, end) in OTHERS.items():
        job = actions.create(store, PHOTOS[name], title)
        if end == "cancelled":
            store.request_cancel(job.id)
        settle(store, job.id)
        if end == "succeeded":
            finish(store, job.id)


def shown_job(store: Store) -> str:
    """The job of the finished scene: planned, named and run; its id."""
    job = actions.create(store, PHOTOS[SHOWN], f"{NAME}.jpg")
    settle(store, job.id)
    first = actions.plan_of(store, job.id).extractions[0]
    actions.edit_step(store, job.id, first.id, name=NAME)
    finish(store, job.id)
    return job.id


def portrait_job(store: Store) -> str:
    """The job of a finished grid of gazes; its id."""
    job = gaze.create(store, PHOTOS["astronaut"], "Eileen Collins.png")
    if settle(store, job.id) != "succeeded":
        raise RuntimeError(store.job(job.id).error)
    return job.id


@contextmanager
def opened(browser: Browser, address: str, theme: str) -> Iterator[Page]:
    """A page in that light."""
    context = browser.new_context(
        viewport=VIEWPORT,  # type: ignore[arg-type]
        device_scale_factor=SCALE,
        color_scheme=theme,  # type: ignore[arg-type]
    )
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(address)
    page.locator(".shf-example").first.wait_for(state="attached")
    page.wait_for_timeout(REST)
    yield page
    context.close()


def save(page: Page, name: str) -> None:
    """The window as it is, small enough for a README."""
    page.wait_for_timeout(REST)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (90, 84, 78, 72):
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=quality, method=6)
        if stream.tell() < MOST:
            break
    (TARGET / f"screen-{name}.webp").write_bytes(stream.getvalue())
    print(
        f"screen-{name}.webp, {image.width} x {image.height}, {stream.tell() // 1000} kB, quality {quality}"
    )


def show_scene(page: Page, store: Store, job_id: str) -> None:
    """The front layer is selected and dragged aside, so that the clean plate is seen behind it."""
    card = page.locator(".shf-card[data-action=extract]").first
    key = card.get_attribute("data-key")
    layer = next(step for step in store.chosen_steps(job_id) if step.key == key)
    card.locator(".shf-what").click()
    page.locator(".shf-views [data-view=scene]").click()
    page.wait_for_timeout(REST)
    box = page.locator(".shf-stage canvas").bounding_box()
    assert box is not None
    with Image.open(store.path(job_id, "source.png")) as photo:
        width, height = photo.size
    scale = min(box["width"] / width, box["height"] / height)
    left, top = (box["width"] - width * scale) / 2, (box["height"] - height * scale) / 2
    found = layer.result
    x = box["x"] + left + scale * (found["x"] + found["width"] / 2)
    y = box["y"] + top + scale * (found["y"] + found["height"] * 0.7)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + ASIDE[0] * width * scale, y + ASIDE[1] * width * scale, steps=12)
    page.mouse.up()
    page.mouse.move(2, 2)


def show_portrait(page: Page) -> None:
    """She looks at the pointer, which is at her right."""
    frame = page.locator(".shf-gaze iframe").first
    frame.wait_for()
    frame.content_frame.locator("gaze-portrait canvas").wait_for()
    box = frame.bounding_box()
    assert box is not None
    for part in (0.5, 0.03):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + 0.6 * box["height"], steps=4)
        page.wait_for_timeout(REST)


def take(browser: Browser, store: Store, address: str) -> None:
    """All screens."""
    other_jobs(store)
    scene, portrait = shown_job(store), portrait_job(store)
    with opened(browser, address, "light") as page:
        page.get_by_role("button", name="Astronaut").click()
        page.get_by_role("button", name="Run").wait_for()
        plan = page.evaluate("new URL(location.href).searchParams.get('job')")
    for theme in THEMES:
        with opened(browser, f"{address}/?job={plan}", theme) as page:
            page.locator(".shf-card[data-action=extract] .shf-what").first.click()
            page.locator(".shf-views [data-view=photo]").click()
            page.mouse.move(2, 2)
            save(page, f"plan-{theme}")
        with opened(browser, f"{address}/?job={scene}", theme) as page:
            show_scene(page, store, scene)
            save(page, f"layers-{theme}")
        with opened(browser, f"{address}/?job={portrait}", theme) as page:
            show_portrait(page)
            save(page, f"gaze-{theme}")
        with opened(browser, address, theme) as page:
            page.get_by_role("tab", name="History").click()
            page.locator(".shf-row").first.wait_for()
            page.mouse.move(2, 2)
            save(page, f"history-{theme}")


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="a data directory that has the starter weights")
    args = parser.parse_args()
    given = load(SCENEHF_HOME=args.weights) if args.weights else load()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "weights").symlink_to(given.weights)
        settings = load(SCENEHF_HOME=Path(folder))
        with build(settings) as services, sync_playwright() as playwright:
            screens = Screens(services.store, settings.uploads)
            address = screens.serve(None).url.rstrip("/")
            take(playwright.chromium.launch(executable_path=path, args=list(QUIET)), services.store, address)
            screens.close()


if __name__ == "__main__":
    main()
