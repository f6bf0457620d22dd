"""Jobs by the hundred, and what a person does with their list, in the words of the tests."""

import io
import time

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from jobs.store import Store
from scenehf.workflows.extract import KIND, Params

MANY = 1000
DAY = 86400.0
UNDO = 8.0  # seconds
LONG = 20_000  # ms


def thumb() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (36, 27), (90, 120, 150)).save(buffer, "PNG")
    return buffer.getvalue()


def add(store: Store, title: str, kind: str = KIND, state: str = "succeeded") -> str:
    """A job as if it had run."""
    asset = [("thumb.png", thumb(), "image/png")]
    job = store.create_job(kind, Params().model_dump(mode="json"), title=title, assets=asset, hold=True)
    with store.tx() as db:
        db.execute("UPDATE job SET state = ? WHERE id = ?", (state, job.id))
    return job.id


def add_many(store: Store, count: int) -> None:
    """Quickly: one transaction. The ids fall before those of jobs created now."""
    began = int((time.time() - 40 * DAY) * 1000)
    with store.tx() as db:
        for number in range(count):
            title = f"old {number:04d}.jpg"
            created = began / 1000 + number
            db.execute(
                "INSERT INTO job(id, kind, state, title, search, params, created, updated)"
                " VALUES(?, ?, 'succeeded', ?, ?, '{}', ?, ?)",
                (f"{began + number * 1000:012x}{number:016x}", KIND, title, title, created, created),
            )


def history(page: Page) -> Locator:
    """Open the tab; its rows."""
    page.get_by_role("tab", name="History").click()
    expect(page.locator(".shf-row, .shf-none:not([hidden])").first).to_be_visible(timeout=LONG)
    return rows(page)


def rows(page: Page) -> Locator:
    return page.locator(".shf-row")


def row(page: Page, title: str) -> Locator:
    return page.locator(".shf-row", has=page.get_by_role("button", name=f"Open {title}", exact=True))


def titles(page: Page) -> list[str]:
    """As a person reads them, from the top."""
    found = rows(page).evaluate_all(
        "rows => rows.map(row => [Number(row.getAttribute('aria-rowindex')),"
        " row.querySelector('.shf-job-open').textContent])"
    )
    return [title for _, title in sorted(found)]


def bar(page: Page) -> Locator:
    return page.locator(".shf-undo")


def ids(store: Store) -> set[str]:
    return {job.id for job in store.list_jobs(5000)}
