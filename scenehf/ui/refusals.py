"""Where a refusal becomes a sentence: for the page as data, for programs as gr.Error. The rest are bugs and show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from pydantic import ValidationError

from jobs.errors import JobsError
from models.errors import ModelError
from scenehf.errors import SceneError

NOT_OURS = "That is not something this app can do."


def told(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `act` returns, or {"error": sentence} where it refused or was called with nonsense."""
    try:
        return act()
    except (SceneError, JobsError, ModelError) as error:
        return {"error": str(error)}
    except (ValidationError, KeyError, TypeError, ValueError):  # the page is not the only one who can call
        return {"error": NOT_OURS}


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a refusal into gr.Error with the same sentence."""
    try:
        yield
    except (SceneError, JobsError, ModelError) as error:
        raise gr.Error(str(error), print_exception=False) from None
    except ValidationError as error:
        raise gr.Error(f"That cannot be used: {error.errors()[0]['msg']}.", print_exception=False) from None
