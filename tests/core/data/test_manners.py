"""Whoever asks through a chat template alone sends the tokens that were trained, whatever the template's manners."""

import functools

import pytest

from core.data.chat import render_chat
from core.data.encode import encode, encode_prompt
from core.data.formats import Layout
from core.data.reasoning import answer_of
from core.data.template import Wording, answer_text, prompt_segments, render
from core.data.turns import conversation
from core.models.tokenizer import traits
from tests.core.data import families

LLAMA = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + "
    "m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# As Qwen 3: reasoning is read from its key or out of the words, written in the last answer only, as an empty block
# where there is none; tools and calls are known.
QWEN3 = (
    "{%- if tools %}{{- '<|im_start|>system\n' }}{% for t in tools %}{{- t | tojson + '\n' }}{% endfor %}"
    "{{- '<|im_end|>\n' }}{% endif %}"
    "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- set why = '' %}{%- set said = m.content %}"
    "{%- if m.reasoning_content is string %}{%- set why = m.reasoning_content %}{%- elif '</think>' in said %}"
    "{%- set why = said.split('</think>')[0].split('<think>')[-1] %}{%- set said = said.split('</think>')[-1] %}"
    "{%- endif %}{{- '<|im_start|>assistant\n' }}"
    "{%- if loop.last %}{{- '<think>\n' + why.strip('\n') + '\n</think>\n\n' }}{% endif %}{{- said.lstrip('\n') }}"
    '{%- for c in m.tool_calls or [] %}{{- \'<tool_call>\n{"name": "\' + c.function.name + \'", "arguments": \' }}'
    "{{- c.function.arguments | tojson + '}\n</tool_call>' }}{% endfor %}{{- '<|im_end|>\n' }}"
    "{%- elif m.role == 'tool' %}{{- '<|im_start|>user\n' + m.content + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"
)
# As Qwen 3's thinking models: the generation prompt opens the reasoning.
OPENS = QWEN3.replace("'<|im_start|>assistant\n' }}{% endif %}", "'<|im_start|>assistant\n<think>\n' }}{% endif %}")
# As R1: the reasoning is taken out of every answer, and the generation prompt opens it.
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% set said = m.content %}"
    "{% if '</think>' in said %}{% set said = said.split('</think>')[-1] %}{% endif %}"
    "{{ '<|Assistant|>' + said + eos_token }}{% else %}{{ '<|User|>' + m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)
# As the template of a tuned R1: out of every answer, and an empty block in the last.
STRIPS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' and loop.last %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ m.content.split('</think>')[-1].lstrip('\n') + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + "
    "'\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
PHI = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# As gpt-oss: reasoning in a channel of its own, under another key, in the last answer only.
HARMONY = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% if '<|channel|>' in m.content %}"
    "{{ raise_exception('put it into thinking') }}{% endif %}{% if m.thinking and loop.last %}"
    "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{% endif %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + ('<|return|>' if loop.last else '<|end|>') }}"
    "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)
# As QwQ, DeepSeek 3.2 and GLM 4.7 without reasoning: the block is closed in the prompt, in both, or in the answers.
CLOSES = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|><think>\n</think>' }}{% endif %}"
)
BOTH = CLOSES.replace("+ m.content +", "+ ('</think>' if m.role == 'assistant' else '') + m.content +")
HALF = BOTH.replace("<think>\n</think>", "<think>")
INSIDE = CLOSES.replace("+ m.content +", "+ ('<think>\n' if m.role == 'assistant' else '') + m.content +").replace(
    "\n</think>", "\n"
)
CHANNEL = CLOSES.replace("<think>\n</think>", "<|channel|>thought\n<|channel|>")
# Once an answer is there, what came before it is written otherwise.
REWRITES = CHATML.replace(
    "m.content +", "m.content + ('!' if m.role == 'assistant' and messages[-1].role == 'user' else '') +"
)
TALK = Layout("messages", {"messages": "messages", "role": "role", "content": "content"}, "")
TEMPLATES = {
    "llama": LLAMA, "chatml": CHATML, "qwen3": QWEN3, "opens": OPENS, "r1": R1, "strips": STRIPS, "gemma": GEMMA,
    "mistral": MISTRAL, "phi": PHI, "harmony": HARMONY,
}  # fmt: skip
MARKERS = (
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]",
    "<|User|>", "<|Assistant|>", "<|user|>", "<|assistant|>", "<|end|>", "<|start|>", "<|channel|>", "<|message|>",
    "<|return|>",
)  # fmt: skip
WHY, WORDS = "Ghent is\n\nin Belgium.", "It lies\nthere."
ASKED = {"role": "user", "content": "Where is Ghent?"}
FORMS = {  # of an answer: as many files have it
    "plain": {"content": WORDS},
    "key": {"content": WORDS, "reasoning_content": WHY},
    "other key": {"content": WORDS, "reasoning": WHY},
    "thinking": {"content": WORDS, "thinking": WHY, "reasoning_content": None},
    "tags": {"content": f"<think>\n{WHY}\n</think>\n\n{WORDS}"},
    "other tags": {"content": f"<thinking>{WHY}</thinking>{WORDS}"},
    "closing tag": {"content": f"{WHY}\n</think>\n\n{WORDS}"},
    "blocks": {"content": [{"type": "thinking", "thinking": WHY}, {"type": "text", "text": WORDS}]},
    "channels": {
        "content": f"<|channel|>analysis<|message|>{WHY}<|end|><|start|>assistant<|channel|>final<|message|>{WORDS}"
    },
}
THINKS = ("qwen3", "opens", "r1", "strips", "harmony")  # templates that have a place for reasoning


