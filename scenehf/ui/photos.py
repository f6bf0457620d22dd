"""What the tabs that take a photo share: files that a browser uploaded, examples as buttons, the name of a job."""

from collections.abc import Iterable
from pathlib import Path

from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.ui.images import EXAMPLE, EXAMPLES

TITLE = 200  # characters of a job's name


def uploaded(uploads: Path, path: str) -> Path:
    """A file that the browser uploaded; NotPossible for any other path that it may name."""
    real = Path(path).resolve()
    if not real.is_relative_to(uploads.resolve()) or not real.is_file():
        raise NotPossible("That file did not arrive. Drop the photo again.")
    return real


def rename(store: Store, job_id: str, title: str) -> None:
    """Give a job the name that a person typed."""
    kept = title.strip()[:TITLE]
    if not kept:
        raise NotPossible("A job needs a name.")
    store.set_title(job_id, kept)


def example_buttons(names: Iterable[str]) -> str:
    """Shipped photos as buttons, in HTML. Names and addresses are constants of ours."""
    return "".join(
        f'<button type="button" class="shf-example" data-name="{name}">'
        f'<img src="{EXAMPLE}/{name}" alt="" loading="lazy"><span>{EXAMPLES[name]}</span></button>'
        for name in names
    )
