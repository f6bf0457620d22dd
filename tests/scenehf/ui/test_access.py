"""Held against the accessibility rules of axe-core, in light and dark, on a desk and on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.scenehf.ui.conftest import DESKTOP, PHONE, QUICK
from tests.scenehf.ui.steps import give, run, select, wait_for

PARTS = {"include": [["#shell"], ["#tabs"]]}  # Gradio's own footer is not ours to mend


def serious(page):
    """What breaks a serious or critical rule on the page as it is now."""
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    found = Axe().run(page, context=PARTS).response["violations"]
    return [
        (rule["id"], node["target"], node["failureSummary"])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def narrow(page, viewport):
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desk"),
        pytest.param(PHONE, "dark", id="phone", marks=pytest.mark.slow),
    ],
)
def test_no_serious_violation_on_any_screen(new_page, url, photos, viewport, scheme):
    page = new_page(url, viewport, color_scheme=scheme)
    page.get_by_text("Drop a photo here").wait_for()
    assert serious(page) == []
    give(page, photos[QUICK])
    select(page, 0)
    assert serious(page) == []
    narrow(page, viewport)
    page.get_by_role("button", name="Add by box").click()
    page.keyboard.press("Enter")
    assert serious(page) == []
    narrow(page, viewport)
    page.get_by_role("button", name="Cancel").click()
    run(page)
    wait_for(page, "Needs review")
    assert serious(page) == []
    narrow(page, viewport)
    page.locator(".shf-accept:visible").click()
    wait_for(page, "Done")
    select(page, 1)
    assert serious(page) == []
    narrow(page, viewport)
    page.locator(".shf-refine:visible").click()
    assert serious(page) == []
    narrow(page, viewport)
    page.get_by_role("tab", name="History").click()
    page.get_by_text("quick.png").first.wait_for()
    assert serious(page) == []
    narrow(page, viewport)
