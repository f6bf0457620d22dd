"""What the page waits for: the first tab. Code of the others comes when they are looked at, and of endpoints it is
told no more than it shows."""

import json
import re

import httpx
from playwright.sync_api import expect


def test_code_is_served_by_name_and_for_ever(at):
    page = httpx.get(at).text
    version = re.search(r"scenehf/code/history\.js\?v=(\w{16})", page).group(1)
    answer = httpx.get(f"{at}/scenehf/code/history.js?v={version}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "windowList" in answer.text and "windowList" not in page
    assert httpx.get(f"{at}/scenehf/code/nothing.js").status_code == 404


def test_a_tab_asks_for_its_code_when_it_is_looked_at(at, new_page):
    asked = []
    page = new_page(at)
    page.on("request", lambda request: asked.append(request.url.split("/")[-1].split(".")[0]))
    page.reload()
    expect(page.locator("#layers .shf-drop")).to_be_visible()
    assert "history" not in asked
    for _ in range(2):
        page.get_by_role("tab", name="History").click()
        expect(page.locator("#history")).to_contain_text("No jobs yet")
        page.get_by_role("tab", name="Layers").click()
    assert asked.count("history") == 1
    assert not {"edit", "gaze"} & set(asked)


def test_a_tab_that_cannot_be_fetched_says_so_and_a_reload_mends_it(at, new_page, trouble):
    trouble.expected = ("Failed to load resource",)
    page = new_page(at)
    page.route("**/scenehf/code/**", lambda route: route.abort())
    page.get_by_role("tab", name="Gaze").click()
    expect(page.locator("#gaze")).to_contain_text("Reload the page")
    page.unroute("**/scenehf/code/**")
    page.reload()
    page.get_by_role("tab", name="Gaze").click()
    expect(page.locator("#gaze .shf-drop")).to_be_visible()


def test_the_page_has_no_parts_for_endpoints_and_lists_them_all_the_same(at, new_page, trouble):
    trouble.expected = ("404",)  # Gradio's list asks for its monitoring, which is closed
    text = httpx.get(at).text
    config, _ = json.JSONDecoder().raw_decode(text, text.index("{", text.index("window.gradio_config")))
    assert {part["type"] for part in config["components"]}.isdisjoint({"api"})
    whole = httpx.get(f"{at}/config").json()
    assert sum(part["type"] == "api" for part in whole["components"]) > 20
    page = new_page(at)
    page.get_by_role("button", name="Use via API").click()
    page.get_by_text("Python", exact=True).click()
    for name in ("/jobs_create", "/gaze", "/edit"):
        expect(page.locator("body")).to_contain_text(f'api_name="{name}"')