@functools.cache
def tok():
    return families.make("bpe", bos=False, markers=MARKERS)


def talk(answer, *before):
    return conversation([*before, ASKED, {"role": "assistant", **answer}], "messages", "role", "content")


def texts(segments):
    prompt = "".join(s.text for s in prompt_segments(segments))
    [answer] = [s for s in segments[len(prompt_segments(segments)) :] if s.answer]
    return prompt, answer


EARLIER = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"<think>\n{WHY}\n</think>\n\nHello."}]


def asked_alone(messages, template, tools=None):
    """What a server sends to be answered: the template's own text of what was said."""
    return tok().apply_chat_template(
        messages, chat_template=template, tools=tools, tokenize=False, add_generation_prompt=True
    )


@pytest.mark.parametrize("form", ["plain", "key", "tags"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_earlier_turns_are_those_that_a_server_sends(name, form):
    template, said = TEMPLATES[name], talk(FORMS[form], *EARLIER)
    segments = render_chat(said, tok(), Wording(train_on="last"), template)
    prompt, answer = texts(segments)
    if name in ("llama", "chatml", "gemma", "mistral", "phi", "r1", "strips"):  # the others want it under their key
        assert prompt == asked_alone([*EARLIER, ASKED], template)
    else:
        key = {"harmony": "thinking"}.get(name, "reasoning_content")
        keyed = {"role": "assistant", "content": "Hello.", key: WHY}
        assert prompt == asked_alone([EARLIER[0], keyed, ASKED], template)
    assert (WHY in f"{prompt[-9:]}{answer.text}") == (form != "plain" and (name in THINKS or form == "tags"))
    if name in ("r1", "strips", "harmony", "qwen3", "opens"):
        assert [s.lost for s in segments if not s.answer and s.lost] == [WHY]
    every = render_chat(said, tok(), Wording(), template)
    learned = [s.text for s in every if s.answer]
    assert learned[-1] == answer.text
    assert not any("<think>\n\n</think>" in text and WHY not in text for text in learned[:-1])


@pytest.mark.parametrize("name", [*TEMPLATES, "vicuna", "tagged"])
@pytest.mark.parametrize("form", ["plain", "key", "tags", "closing tag"])
def test_the_right_answer_is_what_the_model_says_behind_its_reasoning(name, form):
    vicuna = "{% for m in messages %}{{ m.role.upper() + ': ' + m.content + ' ' }}{% endfor %}"  # no generation prompt
    tagged = "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token }}{% endfor %}"
    template = {"vicuna": vicuna, "tagged": tagged}.get(name) or TEMPLATES[name]
    model = families.make("bpe", bos=False, markers=MARKERS)
    model.chat_template = template
    row = {"messages": [ASKED, {"role": "assistant", **FORMS[form]}]}
    segments = render(row, TALK, None, model)
    learned = [label for label in encode(segments, model, 999).labels if label >= 0]
    said = answer_of(model.decode(learned, skip_special_tokens=True))
    want = answer_text(row, TALK, None, model, segments)
    assert want.endswith(WORDS) and answer_text(row, TALK, None, model) == WORDS
    if name != "harmony" or form == "plain":  # whose channels are special tokens, which a decoded text has not
        assert want == said


@pytest.mark.parametrize(
    ("template", "plain", "reasoned"),
    [
        (CLOSES, WORDS, None), (BOTH, WORDS, None), (CHANNEL, WORDS, None), (REWRITES, WORDS, None),
        (HALF, f"</think>{WORDS}", f"{WHY}\n</think>{WORDS}"),
        (INSIDE, f"\n</think>\n\n{WORDS}", f"{WHY}\n</think>\n\n{WORDS}"),
    ],
)  # fmt: skip
def test_answers_that_do_not_begin_as_the_generation_prompt_ends(template, plain, reasoned):
    for before in ([], [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]):
        for form, want in (("plain", plain), ("key", reasoned or plain)):
            segments = render_chat(talk(FORMS[form], *before), tok(), Wording(train_on="last"), template)
            prompt, answer = texts(segments)
            assert prompt == asked_alone([*before, ASKED], template)
            assert answer.text[: -answer.end] == want
            assert bool(answer.lost) == (form == "key" and reasoned is None)


def test_marks_end_where_the_assistant_ends():
    marked = (
        "{% for m in messages %}{{ m.role + ('!' if loop.last else '?') }}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content }}{% endgeneration %} -{% else %}{{ m.content }}{% endif %}{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant!' }}{% endif %}"
    )
    said = talk({"content": "So."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."})
    said.insert(2, {"role": "tool", "content": "RESULT"})
    answers = [s.text for s in render_chat(said, tok(), None, marked) if s.answer]
    assert answers[0] == "Hello." and not any("RESULT" in text for text in answers)


CALL = {"type": "function", "function": {"name": "find", "arguments": {"city": "Ghent"}}}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("why", ["", WHY])
@pytest.mark.parametrize("name", ["qwen3", "opens"])
def test_calls_and_their_reasoning_are_learned_behind_the_same_prompt(name, why):
    template = TEMPLATES[name]
    said = talk({"content": "", "tool_calls": [CALL], "reasoning_content": why})
    segments = render_chat(said, tok(), Wording(), template, [TOOL])
    prompt, answer = texts(segments)
    assert prompt == asked_alone([ASKED], template, [TOOL])
    call = '<tool_call>\n{"name": "find", "arguments": {"city": "Ghent"}}\n</tool_call><|im_end|>'
    assert f"{prompt}{answer.text}".endswith(f"assistant\n<think>\n{why}\n</think>\n\n{call}") and not answer.lost


def test_a_call_that_a_template_forgets_is_said():
    forgets = QWEN3.replace("c.function.arguments | tojson", "{} | tojson")
    said = [ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
    [answer] = [s for s in render_chat(said, tok(), Wording(), CHATML) if s.answer]
    assert answer.lost == "" and "Ghent" in answer.text  # such a template is given calls in words
    once = forgets.replace("{} | tojson", "(c.function.arguments if c.id else {}) | tojson")
    [answer] = [s for s in render_chat(said, tok(), Wording(), once) if s.answer]
    assert answer.lost == "city" and "Ghent" not in answer.text


def test_words_that_a_template_cuts_are_said():
    cuts = CHATML.replace("m.content +", "m.content[:5] +")
    [prompt, answer, _] = render_chat([ASKED, {"role": "assistant", "content": "It lies there."}], tok(), None, cuts)
    assert answer.text == "It li<|im_end|>" and answer.lost == "It lies there." and not prompt.lost


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_prompt_is_the_template_s_own_and_all_behind_it_is_learned(name, form):
    template, said = TEMPLATES[name], talk(FORMS[form])
    segments = render_chat(said, tok(), Wording(), template)
    prompt, answer = texts(segments)
    plain = [{"role": "user", "content": ASKED["content"]}]
    own = tok().apply_chat_template(plain, chat_template=template, tokenize=False, add_generation_prompt=True)
    assert prompt == own and answer.end
    made, asked = encode(segments, tok(), 999), encode_prompt(prompt_segments(segments), tok(), 999)
    assert asked == tok()(own, add_special_tokens=False)["input_ids"]
    assert made.input_ids[: len(asked)] == asked and made.labels[: len(asked)] == [-100] * len(asked)
    trained = [label for label in made.labels if label >= 0]
    assert made.input_ids[len(asked) : len(asked) + len(trained)] == trained  # all that stands behind the prompt
    assert trained[-1] in traits(tok()).ids.values()
    assert WORDS in answer.text
    written = f"{prompt}{answer.text}"
    if form == "plain":
        assert not answer.lost and WHY not in written
        if name == "opens":
            assert answer.text == f"\n</think>\n\n{WORDS}<|im_end|>"
        elif name == "r1":
            assert answer.text == f"\n</think>\n\n{WORDS}{tok().eos_token}"
        elif name == "qwen3":
            assert answer.text == f"<think>\n\n</think>\n\n{WORDS}<|im_end|>"
    elif name in THINKS:
        assert WHY in written, answer.text
        assert not answer.lost
        if "</think>" in written:
            assert f"<think>\n{WHY}\n</think>\n\n{WORDS}" in written and written.count("</think>") == 1
    else:
        assert (WHY in answer.text) != bool(answer.lost)
        assert answer.lost in ("", WHY)
