"""The demo model's card: how it was made, what it can do and what it cannot."""

CARD = """---
language: en
license: mit
tags: [tunesmith, demo]
---

# Tunesmith's demo model

A language model of {parameters:.1f} million parameters that was made from nothing but the code in `assets/make` and
a seed, so that Tunesmith can be tried in three minutes without a download. It is a toy with a real architecture
(Llama).

## How it was made

- Text: a corpus that the project's own generator writes (`assets/make/corpus.py`): short documents about made up
  orders, meetings, repairs, journeys and customers, told as prose, lists, tables, JSON, questions with answers, and
  plain chat. No text, weights or data of anybody else were used. About half of all names are made up by syllables.
- Tokenizer: byte-level BPE, {vocabulary} tokens, trained on the same corpus. `<|pad|>` is not the end token
  `<|end|>`.
- Pre-training: seed {seed}, {tokens:.1f} million tokens, each seen once, in {steps} steps of {tokens_a_step} tokens
  (blocks of {block}, the last fifth of {context}), Muon for the matrices of the layers and AdamW for the rest, peak
  learning rate {learning_rate}, on one processor core in {minutes:.0f} minutes ({processor_minutes:.0f} of
  processor time), bf16 autocast.
- Loss on held-out text of the same generator: {held_out_loss:.3f} nats a token. (Much of it cannot be guessed:
  names, numbers.)
- Then the embeddings of the {unseen_tokens} tokens that the corpus hardly uses were set apart by random vectors, so
  that fine-tuning can tell them from each other.
- `python -m assets.make` makes it anew. The same seed gives the same text and tokenizer, and on the same machine
  and library versions nearly the same weights; elsewhere rounding differs and so do they.

The figures of the run are in `training.json`.

## What it can do

Fine-tuned for a minute or two it learns to copy facts from a note into JSON (names that it never saw included), to
sum up a paragraph of its world in a line, to tell five tones apart, and to answer in the style of a small shop's
assistant. Those are the bundled data sets `fields`, `summary`, `tone` and `instructions` (`assets/data`), from the
same generators, in layouts that the pre-training text does not contain.

{results}

As it stands it follows the chat template and answers simple questions about a short text of its own world.

## What it cannot do

- It knows nothing: no facts beyond a few dozen (capitals, opposites), no reasoning, no arithmetic worth the name.
- It cannot follow instructions outside its small world, and English outside it is mostly beyond it. Other languages
  are.
- It saw at most {context} tokens at once; longer texts cannot be expected to work.
- Figures measured on its data sets say that the tool works. They say nothing about what to expect of a real model
  or task.
"""


def text(figures: dict, results: str = "") -> str:
    """The card, filled with the figures that `pretrain` returned and a table of what fine-tuning reached."""
    recipe = figures["recipe"]
    return CARD.format(
        parameters=figures["parameters"] / 1e6,
        vocabulary=figures["vocabulary"],
        context=figures["context"],
        tokens=figures["tokens"] / 1e6,
        steps=figures["step"],
        unseen_tokens=figures["unseen_tokens"],
        held_out_loss=figures["held_out_loss"],
        minutes=figures["wall_s"] / 60,
        processor_minutes=figures["processor_s"] / 60,
        results=results.strip(),
        **{key: recipe[key] for key in ("seed", "tokens_a_step", "block", "learning_rate")},
    )
