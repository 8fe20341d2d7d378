"""Rows with images, audio and video are refused; texts that merely mention them are not."""

import pytest

from core.data.formats import to_messages
from core.data.media import refuse
from core.data.recognise import recognise
from core.data.template import render
from core.errors import InputError
from tests.core.data.test_manners import tok

MARKERS = (
    "<image>", "<IMAGE>", "<|image_pad|>", "<|vision_start|>", "<video>", "<audio>", "<|image_1|>", "<image_1>",
    "<image_soft_token>", "<start_of_image>", "[IMG]", "<|audio|>",
)  # fmt: skip


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("column", ["image", "images", "Videos", "audio", "image_path", "pixel_values"])
def test_a_marker_beside_what_it_stands_for(marker, column):
    for value in ("x.png", ["x.png"], {"bytes": "(9 bytes)", "path": None}, '["x.png"]'):
        with pytest.raises(InputError, match="only text can be trained on"):
            refuse({"text": f"{marker}\nWhat is it?", column: value})
        refuse({"text": "What is it?", column: value})
    for nothing in (None, "", [], "[]", {"bytes": None, "path": None}):
        refuse({"text": f"The tag {marker} in HTML", column: nothing})
    refuse({"text": f"The tag {marker}", "title": "x"})


@pytest.mark.parametrize(
    "row",
    [
        {"conversations": [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]},
        {"messages": [{"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": "A cat."}]},
        {"instruction": "<image>What?", "input": "", "output": "A cat."},
        {"prompt": "<image>What?", "completion": "A cat."},
    ],
)
def test_rows_of_every_layout(row):
    layout = recognise(list(row), [row])
    assert to_messages(row, layout)[-1]["content"] == "A cat."
    with pytest.raises(InputError, match="the column 'images'"):
        to_messages(row | {"images": ["x.png"]}, layout)
    if "prompt" in row:
        with pytest.raises(InputError, match="the column 'images'"):
            render(row | {"images": ["x.png"]}, layout, "{prompt}\n{completion}", tok())


@pytest.mark.parametrize(
    "column", ["frames", "image_0", "media", "screenshot", "image_list", "Images", "img_2", "photo"]
)
def test_a_marker_beside_a_column_of_any_such_name(column):
    with pytest.raises(InputError, match="only text can be trained on"):
        refuse({"text": "<image> What is it?", column: "x.png"})
    refuse({"text": "What is it?", column: "x.png"})
    refuse({"text": "The tag <image>", f"{column}_caption": "x"})
