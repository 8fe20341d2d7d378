"""The token view and the histogram of lengths with its movable cut-off: two gr.HTML components and what they draw.

Their HTML is made here and put in as `${value}`, never through Handlebars: Gradio compiles what Handlebars returns as a
template literal of JavaScript, so that a token such as `${...}` would be run, and a backslash would be lost.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Any

import gradio as gr

from core.data.encode import Preview
from ui.parts import figs, say

MOST = 1200  # tokens that are drawn; of longer records the two ends
BARS = 40
LEGEND = """<div class="legend"><span><span class="tok">read</span>prompt</span>
<span class="answer"><span class="tok">learn</span>trained on</span>
<span><span class="tok special">&lt;|user|&gt;</span>special token</span>
<span><span class="tok cut">lost</span>dropped</span></div>"""

HISTOGRAM = """
const parts = () => ({ box: element.querySelector('.hist'), range: element.querySelector('input[type=range]') });
const nearest = (rows, cut) => rows.reduce((a, b) => Math.abs(b[0] - cut) < Math.abs(a[0] - cut) ? b : a);
const costs = (box, cut) => {
  const rows = JSON.parse(box.dataset.costs); if (!rows.length) return;
  nearest(rows, cut)[1].forEach((words, i) => { box.querySelectorAll('.figs dd')[i].innerHTML = words; });
};
const draw = moved => {
  const { box, range } = parts(); if (!box) return;
  const all = JSON.parse(box.dataset.lengths), of = +box.dataset.of, lo = +range.min, hi = +range.max;
  const cut = moved ? +range.value : +box.dataset.cut, over = all.filter(n => n > cut).length;
  const rows = Math.round(over * of / all.length).toLocaleString('en'), share = (over / all.length * 100).toFixed(1);
  box.style.setProperty('--p', `${(Math.min(cut, hi) - lo) / (hi - lo) * 100}%`);
  box.querySelectorAll('.bars i').forEach((b, i, bars) =>
    b.classList.toggle('over', lo + i * (hi - lo) / bars.length >= cut));
  const about = all.length < of ? 'About ' : '';
  const words = over ? `${about}${rows} of ${of.toLocaleString('en')} rows (${share} %) are longer.`
    : `No row is longer; the longest has ${Math.max(...all).toLocaleString('en')}.`;
  range.setAttribute('aria-valuetext', `${cut} tokens. ${words}`);
  box.querySelector('output').innerHTML = `<b>At most ${cut.toLocaleString('en')} tokens.</b> ${words}`;
  costs(box, cut);
};
let hand = 0, sent = null, base = 0, wait = 0, last = 0;  // hand: where the thumb was put; base: the limit before
const asked = () => sent !== null && Date.now() - last < 10000;
const fresh = () => {  // what was drawn before a move, or for an earlier one, does not take the thumb out of the hand
  const { box, range } = parts(); if (!range) return;
  const cut = +box.dataset.cut, stale = asked() && cut === base;
  if (!stale) sent = null;
  if (stale || wait) { range.value = hand; return draw(true); }
  range.value = range.getAttribute('value'); draw(false); };
const send = () => {  // one at a time: of events that wait for an earlier one, Gradio repeats the earlier one's data
  if (asked()) { wait = setTimeout(send, 50); return; }
  wait = 0; base = +parts().box.dataset.cut;
  if (hand !== base) { sent = hand; last = Date.now(); trigger('input', { cut: hand }); } };
