"""Ask this model: python run.py "a text", python run.py "one text" "another", or python run.py for one after another.

Needs what requirements.txt names, and nothing of the machine that made it. A text is cut into tokens by the very code
that training used (the folder tunesmith). What comes back depends on the model: a label and how likely it is, the
entities in the text, or a vector (of two texts: how alike they are).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.questions import encode_questions, question
from core.data.tagged import OUTSIDE, entities
from core.data.turns import as_text
from core.data.whole import encode_texts
from core.data.worded import encode_words, typed_words
from core.errors import InputError
from core.export.packages.asked import Asked
from core.export.packages.base import checked, ending, fields_of
from core.export.packages.fixed import loose
from core.export.packages.sessions import PLACES_HELP, Session, open_session, where

if TYPE_CHECKING:
    import numpy as np

HERE = Path(__file__).resolve().parent
GRAPH = "model.onnx"
LABEL, TAGS, VECTOR = "sequence_classification", "token_classification", "feature_extraction"


class Package(Asked):
    """A model that reads. The graph is loaded with the first answer.

    Args:
        path: holds model.onnx, tokenizer.json and tunesmith.json.
    """

    def __init__(self, path: Path = HERE, adapter: str | None = None) -> None:
        super().__init__(path, adapter)
        self.head: str = self.settings["head"]
        self.labels: list[str] = self.settings["labels"]
        self._session: Session | None = None

    def load(self) -> None:
        """Load the graph, where it is not."""
        if self._session is None:
            place = self.settings.get("place", "")
            session = open_session(self.graph(GRAPH), self.settings["device"], place=place)
            self._session = loose(session, self.settings["pad_id"])

    # Reading

    def ids(self, row: dict[str, Any]) -> Any:
        """The very tokens that training made of such a row (column -> value), as plain values.

        A list of ids; of words {"ids", "words": of each token the number of the word that it begins, or None}; of the
        texts that are compared one list each.
        """
        limit = self.settings["prompt_tokens"]
        if self.head == LABEL:
            segments = question(self.filled(row), self.layout, self.wording, self.tokenizer)
            return encode_questions([segments], self.tokenizer, limit)[0].input_ids
        if self.head == TAGS:
            words = [as_text(word) for word in row[self.settings["fields"][0]]]
            made = encode_words([words], self.tokenizer, limit)[0]
            return {"ids": made.ids, "words": made.words}
        texts = [as_text(row[name]) for name in self.settings["fields"] if name in row]
        return encode_texts(texts, self.tokenizer, limit)[0]

    def texts(self, read: Any) -> list[list[int]]:
        """What `ids` made, as the texts that the model reads: lists of ids."""
        if self.head == LABEL:
            return [read]
        return [read["ids"]] if self.head == TAGS else list(read)

    def outputs(self, many: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """What the model says of texts (lists of ids, none empty), read as one batch, filled up on the right.

        float32 each: the logits of all labels (labels,), of all tags at each token (tokens, tags), or a vector of
        length 1 (width,).
        """
        import numpy as np

        self.load()
        assert self._session is not None  # noqa: S101 - for the type checker: loaded above
        shape = len(many), max(map(len, many))
        ids: np.ndarray = np.full(shape, self.settings["pad_id"], dtype=np.int64)
        mask: np.ndarray = np.zeros(shape, dtype=np.int64)
        for n, text in enumerate(many):
            ids[n, : len(text)], mask[n, : len(text)] = text, 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        found = self._session.run({name: feeds[name] for name in self._session.inputs})
        said: np.ndarray = found["sentence_embedding" if self.head == VECTOR else "logits"].astype(np.float32)
        return [said[n, : len(text)] if self.head == TAGS else said[n] for n, text in enumerate(many)]

    # Answering

    def answer(self, row: dict[str, Any]) -> dict[str, Any]:
        """What the model makes of a row (column -> value).

        {"label", "score" (0 to 1), "scores": {label: score}}; or {"entities": {type: [text, ...]}, "words", "tags"}; or
        {"vectors": [[...], ...]}, of two texts with "similarity" (-1 to 1).

        Raises:
            InputError: there is nothing in it that can be read.
        """
        import numpy as np

        read = self.ids(row)
        texts = self.texts(read)
        if not texts or not all(texts):
            raise InputError("There is nothing in this text that the model can read.")
        if self.head == VECTOR:
            vectors = [self.outputs([text])[0] for text in texts]
            found = {"vectors": [vector.tolist() for vector in vectors]}
            return found | ({"similarity": float(vectors[0] @ vectors[1])} if len(vectors) == 2 else {})
        said: np.ndarray = self.outputs(texts)[0].astype(np.float64)
        if self.head == TAGS:
            words = [as_text(word) for word in row[self.settings["fields"][0]]]
            tags = self.tags(said.argmax(-1).tolist(), read["words"], len(words))
            return {"entities": entities(words, tags), "words": words, "tags": tags}
        odds = np.exp(said - said.max())
        odds /= odds.sum()
        best = int(odds.argmax())
        scores = {self.labels[i]: float(odds[i]) for i in np.argsort(-odds, kind="stable")}
        return {"label": self.labels[best], "score": float(odds[best]), "scores": scores}

    def tags(self, numbers: Sequence[int], words: Sequence[int | None], count: int) -> list[str]:
        """The tag of each of so many words: that of the token that it begins with; words that were not read have none.

        Args:
            numbers: of each token the likeliest tag. words: see `ids`.
        """
        tags = [next((label for label in self.labels if label in OUTSIDE), "O")] * count
        for number, at in zip(numbers, words, strict=True):
            if at is not None:
                tags[at] = self.labels[number]
        return tags

    def row(self, text: str, fields: dict[str, str], history: list[dict[str, str]]) -> dict[str, Any]:
        """What a person typed, as a row; see Asked. Words are found in the text where training had words."""
        if self.head != TAGS:
            return super().row(text, fields, history)
        return {self.settings["fields"][0]: typed_words(text)}

    def pair(self, texts: Sequence[str]) -> dict[str, Any]:
        """One text or two as a row of a model that compares."""
        return dict(zip(self.settings["fields"], texts, strict=False))


# The terminal


def shown(found: dict[str, Any], every: bool) -> str:
    """An answer for a person. every: all labels, not the likeliest alone."""
    if "label" in found:
        scores = found["scores"] if every else {found["label"]: found["score"]}
        return "\n".join(f"{label}\t{score:.1%}" for label, score in scores.items())
    if "entities" in found:
        return "\n".join(f"{kind}: {', '.join(names)}" for kind, names in found["entities"].items()) or "(no entities)"
    return f"{found['similarity']:.4f}" if "similarity" in found else json.dumps(found["vectors"][0])


def _row(package: Package, texts: Sequence[str], fields: dict[str, str]) -> dict[str, Any]:
    """What stands on the command line, as a row."""
    if package.head == VECTOR and not fields:
        if len(texts) > 2:
            raise InputError(f"Two texts are compared, and here are {len(texts)}: put each of them in quotes.")
        return package.pair(texts)
    if len(texts) > 1:
        raise InputError("This model reads one text: put it in quotes.")
    return package.row(texts[0] if texts else "", fields, [])


def _talk(package: Package, every: bool) -> None:
    """Texts from the terminal until an empty one."""
    names = package.settings["fields"]
    print("An empty line ends.", file=sys.stderr)
    while True:
        given = {name: input(f"{name}> ") for name in (names if len(names) > 1 else [""])}
        if not any(given.values()):
            return
        row = package.row(given[""], {}, []) if "" in given else given
        try:
            print(shown(package.answer(row), every), flush=True)
        except InputError as error:  # of this text; the next may be another matter
            print(error, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Exit status: 0 answered, 2 the input is wrong, 1 the package is damaged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", nargs="*", help="the text to read, or two to compare; without any, asks for one")
    parser.add_argument("--field", action="append", default=[], metavar="NAME=VALUE", help="a field of the text")
    parser.add_argument("--all", action="store_true", help="every label with its probability")
    parser.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    parser.add_argument("--ids", action="store_true", help="print the tokens of the text, as JSON")
    parser.add_argument("--on", default="", metavar="WHERE", help=PLACES_HELP)
    parser.add_argument("--check", action="store_true", help="compare every file with its hash")
    args = parser.parse_args(argv)

    def work() -> int:
        if args.check:
            return checked(HERE)
        package = Package()
        where(package.settings, args.on)
        fields = fields_of(args.field)
        if not args.text and not fields:
            _talk(package, args.all)
            return 0
        row = _row(package, args.text, fields)
        if args.ids:
            print(json.dumps(package.ids(row)))
            return 0
        found = package.answer(row)
        print(json.dumps(found, ensure_ascii=False) if args.json else shown(found, args.all), flush=True)
        return 0

    return ending(work, HERE)


if __name__ == "__main__":
    sys.exit(main())
