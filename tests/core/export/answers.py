"""What a decoder's graph answers in the runtime that a package uses, and what PyTorch answers to the same tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

END, PAD = 4, 0
PROMPTS = [[7], [1, 30, 40, 50, 60, 70], [9, 8, 7, 6, 5, 90, 91, 92, 93] * 5]


def ask(folder: Path, prompts: Sequence[list[int]], new: int = 24) -> Iterator[tuple[list[int], np.ndarray]]:
    """Greedy tokens of each prompt, by the runtime that a package uses, and the logits along prompt and answer."""
    import onnxruntime_genai as og

    model = og.Model(str(folder))
    for prompt in prompts:
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=len(prompt) + new, do_sample=False)
        generator = og.Generator(model, params)
        generator.append_tokens(prompt)
        tokens = []
        while not generator.is_done():
            generator.generate_next_token()
            tokens.append(int(generator.get_next_tokens()[0]))
        again = og.Generator(model, params)
        again.append_tokens(prompt + tokens[:-1])
        yield tokens, np.asarray(again.get_output("logits"))[0].astype(np.float32)


def torch_says(model: Any, prompt: list[int], tokens: list[int]) -> tuple[list[int], np.ndarray]:
    """PyTorch's greedy tokens after the prompt, and its logits along prompt and `tokens`."""
    import torch

    with torch.inference_mode():
        made = model.generate(
            input_ids=torch.tensor([prompt]), max_new_tokens=24, do_sample=False, eos_token_id=END, pad_token_id=PAD
        )
        logits = model(input_ids=torch.tensor([prompt + tokens[:-1]])).logits[0]
    return made[0, len(prompt) :].tolist(), logits.float().numpy()


def differences(model: Any, folder: Path, prompts: Sequence[list[int]] = PROMPTS) -> list[tuple[bool, float]]:
    """For each prompt: whether the tokens are PyTorch's, and the largest difference of a logit."""
    found = []
    for prompt, (tokens, ours) in zip(prompts, ask(folder, prompts), strict=True):
        wanted, theirs = torch_says(model, prompt, tokens)
        found.append((tokens == wanted, float(np.abs(ours - theirs).max())))
    return found
