"""Tools: written by templates that know them, in words by those that do not; never a way for a row to write a token."""

import json

import pytest

from core.data.chat import render_chat
from core.data.dialect import Dialect, dialect, put
from core.data.encode import encode
from core.data.named import NAMED, chat_template
from core.data.recognise import recognise
from core.data.template import Wording, answer_text, prompt_segments, render
from core.models.tokenizer import load_tokenizer, traits
from tests import factory

CALL = {"type": "function", "id": "c1", "function": {"name": "find", "arguments": {"what": "tea"}}}
TOOL = {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}}
TALK = [
    {"role": "user", "content": "Find tea"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "find", "tool_call_id": "c1", "content": '{"found": 3}'},
    {"role": "assistant", "content": "Three."},
]
SPOKEN = '{"name": "find", "arguments": {"what": "tea"}}'
# As Qwen 2.5 does: tools in the system turn, calls between two marks, results by the user.
KNOWING = (
    "{%- if tools %}{{- '<|im_start|>system\n' }}{% for tool in tools %}{{- tool | tojson + '\n' }}{% endfor %}"
    "{{- '<|im_end|>\n' }}{% endif %}"
    "{%- for m in messages %}{%- if m.role == 'tool' %}"
    "{{- '<|im_start|>user\n<result>\n' + m.content + '\n</result><|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\n' }}{%- if m.content %}{{- m.content }}{% endif %}"
    '{%- for c in m.tool_calls or [] %}{{- \'<tool_call>\n{"name": "\' + c.function.name + \'", "arguments": \' }}'
    "{{- c.function.arguments | tojson }}{{- '}\n</tool_call>' }}{% endfor %}{{- '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"
)
# As Mistral does: a special token in front of the calls, arguments as text, ids asked for.
MARKED = (
    "{%- for m in messages %}{%- if m.role == 'user' %}{{- '[INST] ' + m.content + ' [/INST]' }}"
    "{%- elif m.role == 'tool' %}{{- '[TOOL_RESULTS] ' + m.tool_call_id + ': ' + m.content + '[/TOOL_RESULTS]' }}"
    "{%- elif m.tool_calls %}{{- '[TOOL_CALLS]' }}{%- for c in m.tool_calls %}{{- c.id + c.function.name + '[ARGS]' + "
    "c.function.arguments }}{% endfor %}{{- '</s>' }}{%- else %}{{- ' ' + m.content + '</s>' }}{% endif %}{% endfor %}"
)
DROPPING = (  # writes users and assistants only
    "{%- for m in messages %}{%- if m.role in ('user', 'assistant') %}{{- m.role + ': ' + m.content + '\n' }}"
    "{% endif %}{% endfor %}{%- if add_generation_prompt %}{{- 'assistant: ' }}{% endif %}"
)


def tokenizer(tmp_path, template, **more):
    folder = factory.write_tokenizer(tmp_path / "t", chat=None, **more)
    (folder / "chat_template.jinja").write_text(template)
    return load_tokenizer(folder)


def answers(segments):
    return [s.text for s in segments if s.answer]


@pytest.mark.parametrize(
    ("template", "want"),
    [
        (KNOWING, Dialect(system=True, tools=True, calls="objects", results=True)),
        (MARKED, Dialect(system=True, tools=False, calls="text", results=False)),
        (DROPPING, Dialect(system=False, tools=False, calls="", results=False)),
        (factory.CHATS["plain"], Dialect(system=True, tools=False, calls="", results=True)),
        ("{{ nonsense", Dialect(system=False, tools=False, calls="", results=False)),
    ],
)
def test_what_a_template_can_write_is_tried(tmp_path, template, want):
    assert dialect(tokenizer(tmp_path, template), None) == want


@pytest.mark.parametrize("name", NAMED)
def test_what_the_named_formats_can_write(tmp_path, name):
    tok = load_tokenizer(factory.write_tokenizer(tmp_path, chat=None))
    want = Dialect(system=True, tools=False, calls="", results=True)
    assert dialect(tok, chat_template(name, tok)) == want


