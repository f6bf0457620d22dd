"""What the tabs that take a photo share: files that a browser uploaded, examples as buttons, the name of a job."""

from collections.abc import Callable, Iterable
from pathlib import Path

from jobs.job import Job
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


def job_of(uploads: Path, path: str, create: Callable[[Path], Job]) -> Job:
    """A job of a file that the browser uploaded. The store keeps its bytes; the upload goes."""
    photo = uploaded(uploads, path)
    try:
        return create(photo)
    finally:
        photo.unlink(missing_ok=True)


def rename(store: Store, job_id: str, title: str) -> None:
    """Give a job the name that a person typed."""
    kept = title.strip()[:TITLE]
    if not kept:
        raise NotPossible("A job needs a name.")
    store.set_title(job_id, kept)


def start_screen(template: str, examples: Iterable[str], *, public: bool) -> str:
    """`template` with where a photo goes, and with shipped photos as buttons. Names and addresses are constants."""
    where = "It goes to the machine that runs this app." if public else "It stays on this machine."
    buttons = "".join(
        f'<button type="button" class="shf-example" data-name="{name}">'
        f'<img src="{EXAMPLE}/{name}" alt="" loading="lazy"><span>{EXAMPLES[name]}</span></button>'
        for name in examples
    )
    return template.replace("<!--where-->", where).replace("<!--examples-->", buttons)
