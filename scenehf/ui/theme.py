"""How the app looks: neutral greys, one accent, the system's own fonts. The style sheets lie in static/."""

import json

import gradio as gr

from scenehf.ui.code import read

STYLE_SHEETS = (
    "shell.css", "start.css", "layers.css", "stage.css", "marks.css", "tray.css", "steps.css", "card.css", "export.css",
    "history.css", "gaze.css", "edit.css", "edit_models.css", "edit_form.css", "edit_results.css",
)  # fmt: skip

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's own parts (tabs, footer, settings) in the colours of our style sheets."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_sm,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f4f4f3",
        body_background_fill_dark="#191a1b",
        body_text_color="#1f2022",
        body_text_color_dark="#dddedf",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#222426",
        border_color_primary="#d9d9d6",
        border_color_primary_dark="#37393c",
        block_shadow="none",
        block_shadow_dark="none",
    )


def styles() -> str:
    """A script that puts the style sheets into the page. They go one level below Gradio's container, so that they win
    over its own.

    Handed to Gradio as style sheets, each rule would be taken apart and doubled at every page load.
    """
    sheets = f"{read('page.css')}\n.gradio-container .contain {{\n{read(*STYLE_SHEETS)}\n}}"
    return (
        'document.head.append(document.createElement("style"));\n'
        f"document.head.lastChild.textContent = {json.dumps(sheets)};\n"
    )