element.addEventListener('input', e => { hand = +e.target.value; draw(true); });
element.addEventListener('change', () => { clearTimeout(wait); wait = setTimeout(send, 150); });  // keys come fast
watch('value', fresh); fresh();
"""


@dataclass(frozen=True)
class Cost:
    """What a limit costs: figures as `ui.parts.figs` takes them, (name, figure, unit or meaning)."""

    limit: int
    figures: tuple[tuple[str, str, str], ...]


def drawn(preview: Preview, row: int, rows: int, side: str = "") -> str:
    """One record as tokens: prompt in steel, what is trained in ember, what was dropped struck. All escaped."""
    out = [
        f'<p class="eyebrow">Row {row + 1:,} of {rows:,} · {preview.n_tokens:,} tokens'
        f"{f', {preview.n_dropped:,} dropped' if preview.n_dropped else ''}{f' · {escape(side)}' if side else ''}</p>"
    ]
    out += [say("fix", "Look at this row", escape(str(w))) for w in preview.warnings]
    out.append('<dl class="turns">')
    left, skipped = _budget(preview.segments), False
    for segment, room in zip(preview.segments, left, strict=True):
        tokens: list[dict[str, Any]] = segment["tokens"]
        trained = bool(segment["trained"])
        kept = sum(not t["dropped"] for t in tokens)
        count = f"{kept:,}" if kept == len(tokens) else f"{kept:,} of {len(tokens):,}"
        name, note = ("Answer", "trained on") if trained else ("Prompt", "read but not trained on")
        kind = ' class="answer"' if trained else ""
        out.append(
            f'<dt{kind}><b>{name}</b><span class="quiet">{count} token{"s" * (len(tokens) != 1)}, {note}</span></dt>'
            f"<dd{kind}>"
        )
        if room >= len(tokens):
            out.append(_tokens(tokens))
        else:
            head, tail = tokens[: ceil(room / 2)], tokens[len(tokens) - room // 2 :]
            left_out = f'<span class="cutmark rest">{len(tokens) - room:,} tokens not drawn here</span>'
            out += [_tokens(head), left_out, _tokens(tail, head[-1])]
            skipped = True
        out.append("</dd>")
    out.append("</dl>")
    if skipped:
        out.append(f'<p class="small quiet">The page draws {MOST:,} tokens at most. Training reads them all.</p>')
    return "".join(out)


def _budget(segments: Sequence[dict[str, Any]]) -> list[int]:
    """How many tokens of each segment are drawn: all, or an even share of MOST."""
    sizes = [len(s["tokens"]) for s in segments]
    total = sum(sizes)
    return sizes if total <= MOST else [max(2, size * MOST // total) for size in sizes]


def _tokens(tokens: Sequence[dict[str, Any]], before: dict[str, Any] | None = None) -> str:
    out = []
    for i, token in enumerate(tokens):
        previous = tokens[i - 1] if i else before
        if token["dropped"] and not (previous and previous["dropped"]):
            run = next((j for j, t in enumerate(tokens[i:]) if not t["dropped"]), len(tokens) - i)
            out.append(f'<span class="cutmark">{run:,} dropped</span>')
        kinds = " special" * bool(token["special"]) + " cut" * bool(token["dropped"])
        text = str(token["text"])
        out.append(f'<span class="tok{kinds}" data-id="{int(token["id"])}">{visible(text)}</span>')
        if "\n" in text and not token["special"]:
            out.append("<br>")
    return "".join(out)


def visible(text: str) -> str:
    """A token's text, escaped, with line breaks, tabs, control and zero-width characters made visible."""
    signs = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return (
        "".join(
            signs.get(c) or (f"\\u{ord(c):04x}" if unicodedata.category(c) in ("Cc", "Cf") else escape(c)) for c in text
        )
        or "&nbsp;"
    )


def view() -> gr.HTML:
    """The token view; its value is what `drawn` or an empty state returns."""
    return gr.HTML("", elem_id="tokens", apply_default_css=False, js_on_load=None)


def histogram() -> gr.HTML:
    """The histogram; `input` brings the new cut-off in tokens, for `moved`."""
    return gr.HTML("", elem_id="lengths", apply_default_css=False, js_on_load=HISTOGRAM)


def bars(lengths: Sequence[int], rows: int, cut: int, costs: Sequence[Cost] = ()) -> str:
    """The value of the histogram: lengths in tokens of `rows` rows, or of an even sample of them.

    Args:
        lengths: tokens of each row looked at. rows: how many there are in all. cut: the limit in tokens.
        costs: what limits cost, for the figures that follow the slider; without any, none are drawn.
    """
    lo, hi = 8, max(32, ceil(max(lengths) * 1.1 / 8) * 8)
    counts = [0] * BARS
    for n in lengths:
        counts[min(BARS - 1, max(0, (n - lo) * BARS // (hi - lo)))] += 1
    most = max(counts)
    columns = "".join(f'<i style="height:{c / most * 100:.1f}%"></i>' for c in counts)
    middle = sorted(lengths)[len(lengths) // 2]
    table = json.dumps(
        [[cost.limit, [f"{figure} <small>{unit}</small>" for _, figure, unit in cost.figures]] for cost in costs]
    )
    strip = figs(*min(costs, key=lambda cost: abs(cost.limit - cut)).figures) if costs else ""
    return (
        f'<div class="hist" data-lengths="{list(lengths)}" data-of="{rows}" data-cut="{cut}" '
        f'data-costs="{escape(table)}"><div class="drawn">'
        f'<div class="bars" role="img" aria-label="Rows by length: half have up to {middle} tokens, the longest '
        f'{max(lengths)}">{columns}</div><span class="rule"></span>'
        f'<input type="range" min="{lo}" max="{hi}" step="1" value="{min(max(cut, lo), hi)}" '
        'aria-label="Longest example, in tokens">'
        f'<div class="axis"><span>{lo} tokens</span><span>{hi:,} tokens</span></div><output></output></div>'
        f"{strip}</div>"
    )


def moved(event: gr.EventData) -> int:
    """The new cut-off, in tokens, from the histogram's event."""
    return int(event.cut)
