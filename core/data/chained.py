"""Rows that name the row before them, by its id, become conversations: H2O's parent_id, OpenAssistant's trees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.data.column_names import GOOD, PAIRS
from core.data.derived import derived
from core.data.formats import is_bad
from core.data.marks import MARKS
from core.data.reasoning import READ
from core.data.recognise import Look, folded
from core.data.rows import Rows
from core.data.tables import Table, collect
from core.data.turns import ALL_CALLS, as_text, role_of
from core.data.values import is_empty

PARENTS = ("parent_id", "parent_message_id", "parent", "parentid", "parent_uuid", "parent_turn_id", "reply_to",
           "reply_to_id", "in_reply_to", "previous_id", "prev_id", "parent_uid", "parent_turn", "previous_turn",
           "prev_turn", "parent_message", "parent_node", "parent_idx", "previous_message_id")  # fmt: skip
IDS = ("id", "message_id", "uuid", "turn_id", "node_id", "post_id", "msg_id", "row_id", "index", "uid", "turn", "node",
       "idx")  # fmt: skip
TREES = ("prompt", "tree", "root", "conversation")  # a message with its replies, and theirs, inside
SPEAKERS, WORDS = ("role", "author", "speaker", "from", "sender"), ("text", "content", "value", "message", "body")
OF_TURN = (*MARKS, *READ, *ALL_CALLS, "tool_call_id")  # columns that say something of the row's own turn
OF_TREE = ("replies", "text", "role", "deleted", "review_result")  # what is read of a message of a tree

Row = dict[str, Any]


@dataclass(frozen=True)
class _Links:
    """Which columns link the rows, and hold what is said.

    Attributes:
        own, parent: the id of a row, and that of the row before it.
        first, second: what is asked and answered in each row; or, of messages, who speaks and what is said.
        messages: whether each row is one message.
        of_turn: columns that say something of the row's own turn.
        judged: the column that marks good and bad answers, if there is one.
    """

    own: str
    parent: str
    first: str
    second: str
    messages: bool
    of_turn: tuple[str, ...] = ()
    judged: str | None = None


def chained(table: Table, sample: Sequence[Row]) -> Table:
    """The table with a row for each conversation, where its rows name their parents; else as it is.

    A conversation ends with an answer that no later row builds upon, and takes the other columns of that row. An answer
    that several conversations go through is learned in the first of them alone.

    Args:
        sample: some of its rows.
    """
    look = Look(table.columns, list(sample))
    if (tree := look.named(TREES)) and all(_is_tree(row.get(tree)) for row in sample if row.get(tree)):
        made = derived(f"tree {tree}", table.digest, lambda: _branches(table, tree))
        return replace(table, data=made.data, columns=made.columns, json=made.json, notes=[*table.notes, *made.notes])
    links = _links(look)
    if links is None:
        return table
    others = [c for c in table.columns if c not in (links.own, links.parent, links.first, links.second)]
    of_turn = tuple(c for c in others if c in OF_TURN)
    judged = Look([c for c in others if c not in of_turn], look.rows).judgement()
    links = replace(links, of_turn=of_turn, judged=judged)
    rows = Rows(table.data.select([links.own, links.parent]), table.json & {links.own, links.parent})
    ids, parents = list[str](), list[str]()
    for row in rows:
        ids.append(_id(row[links.own]))
        parents.append(_id(row[links.parent]))
    place = {name: i for i, name in enumerate(ids) if name}
    if len(place) < sum(map(bool, ids)) or not any(name in place for name in parents):
        return table  # ids that are none, or rows that are not linked
    before = [place.get(name, -1) for name in parents]
    made = derived(f"chained {links}", table.digest, lambda: _conversations(table, links, before, parents))
    notes = [*table.notes, *made.notes]
    return replace(table, data=made.data, columns=made.columns, json=made.json, notes=notes)


def _is_tree(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("replies"), list) and "text" in value


def _branches(table: Table, column: str) -> Table:
    """A row for each way through a tree of messages that ends with an answer."""
    others = [c for c in table.columns if c != column]

    def ways(message: Row, before: list[Row], taught: set[int]) -> Iterator[list[Row]]:
        path, found = [*before, message], False
        for reply in message.get("replies") or []:
            for way in ways(reply, path, taught):
                found = True
                yield way
        if not found and role_of(message.get("role")) == "assistant":
            turns = []
            for at in path:
                mute = id(at) in taught or at.get("deleted") is True or at.get("review_result") is False
                mute = mute or any(is_bad(at.get(name)) for name in GOOD)
                again = {"weight": 0} if mute and role_of(at.get("role")) == "assistant" else {}
                more = {key: value for key, value in at.items() if key not in OF_TREE}
                turns.append({**more, "role": at.get("role"), "content": at.get("text"), **again})
                taught.add(id(at))
            yield turns

    def rows() -> Iterator[Row]:
        for row in Rows(table.data, table.json):
            if _is_tree(row[column]):
                for turns in ways(row[column], [], set()):
                    yield {"messages": turns, **{name: row[name] for name in others if name != "messages"}}

    found = collect(rows(), ["messages", *(c for c in others if c != "messages")])
    found.notes.append(
        f"The trees of {column!r} became {found.data.num_rows:,} conversations, each up to an answer without replies."
    )
    return found


def _links(look: Look) -> _Links | None:
    parent = look.named(PARENTS)
    if parent is None:
        return None
    base = re.sub(r"^(?:parent|reply_to|in_reply_to|previous|prev)_?", "", folded(parent))
    own = look.named((base, *IDS)) if base else look.named(IDS)
    if own is None:
        return None
    pair = look.both((("instruction", "output"), *PAIRS))
    if pair and not {own, parent} & set(pair):
        return _Links(own, parent, *pair, False)
    speaker, words = look.named(SPEAKERS), look.named(WORDS)
    if speaker and words and any(role_of(row.get(speaker)) for row in look.rows):
        return _Links(own, parent, speaker, words, True)
    return None


def _id(value: Any) -> str:
    """An id as it is compared: 7, 7.0 and "7" are one, as pandas writes whole numbers beside empty cells."""
    text = as_text(value).strip()
    return "" if text.casefold() in ("nan", "none", "null") else re.sub(r"(?<=\d)\.0$", "", text)


def _conversations(table: Table, links: _Links, before: list[int], parents: list[str]) -> Table:
    rows, size = Rows(table.data, table.json), len(before)
    paths, circles = dict[int, list[int]](), set[int]()
    speaks = [True] * size
    if links.messages:
        column = Rows(table.data.select([links.first]), table.json & {links.first})
        speaks = [role_of(row[links.first]) == "assistant" for row in column]
    inner = set(before)
    for leaf in (i for i in range(size) if i not in inner):
        path = _path(leaf, before)
        circles.update(path if before[path[-1]] >= 0 else ())
        while path and (not speaks[path[0]] or path[0] in circles):
            path.pop(0)
        if path:
            paths.setdefault(path[0], path[::-1])
    through = {at for path in paths.values() for at in path[:-1]}
    reached = {at for path in paths.values() for at in path}
    circles.update(i for i in range(size) if i not in reached and before[_path(i, before)[-1]] >= 0)
    read = {links.own, links.parent, links.first, links.second, links.judged, *links.of_turn}
    others = [c for c in table.columns if c not in read]
    name = "messages"
    while name in others:
        name += "_"

    def made() -> Iterator[Row]:
        taught = set[int]()
        for end in sorted(paths):
            if end in through:
                continue
            turns = list[Row]()
            for at in paths[end]:
                turns += _turns(rows[at], links, at in taught)
                taught.add(at)
            last = rows[end]
            yield {name: turns, **{column: last[column] for column in others}}

    found = collect(made(), [name, *others])
    found.notes.append(
        f"{size:,} rows are linked by {links.parent!r} to {found.data.num_rows:,} conversations: each ends with an "
        "answer that no other row builds upon."
    )
    lost = sum(bool(name) and at < 0 for name, at in zip(parents, before, strict=True))
    if links.judged:
        found.notes.append(f"Answers that {links.judged!r} marks as bad ones are read and not learned.")
    if lost:
        many = "1 row names a parent that is" if lost == 1 else f"{lost:,} rows name parents that are"
        found.notes.append(f"{many} not there: a conversation begins with it.")
    if circles:
        found.notes.append(f"Left out: {len(circles):,} rows whose parents lead round in a circle.")
    return found


def _path(start: int, before: list[int]) -> list[int]:
    """A row and those above it, up to the first, or once round where they lead in a circle."""
    path, seen, at = list[int](), set[int](), start
    while at >= 0 and at not in seen:
        path.append(at)
        seen.add(at)
        at = before[at]
    return path


def _turns(row: Row, links: _Links, taught: bool) -> list[Row]:
    """The turns of a row; an answer that another conversation teaches is not to be learned again."""
    more = {name: row[name] for name in links.of_turn if not is_empty(row[name])}
    bad = links.judged is not None and is_bad(row[links.judged])
    weight = {"weight": 0} if taught or bad else {}
    if links.messages:
        answer = role_of(row[links.first]) == "assistant"
        return [{**more, "role": row[links.first], "content": row[links.second], **(weight if answer else {})}]
    asked, answered = row[links.first], row[links.second]
    return [{"role": "user", "content": asked}, {**more, "role": "assistant", "content": answered, **weight}]
