"""The named formats: their text, what is trained with its end, on any tokenizer, and as transformers renders them."""

import pytest

from core.data.chat import render_chat
from core.data.encode import encode
from core.data.named import NAMED, chat_template, unknown_markers
from core.data.recognise import recognise
from core.data.template import Wording, check_template, prompt_segments, render
from core.errors import InputError
from core.models.tokenizer import end_ids, load_tokenizer, pad_id, turn_end
from tests import factory

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "So long."},
]
ALPACA = "Below is an instruction that describes a task"
END = "<|im_end|>"
WANT = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    "[Hi.<|im_end|>]\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n[So long.<|im_end|>]\n",
    "llama-3": "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\nHello<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[Hi.<|eot_id|>]<|start_header_id|>user"
    "<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n[So long.<|eot_id|>]",
    "phi": "<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\n[Hi.<|end|>]\n<|user|>\nBye<|end|>\n"
    "<|assistant|>\n[So long.<|end|>]\n",
    "gemma": "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n<start_of_turn>model\n[Hi.<end_of_turn>]\n"
    "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n[So long.<end_of_turn>]\n",
    "alpaca": f"Be brief.\n\n{ALPACA}. Write a response that appropriately completes the request.\n\n### Instruction:\n"
    "Hello\n\n### Response:\n[Hi.</s>]\n\n### Instruction:\nBye\n\n### Response:\n[So long.</s>]",
    "plain": "Be brief.\n\nHello\n[Hi.</s>]\nBye\n[So long.</s>]",
}  # fmt: skip
# The first token that a model made for a format ends its turns with.
ENDS = {"chatml": END, "llama-3": "<|eot_id|>", "phi": "<|end|>", "gemma": "<end_of_turn>", "alpaca": "</s>",
        "plain": "</s>"}  # fmt: skip


def made_for(name, folder, **more):
    """A tokenizer that has the format's markers as special tokens."""
    return load_tokenizer(factory.write_tokenizer(folder, chat=None, eos="</s>", markers=NAMED[name].markers, **more))


def marked(segments):
    return "".join(f"[{s.text}]" if s.answer else s.text for s in segments)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("bos", [False, True])
def test_the_text_of_a_format(tmp_path, name, bos):
    tok = made_for(name, tmp_path, bos=bos)
    segments = render_chat(TALK, tok, Wording(name), chat_template(name, tok))
    assert marked(segments) == ("<s>" if bos else "") + WANT[name]
    assert [s.end for s in segments if s.answer] == [len(ENDS[name])] * 2
    prompt = "".join(s.text for s in prompt_segments(segments))
    again = tok.apply_chat_template(
        TALK[:-1], chat_template=chat_template(name, tok), tokenize=False, add_generation_prompt=True
    )
    assert prompt == again


@pytest.mark.parametrize("name", NAMED)
def test_masks_are_those_of_transformers(tmp_path, name):
    tok = made_for(name, tmp_path)
    template = chat_template(name, tok)
    theirs = tok.apply_chat_template(
        TALK, chat_template=template, return_dict=True, return_assistant_tokens_mask=True, tokenize=True
    )
    ours = encode(render_chat(TALK, tok, Wording(name), template), tok, 9999)
    assert ours.input_ids == theirs["input_ids"]
    assert [int(label >= 0) for label in ours.labels] == theirs["assistant_masks"]


@pytest.mark.parametrize("name", NAMED)
def test_ends_and_pads_of_a_format(tmp_path, name):
    tok = made_for(name, tmp_path, pad=ENDS[name])
    template = chat_template(name, tok)
    assert turn_end(tok, template) == ENDS[name]
    assert end_ids(tok, None, template) == {tok.eos_token_id, tok.convert_tokens_to_ids(ENDS[name])}
    assert pad_id(tok, template) not in end_ids(tok, None, template)
    assert turn_end(tok) == ""  # its own chat template, of which there is none


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece"])
def test_a_tokenizer_without_the_markers(tmp_path, name, kind):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path, kind, chat=None))
    segments = render_chat(TALK, tok, Wording(name), chat_template(name, tok))
    last = [s for s in segments if s.answer][-1]
    assert last.text[: len(last.text) - last.end] == "So long."
    assert encode(segments, tok, 9999).labels.count(tok.eos_token_id) >= (kind != "wordpiece")
    missing = [] if name == "chatml" and kind != "wordpiece" else list(NAMED[name].markers)
    assert unknown_markers(name, tok) == missing


def test_an_instruction_with_and_without_input(tmp_path):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None))
    row = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    layout = recognise(list(row), [row])
    texts = ["".join(s.text for s in render(r, layout, "alpaca", tok)) for r in (row, row | {"input": " "})]
    assert texts[0] == (
        f"{ALPACA}, paired with an input that provides further context. Write a response that appropriately "
        f"completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n3{END}"
    )
    assert texts[1] == (
        f"{ALPACA}. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n"
        f"### Response:\n3{END}"
    )
    assert "Add.\n\n1 and 2<|im_end|>" in "".join(s.text for s in render(row, layout, "chatml", tok))


def test_every_speaker_is_written(tmp_path):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None))
    talk = [TALK[1], TALK[2], {"role": "tool", "content": "Tuesday"}, {"role": "system", "content": "Now in Dutch."},
            TALK[3], TALK[4]]  # fmt: skip
    for name in NAMED:
        text = "".join(s.text for s in render_chat(talk, tok, Wording(name), chat_template(name, tok)))
        assert all(m["content"] in text for m in talk), name


def test_a_greeting_under_a_system_prompt(tmp_path):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None))
    talk = [TALK[0], {"role": "assistant", "content": "Welcome."}, *TALK[1:3]]
    for name in NAMED:
        segments = render_chat(talk, tok, Wording(name), chat_template(name, tok))
        assert [s.text[:3] for s in segments if s.answer] == ["Hi."]
        assert "Be brief." in segments[0].text and "Welcome." in segments[0].text


@pytest.mark.parametrize(
    ("given", "meant"), [("chat-ml", "chatml"), ("llama3", "llama-3"), ("alpacca", "alpaca"), ("Phi", "phi"),
                         ("gemma2", "gemma"), ("Plain", "plain")],
)  # fmt: skip
def test_a_name_that_is_nearly_one(given, meant):
    check_template(meant, ["q", "a"])
    with pytest.raises(InputError) as error:
        check_template(given, ["q", "a"])
    assert error.value.field == "data.template"
    assert str(error.value) == (
        f"There is no format {given!r}. Did you mean {meant!r}? Known: {', '.join(NAMED)}. "
        "A template of your own names a column in braces, such as {a}."
    )
