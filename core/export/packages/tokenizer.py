"""In a package: tokenizer.json and the chat template by themselves, in the shape that the prompt code asks for.

Stands in for transformers.PreTrainedTokenizerFast, so that a package needs neither transformers nor torch.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

OPEN, CLOSE = "\uf8fe", "\uf8ff"  # around what the assistant says, while its places are looked for


class PlainTokenizer:
    """The parts of a fast tokenizer that rendering and encoding a prompt need.

    Args:
        folder: holds tokenizer.json.
        special_tokens: name -> text, such as {"bos_token": "<s>"}; the chat template sees them.
        chat_template: Jinja, or None.
    """

    def __init__(self, folder: Path, special_tokens: dict[str, Any], chat_template: str | None) -> None:
        self.backend_tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.special_tokens_map = special_tokens
        self.chat_template = chat_template
        self.bos_token: str | None = special_tokens.get("bos_token")
        self.eos_token: str | None = special_tokens.get("eos_token")
        self.pad_token: str | None = special_tokens.get("pad_token")
        self.unk_token: str | None = special_tokens.get("unk_token")
        self.bos_token_id = self._id(self.bos_token)
        self.eos_token_id = self._id(self.eos_token)
        self.pad_token_id = self._id(self.pad_token)

    def _id(self, token: str | None) -> int | None:
        return self.backend_tokenizer.token_to_id(token) if token else None

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size())

    def get_chat_template(self, chat_template: str | None = None, tools: list[dict[str, Any]] | None = None) -> str:
        """The chat template: the one given, or the package's own."""
        return chat_template or self.chat_template or ""

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        chat_template: str | None = None,
        tools: list[dict[str, Any]] | None = None,
        tokenize: bool = False,
        add_generation_prompt: bool = False,
    ) -> str:
        """A conversation as text."""
        values = {
            "messages": messages,
            "add_generation_prompt": add_generation_prompt,
            "tools": tools,
            "documents": None,
        }
        template = _compile(self.get_chat_template(chat_template), marks=False)
        return str(template.render(**(values | self.special_tokens_map)))

    def decode(self, ids: list[int]) -> str:
        """Tokens as text, without the special ones."""
        return str(self.backend_tokenizer.decode(ids, skip_special_tokens=True))


def render_jinja_template(
    conversations: list[list[dict[str, Any]]],
    tools: list[dict[str, Any]] | None,
    chat_template: str,
    return_assistant_tokens_mask: bool,
    **values: Any,
) -> tuple[list[str], list[list[tuple[int, int]]]]:
    """Conversations as text, and where in each the template's {% generation %} blocks stand (start, end)."""
    texts, places = [], []
    template = _compile(chat_template, marks=return_assistant_tokens_mask)
    for messages in conversations:
        marked = template.render(
            **({"messages": messages, "add_generation_prompt": False, "tools": tools, "documents": None} | values)
        )
        text, found = "", []
        for part in marked.split(OPEN):
            said, mark, rest = part.partition(CLOSE)
            if mark:
                found.append((len(text), len(text) + len(said)))
            text += said + rest
        texts.append(text)
        places.append(found)
    return texts, places


@functools.lru_cache(maxsize=16)
def _compile(template: str, marks: bool) -> Any:
    """A chat template in the very environment that transformers gives it (utils/chat_template_utils.py)."""
    import jinja2
    import jinja2.ext
    import jinja2.sandbox

    class Generation(jinja2.ext.Extension):
        """{% generation %} ... {% endgeneration %}: what the assistant says."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

        def _said(self, caller: Any) -> str:
            return f"{OPEN}{caller()}{CLOSE}" if marks else caller()

    def refuse(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def to_json(value: Any, ensure_ascii: bool = False, **more: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **more)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals.update(raise_exception=refuse, strftime_now=lambda form: datetime.now().strftime(form))
    return environment.from_string(template)