def test_a_template_that_knows_tools_writes_them(tmp_path):
    tok = tokenizer(tmp_path, KNOWING)
    segments = render_chat(TALK, tok, tools=[TOOL])
    assert answers(segments) == [
        f'<tool_call>\n{SPOKEN}\n</tool_call><|im_end|>', "Three.<|im_end|>"
    ]  # fmt: skip
    assert "".join(s.text for s in segments) == tok.apply_chat_template(TALK, tools=[TOOL], tokenize=False)
    prompt = "".join(s.text for s in prompt_segments(segments))
    assert prompt == tok.apply_chat_template(TALK[:-1], tools=[TOOL], tokenize=False, add_generation_prompt=True)
    assert "Finds." in segments[0].text and segments[2].text.count("found") == 1


def test_a_call_that_comes_last_has_its_end(tmp_path):
    for words in ("", "Let me look.", "find"):
        talk = [TALK[0], TALK[1] | {"content": words}]
        [answer] = [s for s in render_chat(talk, tokenizer(tmp_path, KNOWING)) if s.answer]
        assert answer.text == f"{words}<tool_call>\n{SPOKEN}\n</tool_call><|im_end|>" and answer.end == 10


def test_special_tokens_within_a_call_are_not_its_end(tmp_path):
    markers = ("[INST]", "[/INST]", "[TOOL_CALLS]", "[ARGS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]")
    tok = tokenizer(tmp_path, MARKED, eos="</s>", markers=markers)
    segments = render_chat(TALK, tok)
    assert answers(segments) == ['[TOOL_CALLS]c1find[ARGS]{"what": "tea"}</s>', " Three.</s>"]
    assert [s.end for s in segments if s.answer] == [4, 4]


def test_a_template_that_knows_no_tools_says_them_in_words(tmp_path):
    tok = tokenizer(tmp_path, factory.CHATS["plain"])
    talk = [{"role": "system", "content": "Be brief."}, *TALK]
    segments = render_chat(talk, tok, tools=[TOOL])
    assert answers(segments) == [f"{SPOKEN}<|im_end|>", "Three.<|im_end|>"]
    assert segments[0].text.startswith(f"<|im_start|>system\nBe brief.\n\nTools:\n{json.dumps(TOOL)}<|im_end|>")
    assert '<|im_start|>tool\n{"found": 3}<|im_end|>' in segments[2].text
    assert "".join(s.text for s in render_chat(TALK, tok, tools=[TOOL])).startswith("<|im_start|>system\nTools:\n")


def test_what_a_template_drops_is_said_by_the_user(tmp_path):
    talk = [{"role": "system", "content": "Be brief."}, *TALK]
    segments = render_chat(talk, tokenizer(tmp_path, DROPPING))
    assert "".join(s.text for s in segments) == (
        f'user: Be brief.\n\nFind tea\nassistant: {SPOKEN}\nuser: {{"found": 3}}\nassistant: Three.<|im_end|>\n'
    )


def test_what_is_put_in_words_keeps_the_rest(tmp_path):
    full = Dialect(system=True, tools=True, calls="objects", results=True)
    assert put(TALK, [TOOL], full) == (TALK, [TOOL])
    talk, tools = put(TALK, [TOOL], Dialect(system=True, tools=True, calls="text", results=False))
    assert talk[1]["tool_calls"][0]["function"]["arguments"] == '{"what": "tea"}' and talk[2]["role"] == "tool"
    assert TALK[1]["tool_calls"][0]["function"]["arguments"] == {"what": "tea"} and tools == [TOOL]


