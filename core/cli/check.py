"""python -m core check DATA: what is in a file of examples, how it is read, and what is wrong with it."""

from __future__ import annotations

import argparse
import re
from typing import Any

from core.cli.arguments import whole
from core.config import TASKS, build
from core.data.checks.case import FIXES
from core.data.dataset import open_examples, sample
from core.data.encode import preview
from core.data.report import Finding, findings, summary
from core.data.split import split_source
from core.data.suggest import suggest_task, suggest_template
from core.data.template import check_template, concerns_every_row
from core.errors import InputError, unknown
from core.tasks.fit import unfit

HELP = "Look at a file of examples: rows, layout, split, and what is wrong with them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("data", metavar="DATA", help="a path or a data set id, with an optional slice: rows.csv[:100]")
    parser.add_argument("--task", metavar="T", help=f"one of {', '.join(TASKS)}; found from the rows if not given")
    parser.add_argument("--template", metavar="STR", help="text with {column}; without it the model's chat template")
    parser.add_argument("--model", metavar="M", help="the model whose tokenizer counts (the demo model if not given)")
    parser.add_argument(
        "--split", metavar="SPEC", help="a validation share such as 0.2, or a slice of rows such as [:100]"
    )
    parser.add_argument("--max-tokens", metavar="N", type=whole(1), help="the longest example, in tokens")
    parser.add_argument("--name", metavar="NAME", help="configuration of a data set on the Hub, or sheet of a workbook")
    parser.add_argument("--group-by", metavar="COLUMN", help="a column whose values stay together on one side")
    parser.add_argument(
        "--fix", metavar="NAME", action="append", help=f"what the doctor mends first: {', '.join(FIXES)}; repeatable"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Check the data; the dict is what --json prints.

    Raises:
        InputError: the data, the template, the model or the split cannot be used.
    """
    path, share = _split_spec(args.data, args.split)
    if args.task is not None and args.task not in TASKS:
        raise InputError(unknown("task", args.task, TASKS), "task")
    data: dict[str, Any] = {"path": path}
    data |= {"validation": share} if share is not None else {}
    data |= {"name": args.name, "group_by": args.group_by, "fixes": args.fix or ()}
    data |= {"max_tokens": args.max_tokens} if args.max_tokens is not None else {}
    source = open_examples(build({"data": data}))
    values: dict[str, Any] = {"data": data, "task": args.task or suggest_task(source.layout, sample(source.rows))}
    if args.model:
        values["model"] = {"path": args.model}
    config = build(values)
    from core.limited.asks import try_first  # after the data: a wrong file needs no tokenizer
    from core.models.tokenizer import load_tokenizer

    words = {"template": args.template} if args.template else {}
    try_first(build(values | {"data": data | words}), source)
    tokenizer = load_tokenizer(config.model.path, config.model.revision)
    template = args.template
    if template is None and (not tokenizer.chat_template or source.layout.name == "text"):
        template = suggest_template(source.layout)
    if template is not None:
        check_template(template, source.columns)
        data["template"] = template
        config = build(values)
        source = open_examples(config)
    split = split_source(source, config)
    found = findings(source, config, tokenizer, split)
    reasons = unfit(source, split.train, config, tokenizer)
    found = [*(Finding("task", len(source.rows), [], why, "error") for why in reasons), *found]
    result: dict[str, Any] = {
        "rows": len(source.rows),
        "layout": source.layout.name,
        "columns": source.columns,
        "split": {"train": len(split.train), "validation": len(split.validation)},
        "findings": [f.as_dict() for f in found],
        "name": source.name,
        "roles": source.layout.roles,
        "evidence": source.layout.evidence,
        "task": config.task,
        "template": template,
        "notes": source.notes + split.notes,
        "summary": summary(found),
        "fingerprint": source.fingerprint,
    }
    try:
        first = preview(source.rows[0], source.layout, template, tokenizer, config.data.max_tokens)
        result["first"] = {"text": first.text, "tokens": first.n_tokens, "trained": first.n_trained}
    except InputError as error:
        if concerns_every_row(error, source.layout):
            raise
        result["first"] = None  # the findings say why this row cannot be rendered
    return result


def _split_spec(data: str, spec: str | None) -> tuple[str, float | None]:
    """The path with a slice, and the validation share, from DATA and --split."""
    if spec is None:
        return data, None
    if found := re.fullmatch(r"(?:train)?(\[[^\[\]]*\])", spec.strip()):
        if data.rstrip().endswith("]"):
            raise InputError(f"{data!r} has a slice already, and --split gives another: {spec}.", "data.path")
        return data + found[1], None
    try:
        return data, float(spec)
    except ValueError:
        raise InputError(
            f"--split {spec!r} is neither a validation share such as 0.2 nor a slice of rows such as [:100].",
            "data.validation",
        ) from None


def show(result: dict[str, Any]) -> str:
    """The result for a person."""
    split = result["split"]
    lines = [
        f"{result['name']}: {result['rows']:,} rows, {result['layout']} ({result['evidence']})",
        f"columns: {', '.join(result['columns'])}",
        f"split: {split['train']:,} to train on, {split['validation']:,} to validate with",
        *result["notes"],
    ]
    if result["first"]:
        lines += [
            f"row 0, {result['first']['tokens']:,} tokens, {result['first']['trained']:,} trained:",
            result["first"]["text"],
        ]
    lines.append(f"findings: {result['summary']}")
    for finding in result["findings"]:
        rows = finding["rows"]
        listed = ", ".join(map(str, rows[:8])) + (", ..." if finding["count"] > 8 else "")
        where = f" Row{'s' if len(rows) > 1 else ''} {listed}." if rows else ""
        lines.append(f"  {finding['severity']}: {finding['message']}{where}")
        lines += [f"    why: {finding['why']}"] if finding["why"] else []
        lines += [f"    e.g. {example}" for example in finding["examples"]]
        if remedy := finding["remedy"]:
            value = f"[{', '.join(remedy['value'])}]" if isinstance(remedy["value"], list) else remedy["value"]
            lines.append(f"    fix: {remedy['label']}: --set '{remedy['field']}={value}'")
    return "\n".join(lines)
