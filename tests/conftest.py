"""What every test stands on: no network, no keys, an empty data directory, real weights and real photos."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
GUARD = Path(__file__).parent / "guard"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
STARTER = ("face_detection_short_range", "face_landmark", "iris_landmark", "selfie_segmentation")

# A developer's own keys and data stay out of the tests; the weights may come from the data directory that
# `./launch.sh test` has filled.
CACHE = Path(os.environ.get("SCENEHF_HOME") or Path.home() / ".cache" / "scenehf-tests")
OURS = ("SCENEHF_", "GRADIO_", "GOOGLE_", "GCP_", "OPENAI_", "PLANNER_", "SPACE_", "SPACES_", "OAUTH_")
for name in list(os.environ):
    if name.startswith(OURS) or name.endswith(("_TOKEN", "_KEY")):
        del os.environ[name]
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False",
    HF_HUB_OFFLINE="1",
    PYTHONPATH=os.pathsep.join(filter(None, [str(GUARD), os.environ.get("PYTHONPATH", "")])),
)

set_hypothesis_home_dir(ROOT / ".venv" / ".cache" / "hypothesis")
hypothesis.settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Put the guard up in this process, unless the interpreter already did when it started."""
    if getattr(sys.modules.get("sitecustomize"), "NetworkReached", None) is None:
        spec = importlib.util.spec_from_file_location("sitecustomize", GUARD / "sitecustomize.py")
        assert spec is not None and spec.loader is not None
        guard = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(guard)
        sys.modules["sitecustomize"] = guard


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """In CI a skipped test is a failed one: what is missing has to be installed."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def _guard_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Where a test that does not ask for `home` would write.
    os.environ["SCENEHF_HOME"] = str(tmp_path_factory.mktemp("nobody"))
    record = tmp_path_factory.mktemp("guard") / "attempts"
    record.touch()
    os.environ["SCENEHF_TEST_GUARD"] = str(record)
    return record


@pytest.fixture(autouse=True)
def network_guard(_guard_record: Path) -> Iterator[Path]:
    """Fail the test that tried to leave this machine, even if its code swallowed the refusal."""
    yield _guard_record
    attempts = _guard_record.read_text(encoding="utf-8")
    _guard_record.write_text("", encoding="utf-8")
    if attempts:
        pytest.fail(f"this test tried to reach the network:\n{attempts}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, also for the processes that the test starts."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SCENEHF_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The folder that holds `starter/` with the five nets; `./launch.sh test` fills it."""
    folder = CACHE / "weights"
    if not all((folder / "starter" / f"{net}.tflite").is_file() for net in STARTER):
        pytest.fail(
            f"The starter weights are not in {folder}. Run `./launch.sh test`, or "
            f"`python -m scenehf models pull starter --data {CACHE}`.",
            pytrace=False,
        )
    return folder


@pytest.fixture
def furnished_home(home: Path, weights_dir: Path) -> Path:
    """A data directory that already has the starter weights."""
    (home / "weights").mkdir()
    (home / "weights" / "starter").symlink_to(weights_dir / "starter")
    return home


# --- photos that ship inside wheels: real pictures, nothing downloaded --------------------------------------

PHOTOS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "grace_hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}
Photo = NDArray[np.uint8]


def _photo_path(photo: str) -> Path:
    package, inside = PHOTOS[photo]
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} is not installed"
    return Path(spec.origin).parent / inside


@pytest.fixture(scope="session")
def photo_path() -> Callable[[str], Path]:
    """The file of a photo by its name in `PHOTOS`."""
    return _photo_path


def _photo(photo: str) -> Photo:
    with Image.open(_photo_path(photo)) as picture:
        return np.array(picture.convert("RGB"))


@pytest.fixture
def astronaut() -> Photo:
    """A woman before a flag and a model: uint8 (512, 512, 3)."""
    return _photo("astronaut")


@pytest.fixture
def coffee() -> Photo:
    """A cup on a saucer: uint8 (400, 600, 3)."""
    return _photo("coffee")


@pytest.fixture
def chelsea() -> Photo:
    """A cat that fills the picture: uint8 (300, 451, 3)."""
    return _photo("chelsea")


@pytest.fixture
def rocket() -> Photo:
    """A rocket on its pad: uint8 (427, 640, 3)."""
    return _photo("rocket")


@pytest.fixture
def china() -> Photo:
    """A temple: uint8 (427, 640, 3)."""
    return _photo("china")


@pytest.fixture
def flower() -> Photo:
    """A dahlia before blurred leaves: uint8 (427, 640, 3)."""
    return _photo("flower")


@pytest.fixture
def grace_hopper() -> Photo:
    """A portrait: uint8 (600, 512, 3)."""
    return _photo("grace_hopper")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """The system's Chromium. One for all tests of a process: Playwright runs only once in each."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield running
        running.close()
