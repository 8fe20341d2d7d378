"""Formats of prompts by name: each a chat template of our own, which works with any tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.models.tokenizer import traits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Named:
    """A format.

    Attributes:
        label, sentence: for people.
        markers: texts that a model made for this format has as special tokens.
        jinja: the chat template, but for the beginning token.
    """

    label: str
    sentence: str
    markers: tuple[str, ...]
    jinja: str


_CHATML = r"""
{%- for m in messages %}
    {{- '<|im_start|>' + m.role + '\n' }}
    {%- if m.role == 'assistant' %}
        {%- generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}
    {%- else %}
        {{- m.content + '<|im_end|>' }}
    {%- endif %}
    {{- '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
# Words lose the white space around them; what a tool says is by "ipython".
_LLAMA_3 = r"""
{%- for m in messages %}
    {{- '<|start_header_id|>' + ('ipython' if m.role == 'tool' else m.role) + '<|end_header_id|>\n\n' }}
    {%- if m.role == 'assistant' %}
        {%- generation %}{{ m.content | trim + '<|eot_id|>' }}{% endgeneration %}
    {%- else %}
        {{- m.content | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
_PHI = r"""
{%- for m in messages %}
    {{- '<|' + ('user' if m.role == 'tool' else m.role) + '|>\n' }}
    {%- if m.role == 'assistant' %}
        {%- generation %}{{ m.content + '<|end|>' }}{% endgeneration %}
    {%- else %}
        {{- m.content + '<|end|>' }}
    {%- endif %}
    {{- '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- endif %}
"""
# There are two speakers only: a system prompt stands in front of what the user says next.
_GEMMA = r"""
{%- set before = namespace(text='') %}
{%- for m in messages %}
    {%- if m.role == 'system' %}
        {%- set before.text = before.text + m.content | trim + '\n\n' %}
    {%- elif m.role == 'assistant' %}
        {{- '<start_of_turn>model\n' }}
        {%- generation %}{{ m.content | trim + '<end_of_turn>' }}{% endgeneration %}
        {{- '\n' }}
    {%- else %}
        {{- '<start_of_turn>user\n' + before.text + m.content | trim + '<end_of_turn>\n' }}
        {%- set before.text = '' %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\n' }}
{%- endif %}
"""
# An instruction with an input is written in two parts; what a tool says is an input, too.
_ALPACA = r"""
{%- set asked = namespace(first=true) %}
{%- for m in messages %}
    {%- if m.role == 'system' %}
        {{- m.content + '\n\n' }}
    {%- elif m.role == 'tool' %}
        {{- '### Input:\n' + m.content + '\n\n' }}
    {%- elif m.role == 'user' %}
        {%- if asked.first and m.input %}
            {{- 'Below is an instruction that describes a task, paired with an input that provides further context. ' }}
        {%- elif asked.first %}
            {{- 'Below is an instruction that describes a task. ' }}
        {%- endif %}
        {%- if asked.first %}
            {{- 'Write a response that appropriately completes the request.\n\n' }}
        {%- endif %}
        {%- set asked.first = false %}
        {%- if m.input %}
            {{- '### Instruction:\n' + m.instruction + '\n\n### Input:\n' + m.input + '\n\n' }}
        {%- else %}
            {{- '### Instruction:\n' + m.content + '\n\n' }}
        {%- endif %}
    {%- else %}
        {{- '### Response:\n' }}
        {%- generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}
        {{- '' if loop.last else '\n\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '### Response:\n' }}
{%- endif %}
"""
_PLAIN = r"""
{%- for m in messages %}
    {%- if m.role == 'assistant' %}
        {%- generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}
        {{- '' if loop.last else '\n' }}
    {%- else %}
        {{- m.content + ('\n\n' if m.role == 'system' else '\n') }}
    {%- endif %}
{%- endfor %}
"""
NAMED: dict[str, Named] = {
    "alpaca": Named("Alpaca", "Headings for instruction, input and response; for base models.", (), _ALPACA),
    "chatml": Named(
        "ChatML", "Qwen, SmolLM and many others: each turn between two marks.", ("<|im_start|>", "<|im_end|>"), _CHATML
    ),
    "llama-3": Named(
        "Llama 3",
        "Llama 3 and its offspring: each turn has a header.",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        _LLAMA_3,
    ),
    "phi": Named(
        "Phi", "Phi 3 and later: a mark for each speaker.", ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"), _PHI
    ),
    "gemma": Named(
        "Gemma",
        "Gemma: two speakers; a system prompt stands in the user's first turn.",
        ("<start_of_turn>", "<end_of_turn>"),
        _GEMMA,
    ),
    "plain": Named("Plain", "Question and answer, a line each, and nothing around them; for base models.", (), _PLAIN),
}


def chat_template(name: str, tokenizer: PreTrainedTokenizerFast) -> str:
    """The chat template of a format for a tokenizer: with a beginning token where the tokenizer puts one."""
    return ("{{- bos_token }}" if traits(tokenizer).bos else "") + NAMED[name].jinja.strip()


def unknown_markers(name: str, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The markers of a format that a tokenizer does not have as special tokens, so that it reads them as text."""
    return [marker for marker in NAMED[name].markers if marker not in traits(tokenizer).ids]