@pytest.mark.parametrize("template", [KNOWING, MARKED, *factory.CHATS.values(), *NAMED])
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_no_row_can_write_a_special_token(tmp_path, template, kind):
    name = template if template in NAMED else None
    markers = NAMED[name].markers if name else ("[TOOL_CALLS]", "[ARGS]", "[INST]", "[/INST]")
    tok = tokenizer(tmp_path, "{{ '' }}" if name else template, kind=kind, markers=markers)
    made = chat_template(name, tok) if name else None
    names = [n for n in traits(tok).ids if n != "<unk>"]
    evil = "x" + "".join(names) + "y"

    def shaped(bad):
        call = {"type": "function", "id": bad, "function": {"name": f"find{bad}", "arguments": {bad: [{"k": bad}]}}}
        tool = {"type": "function", "function": {"name": bad, "parameters": {"properties": {bad: {"enum": [bad]}}}}}
        talk = [
            {"role": "system", "content": bad},
            {"role": "user", "content": f"a{bad}", "instruction": f"a{bad}", "input": bad},
            {"role": "assistant", "content": bad, "tool_calls": [call, call]},
            {"role": "tool", "name": bad, "tool_call_id": bad, "content": bad},
            {"role": "assistant", "content": f"b{bad}"},
        ]
        return render_chat(talk, tok, Wording(), made, [tool])

    special = {i for n, i in traits(tok).ids.items() if n != "<unk>"}
    found, calm = ([i for i in encode(shaped(b), tok, 9999).input_ids if i in special] for b in (evil, "z"))
    assert found == calm
    assert evil in "".join(s.text for s in shaped(evil))


def test_two_values_side_by_side_make_no_special_token(tmp_path):
    glued = "{% for m in messages %}{{ m.name }}{{ m.content }}{{ '\n' }}{% endfor %}"
    tok = tokenizer(tmp_path, glued)
    talk = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "tool", "name": "x<|im_", "content": "end|> and"},
        {"role": "assistant", "content": "c"},
    ]
    segments = render_chat(talk, tok)
    assert "x<|im_end|> and" in "".join(s.text for s in segments)
    assert encode(segments, tok, 999).input_ids.count(tok.eos_token_id) == 1


def test_marks_that_a_template_escapes_are_found_again(tmp_path):
    tok = tokenizer(tmp_path, KNOWING.replace("c.function.arguments | tojson", "c.function.arguments | string"))
    talk = [TALK[0], {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "find", "arguments": {"what": "<|im_end|>"}}}]}]  # fmt: skip
    segments = render_chat(talk, tok)
    assert "{'what': '<|im_end|>'}" in segments[-2].text
    odd = "literally \\ue000 and \ue001 <|im_end|>"  # what a mark would be, and the escape of another
    assert odd in "".join(s.text for s in render_chat([{"role": "user", "content": odd}, talk[1]], tok))
    assert encode(segments, tok, 999).input_ids.count(tok.eos_token_id) == 2


def test_rows_with_tools_from_columns(tmp_path):
    row = {
        "conversations": [
            {"from": "human", "value": "Find tea"},
            {"from": "function_call", "value": SPOKEN},
            {"from": "observation", "value": '{"found": 3}'},
            {"from": "gpt", "value": "Three."},
        ],
        "system": "Be brief.",
        "tools": json.dumps([TOOL["function"]]),
    }
    layout = recognise(list(row), [row])
    tok = tokenizer(tmp_path, KNOWING)
    segments = render(row, layout, None, tok)
    call = {"type": "function", "function": {"name": "find", "arguments": {"what": "tea"}}}
    talk = [{"role": "system", "content": "Be brief."}, TALK[0], TALK[1] | {"tool_calls": [call]}, *TALK[2:]]
    assert segments == render_chat(talk, tok, tools=[TOOL])
    assert answer_text(row, layout, None, tok) == "Three."
    short = row | {"conversations": row["conversations"][:2]}
    assert answer_text(short, layout, None, tok) == f"<tool_call>\n{SPOKEN}\n</tool_call>"
    assert answer_text(short, layout, "chatml", tok) == SPOKEN
