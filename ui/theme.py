"""The theme: Gradio's variables pointed at our own (style.css), so that light and dark are written once."""

from pathlib import Path

import gradio as gr
import plotly
from gradio.themes.utils.sizes import Size

ASSETS = Path(__file__).resolve().parent.parent / "assets"
FONTS = ASSETS / "fonts"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

TEXT = Size(name="text", xxs="11px", xs="12px", sm="13px", md="15px", lg="15px", xl="18px", xxl="22px")
SPACE = Size(name="space", xxs="2px", xs="4px", sm="4px", md="8px", lg="8px", xl="12px", xxl="16px")
ROUND = Size(name="round", xxs="2px", xs="4px", sm="6px", md="8px", lg="8px", xl="12px", xxl="12px")

# Attributes that have a dark twin. The value is a var() in both: a custom property is resolved where it is
# declared, so the twin must be declared in .dark too, or dark mode would inherit the light value.
PAIRED = {
    "body_background_fill": "ground",
    "background_fill_primary": "surface",
    "background_fill_secondary": "sunken",
    "body_text_color": "ink",
    "body_text_color_subdued": "quiet",
    "block_info_text_color": "quiet",
    "block_title_text_color": "ink",
    "block_label_text_color": "quiet",
    "accordion_text_color": "ink",
    "border_color_primary": "line",
    "border_color_accent": "petrol",
    "color_accent_soft": "petrol-soft",
    "link_text_color": "petrol",
    "link_text_color_hover": "petrol",
    "link_text_color_active": "petrol",
    "link_text_color_visited": "petrol",
    "code_background_fill": "sunken",
    "table_text_color": "ink",
    "input_background_fill": "surface",
    "input_border_color": "edge",
    "input_border_color_focus": "petrol",
    "input_placeholder_color": "quiet",
    "checkbox_background_color": "surface",
    "checkbox_border_color": "edge",
    "checkbox_background_color_selected": "fill",
    "checkbox_border_color_selected": "fill",
    "checkbox_label_background_fill": "surface",
    "checkbox_label_background_fill_selected": "petrol-soft",
    "checkbox_label_background_fill_hover": "sunken",
    "checkbox_label_border_color": "line",
    "checkbox_label_border_color_selected": "petrol",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "slider_color": "petrol",
    "loader_color": "petrol",
    "table_border_color": "line",
    "table_even_background_fill": "surface",
    "table_odd_background_fill": "surface",
    "table_row_focus": "petrol-soft",
    "button_primary_background_fill": "fill",
    "button_primary_text_color": "on-fill",
    "button_primary_background_fill_hover": "fill-hover",
    "button_primary_border_color": "fill",
    "button_primary_border_color_hover": "fill-hover",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "sunken",
    "button_secondary_border_color": "edge",
    "button_secondary_border_color_hover": "edge",
    "button_secondary_text_color": "ink",
    "button_cancel_background_fill": "surface",
    "button_cancel_background_fill_hover": "bad-soft",
    "button_cancel_border_color": "bad",
    "button_cancel_border_color_hover": "bad",
    "button_cancel_text_color": "bad",
    "error_background_fill": "bad-soft",
    "error_border_color": "bad",
    "error_text_color": "bad",
    "error_icon_color": "bad",
}
PLAIN = {  # no block of Gradio's draws a box: cards are ours, so boxes never nest
    "block_background_fill": "transparent",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_label_background_fill": "transparent",
    "block_label_border_width": "0px",
    "panel_border_width": "0px",
    "input_border_width": "1px",
    "button_border_width": "1px",
    "checkbox_border_width": "1px",
}


def theme() -> gr.themes.Base:
    """The theme of launch(): every variable of Gradio's that we use, pointed at one of ours."""
    base = gr.themes.Base(
        text_size=TEXT,
        spacing_size=SPACE,
        radius_size=ROUND,
        font=["Atkinson Next", "ui-sans-serif", "system-ui", "sans-serif"],
        font_mono=["Atkinson Mono", "ui-monospace", "monospace"],
    )
    paired = {k: f"var(--{v})" for k, v in PAIRED.items()} | PLAIN
    return base.set(
        **paired,
        **{f"{k}_dark": v for k, v in paired.items()},
        block_padding="0px",
        block_title_text_weight="600",
        block_title_text_size="*text_sm",
        block_info_text_size="*text_sm",
        layout_gap="16px",
        form_gap_width="16px",
        block_radius="8px",
        button_large_radius="8px",
        button_medium_radius="8px",
        button_small_radius="6px",
        button_large_padding="10px 20px",
        button_medium_padding="8px 16px",
        button_small_padding="5px 12px",
        button_large_text_size="*text_md",
        button_small_text_size="*text_sm",
        button_small_text_weight="600",
        input_padding="9px 12px",
        button_transition="background-color .12s, border-color .12s",
    )


def head() -> str:
    """Fonts, style sheet and the few lines of script: in <head>, so that nothing is painted without them.

    launch(css=...) is not used: Gradio re-writes that sheet in the browser and drops @container, @supports and
    what a media query says about :root."""
    gr.set_static_paths([FONTS, PLOTLY])
    url = f"/gradio_api/file={FONTS}"
    preload = "".join(
        f'<link rel="preload" as="font" type="font/woff2" crossorigin href="{url}/atkinson-{n}-latin.woff2">'
        for n in ("next", "mono")
    )
    style = (ASSETS / "css" / "style.css").read_text().replace("@fonts", url)
    return f"{preload}<style>{style}</style><script>{(ASSETS / 'js' / 'page.js').read_text()}</script>"
