"""Each layout has a template and a task that suit it."""

import pytest

from core.data.formats import Layout, answer_column
from core.data.recognise import recognise
from core.data.suggest import suggest_task, suggest_template
from core.data.template import check_template

SHAREGPT = {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]}
MESSAGES = {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
HH = "\n\nHuman: u\n\nAssistant: a"


@pytest.mark.parametrize(
    ("row", "template", "task"),
    [
        ({"text": "x"}, "[[{text}]]", "generation"),
        ({"phrase": "p", "tone": "t"}, "### Phrase: {phrase}\n### Tone: {tone}", "classification"),
        ({"note": "n", "fields": '{"a": 1}'}, "### Note:\n{note}\n### Fields:\n{fields}", "extraction"),
        ({"text": "n", "summary": "s"}, "### Text:\n{text}\n### Summary:\n{summary}", "summarization"),
        ({"question": "q", "answer": "a", "context": "c"},
         "### Context:\n{context}\n### Question:\n{question}\n### Answer:\n{answer}", "generation"),
        ({"system": "s", "prompt": "p", "response": "r"},
         "{system}\n\n### Prompt:\n{prompt}\n### Response:\n{response}", "generation"),
        ({"instruction": "i", "input": "x", "output": "o"},
         "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n{output}", "generation"),
        ({"premise": "x", "hypothesis": "y", "label": 1},
         "### Premise: {premise}\n### Hypothesis: {hypothesis}\n### Label: {label}", "classification"),
        ({"sentence1": "x", "sentence2": "y", "score": 2.5},
         "### Sentence1: {sentence1}\n### Sentence2: {sentence2}\n### Score: {score}", "similarity"),
        ({"tokens": ["a"], "tags": ["O"], "text": "a", "entities": "{}"},
         "### Text:\n{text}\n### Entities:\n{entities}", "extraction"),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "### Prompt:\n{prompt}\n### Answer:\n{chosen}", "generation"),
        (MESSAGES, None, "generation"),
        (SHAREGPT, None, "generation"),
        ({"chosen": HH, "rejected": HH}, None, "generation"),
    ],
)  # fmt: skip
def test_what_suits_a_layout(row, template, task):
    layout = recognise(list(row), [row])
    assert (suggest_template(layout), suggest_task(layout, [row])) == (template, task)
    assert layout.conversational == (template is None)
    if template is not None:
        check_template(template, list(row))
        assert answer_column(layout) in row
    else:
        assert answer_column(layout) == ""


def test_no_template_is_suggested_that_could_not_be_read():
    assert suggest_template(Layout("text", {"text": "a{b}"}, "")) is None
