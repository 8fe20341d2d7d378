"""Ask this model: python run.py "a text", or python run.py --field name=value, or python run.py for one after another.

Needs what requirements.txt names, and nothing of the machine that made it. The prompt is rendered by the very code that
training used (the folder tunesmith), and the answer is greedy and ends at the model's end token.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.data.encode import encode_prompt
from core.data.formats import Layout, answer_column
from core.data.template import Wording, prompt_segments, render
from core.data.turns import role_of, turns_of
from core.errors import InputError
from core.export.package_tokenizer import PlainTokenizer

HERE = Path(__file__).resolve().parent
ANSWER = "."  # stands where the answer will be while a prompt is rendered; it is cut off before anything is sent


class Package:
    """A package: prompts, answers. The model is loaded with the first answer.

    Args:
        folder: holds model.onnx, genai_config.json, tokenizer.json and tunesmith.json.
    """

    def __init__(self, folder: Path = HERE) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = json.loads((folder / "tunesmith.json").read_text(encoding="utf-8"))
        self.layout = Layout(self.settings["layout"]["name"], self.settings["layout"]["roles"], "")
        special, template = self.settings["special_tokens"], self.settings["chat_template"]
        self.tokenizer: Any = PlainTokenizer(folder, special, template)
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model in onnxruntime-genai."""
        if self._model is None:
            import onnxruntime_genai as og

            if self.settings["device"] == "webgpu":
                import onnxruntime_ep_webgpu as plugin  # type: ignore[import-not-found,unused-ignore]

                og.register_execution_provider_library(plugin.get_ep_name(), plugin.get_library_path())
            self._model = og.Model(str(self.folder))
        return self._model

    def ids(self, row: dict[str, Any]) -> list[int]:
        """The prompt of a row (column -> value) as token ids; its answer is not read."""
        wording = Wording(self.settings["template"], self.settings["system"])
        if wording.template is not None:
            filled = {column: row.get(column, "") for column in self.settings["columns"]}
        elif self.layout.conversational:
            filled = row | self._talk([*self._turns(row), {"role": "assistant", "content": ANSWER}])
        else:
            filled = row | {answer_column(self.layout): ANSWER}
        segments = render(filled, self.layout, wording, self.tokenizer)
        return encode_prompt(prompt_segments(segments), self.tokenizer, self.settings["prompt_tokens"])

    def _turns(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The turns of a conversation but for an answer that it ends with."""
        turns = turns_of(row.get(self.layout.roles["messages"])) or []
        answered = turns and role_of(turns[-1].get(self.layout.roles["role"])) == "assistant"
        return turns[:-1] if answered else turns

    def _talk(self, turns: list[dict[str, Any]]) -> dict[str, Any]:
        """The column of a conversation, from turns with the layout's own keys or with role and content."""
        roles = self.layout.roles
        keys = {"role": roles["role"], "content": roles["content"]}
        return {roles["messages"]: [{keys.get(key, key): value for key, value in turn.items()} for turn in turns]}

    def generate(self, ids: list[int], limit: int | None = None) -> Iterator[int]:
        """The tokens of the answer, one by one, the end token among them; greedy; at most `limit`."""
        import onnxruntime_genai as og

        limit = min(limit or self.settings["max_new_tokens"], self.settings["context"] - len(ids))
        if limit < 1:
            raise InputError(
                f"The prompt has {len(ids)} tokens, and this model reads {self.settings['context']} in all."
            )
        params = og.GeneratorParams(self.model)
        params.set_search_options(max_length=len(ids) + limit, do_sample=False)
        generator = og.Generator(self.model, params)
        generator.append_tokens(ids)
        for _ in range(limit):
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            yield token
            if token in self.settings["end_ids"] or generator.is_done():
                return

    def words(self, ids: list[int], limit: int | None = None) -> Iterator[str]:
        """The answer as text, piece by piece; a character of several tokens comes when it is whole."""
        tokens, shown = [], ""
        for token in self.generate(ids, limit):
            tokens.append(token)
            text = self.tokenizer.decode(tokens)
            if len(text) > len(shown) and not text.endswith("\ufffd"):
                yield text[len(shown) :]
                shown = text
        if rest := self.tokenizer.decode(tokens)[len(shown) :]:
            yield rest

    def row(self, text: str, fields: dict[str, str], history: list[dict[str, str]]) -> dict[str, Any]:
        """What a person typed, as a row. InputError where a field is missing or not known."""
        names = self.settings["fields"]
        if self.layout.conversational and self.settings["template"] is None:
            return self._talk([*history, {"role": "user", "content": text}])
        given = dict(fields)
        if text:
            free = [name for name in names if name not in given]
            if not free:
                raise InputError(f"This model takes {', '.join(names)}, and all of that is given: leave out the text.")
            given[free[0]] = text
        for name in given:
            if name not in names:
                raise InputError(f"There is no field {name!r}. Known: {', '.join(names)}.")
        missing = [name for name in names if name not in given and name not in self.settings["optional"]]
        if missing:
            raise InputError(f"Give {' and '.join(f'--field {name}=...' for name in missing)} too.")
        return given

    def check(self) -> list[str]:
        """The files that are missing or were changed since the package was made."""
        return [
            name
            for name, want in self.settings["files"].items()
            if not (self.folder / name).is_file() or _sha256(self.folder / name) != want
        ]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _talk(package: Package) -> None:
    """Questions from the terminal until an empty one."""
    history: list[dict[str, str]] = []
    names = package.settings["fields"]
    print("An empty line ends.", file=sys.stderr)
    while True:
        given: dict[str, str] = {}
        for name in names if len(names) > 1 else [""]:
            given[name] = input(f"{name}> ")
        if not any(given.values()):
            return
        text = given.pop("", "")
        answer = ""
        for piece in package.words(package.ids(package.row(text, given, history))):
            print(piece, end="", flush=True)
            answer += piece
        print(flush=True)
        history += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]


def main(argv: list[str] | None = None) -> int:
    """The command line. Exit status: 0 answered, 2 the input is wrong, 1 the package is damaged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", nargs="?", default="", help="the text to answer; without any, asks for one")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE", help="a field of the prompt")
    parser.add_argument("--max-new-tokens", type=int, default=None, help="cut an answer off after so many tokens")
    parser.add_argument("--ids", action="store_true", help="print the tokens of prompt and answer, as JSON")
    parser.add_argument("--check", action="store_true", help="compare every file with its hash")
    args = parser.parse_args(argv)
    try:
        package = Package()
        if args.check:
            wrong = package.check()
            print(f"Missing or changed: {', '.join(wrong)}." if wrong else "Every file is as it was made.")
            return 1 if wrong else 0
        fields = dict(item.partition("=")[::2] for item in args.field)
        if not args.text and not fields:
            _talk(package)
            return 0
        ids = package.ids(package.row(args.text, fields, []))
        if args.ids:
            print(json.dumps({"prompt": ids, "answer": list(package.generate(ids, args.max_new_tokens))}))
            return 0
        for piece in package.words(ids, args.max_new_tokens):
            print(piece, end="", flush=True)
        print(flush=True)
        return 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except (EOFError, KeyboardInterrupt):
        return 0


if __name__ == "__main__":
    sys.exit(main())
