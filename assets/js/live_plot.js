// The loss plot of a run: made once, then extended in place with what is new; the words around it ([data-live]) come with the same answer.
const div = element.querySelector('.live-plot'), css = name => getComputedStyle(document.body).getPropertyValue(name).trim();
let run = '', state = '', at, facts = {}, busy = false, ticks = 0, missed = 0;

const forget = () => { at = { turns: -1, log: 0, val: 0 }; facts = {}; };
const scale = element.querySelector('.scale');
let log = localStorage.getItem('tune-log') === 'yes';
const ly = y => log ? Math.log10(Math.max(y, 1e-9)) : y;  // where a note stands: Plotly places it by the logarithm on such an axis
const veil = () => { const h = css('--surface').slice(1), f = h.length < 5 ? [...h].map(c => c + c).join('') : h; return `rgba(${[0, 2, 4].map(i => parseInt(f.slice(i, i + 2), 16))}, .8)`; };
const width = () => div.clientWidth || 800, phone = () => width() < 500;

const margin = () => phone() || (facts.end_step != null && facts.end_step < 0.85 * facts.max_steps) ? 12 : 96;  // room for the words at the line ends
const words = (x, y, text, color, more) => ({ x, y, text, showarrow: false, font: { color, size: 13 }, bgcolor: 'transparent', ...more });
const annotations = ([tx, ty], [vx, vy]) => {
  const all = [], quiet = css('--quiet'), ember = css('--ember'), top = facts.max_steps || 1, inner = width() - 52 - margin();
  if (!tx.length && !vx.length) return facts.note ? [words(0.5, 0.5, facts.note, quiet, { xref: 'paper', yref: 'paper', font: { color: quiet, size: 15 } })] : [];
  const y = div._fullLayout?.yaxis, tall = y?._length || 340, pixels = y?.range ? tall / (y.range[1] - y.range[0]) : 80, ground = y?.range?.[0] ?? 0;
  const across = x => x / top * inner, up = y => (ly(y) - ground) * pixels;  // where a point is, in pixels from the corner of the axes
  const meet = (a, b) => a.left < b.left + b.wide && b.left < a.left + a.wide;
  const ends = [[tx, ty, 'training', quiet, 60], [vx, vy, '<b>validation</b>', ember, 76]].filter(([x]) => x.length).map(([x, y, text, color, wide]) => {
    const at = across(x.at(-1)), inside = phone() && at > inner - 76;
    return { x: x.at(-1), y: y.at(-1), text, color, wide, inside, left: inside ? at - 8 - wide : at + 10, up: up(y.at(-1)) };
  }).sort((a, b) => a.up - b.up);
  ends.forEach((end, i) => { if (end.inside) end.up += i || end.up < 24 ? 16 : -14; end.up = Math.min(Math.max(end.up, 10), tall - 10); });
  const [low, high] = ends;
  if (high && meet(low, high) && high.up - low.up < 20) {  // words that would lie on each other stand one above the other
    low.up = Math.min(Math.max((low.up + high.up) / 2 - 10, low.inside ? low.up : 10), tall - 30);
    high.up = low.up + 20;
  }
  for (const end of ends) all.push(words(end.x, ly(end.y), end.text, end.color, { xanchor: end.inside ? 'right' : 'left', xshift: end.inside ? -8 : 10, yshift: end.up - up(end.y), ...(end.x < Math.max(...ends.map(e => e.x)) ? { bgcolor: veil() } : {}) }));
  if (facts.best) {
    const [step, loss] = facts.best, x = across(step), last = Math.max(tx.at(-1) ?? 0, vx.at(-1) ?? 0), close = across(last - step) < 70 && last < 0.98 * top;
    const xanchor = close && x > 120 ? 'right' : x < 60 ? 'left' : x > inner - (phone() ? 50 : -30) ? 'right' : 'center', wide = facts.live ? 140 : 100;
    const best = { left: x - wide * { left: 0, center: 0.5, right: 1 }[xanchor], wide }, over = ends.filter(end => meet(end, best));
    best.up = Math.max(up(loss) + 36, ...over.map(end => end.up + 30));
    if (best.up > tall - 10) best.up = Math.min(up(loss) - 36, ...over.map(end => end.up - 30));  // no room above
    all.push(words(step, ly(loss), `<b>best${facts.live ? ' so far' : ''}: ${loss.toFixed(3)}</b><br>step ${step.toLocaleString('en')}`, ember,
      { yshift: best.up - up(loss), xanchor, bgcolor: veil() }));
  }
  if (facts.why && facts.end_step != null) {
    const right = (1 - facts.end_step / top) * inner < 160;
    const steep = ends.some(end => end.up > 0.6 * tall);
    all.push(words(facts.end_step, steep ? 0 : 1, facts.why, css('--ink'), { yref: 'paper', yanchor: steep ? 'bottom' : 'top', xanchor: right ? 'right' : 'left', align: right ? 'right' : 'left', xshift: right ? -8 : 8 }));
  }
  return all;
};
const shapes = () => !facts.why || facts.end_step == null ? [] : [
  { type: 'line', x0: facts.end_step, x1: facts.end_step, y0: 0, y1: 1, yref: 'paper', line: { color: css('--quiet'), width: 1.5, dash: 'dot' } },
  { type: 'rect', x0: facts.end_step, x1: Math.max(facts.max_steps, facts.end_step), y0: 0, y1: 1, yref: 'paper', fillcolor: css('--sunken'), line: { width: 0 }, layer: 'below' }];
const room = () => [0, 1, 1.22 * (facts.best?.[1] ?? 0)];  // above the best point there is room for its words
const best = () => facts.best ? [[facts.best[0]], [facts.best[1]]] : [[], []];

const draw = (train, val) => {  // the whole figure; `uirevision` keeps the zoom
  if (!window.Plotly) return;
  const heat = css('--heat'), line = css('--line'), ink = css('--ink'), [bx, by] = best();
  const none = !train[0].length && !val[0].length, reach = [0, (facts.max_steps || 100) * (margin() > 12 ? 1 : 1.01)];
  const axis = (text, more) => ({ title: { text, font: { size: 13 }, standoff: 12 }, gridcolor: line, zeroline: false, tickfont: { size: 12 }, fixedrange: phone(), ...more });
  Plotly.react(div, [
    { name: 'training', x: train[0], y: train[1], mode: 'lines', line: { color: css('--steel'), width: 1.5 }, hovertemplate: '%{y:.3f}' },
    { name: 'validation', x: val[0], y: val[1], mode: 'lines+markers', line: { color: heat, width: 3 }, marker: { size: 7 }, cliponaxis: false, hovertemplate: '%{y:.3f}' },
    { name: 'best checkpoint', x: bx, y: by, mode: 'markers', marker: { symbol: 'diamond', size: 15, color: css('--surface'), line: { color: heat, width: 3 } }, cliponaxis: false, hoverinfo: 'skip' },
  ], { margin: { t: 8, r: margin(), b: 48, l: 52 }, height: 396, uirevision: run, datarevision: Math.random(), paper_bgcolor: 'transparent', plot_bgcolor: 'transparent',
    hovermode: 'x unified', showlegend: false, font: { family: css('--font'), color: css('--quiet') },
    hoverlabel: { bgcolor: css('--surface'), bordercolor: line, font: { color: ink, family: css('--font') } },
    xaxis: axis('step', { ...(none ? { range: reach } : { rangemode: 'nonnegative', autorangeoptions: { include: reach } }), nticks: phone() ? 5 : 8 }),
    yaxis: axis('loss, lower is better', log ? { type: 'log', ...(none ? { range: [-2, 1] } : {}), dtick: 'D2', tickformat: '~g' }
      : { type: 'linear', ...(none ? { range: [0, 5] } : { rangemode: 'tozero', autorangeoptions: { include: room() } }), nticks: 6 }),
    shapes: shapes(), annotations: annotations(train, val) }, { responsive: true, displaylogo: false, displayModeBar: false });
  Plotly.relayout(div, { annotations: annotations(train, val) });  // again, now that the axis has its scale
};
const data = i => div.data ? [div.data[i].x, div.data[i].y] : [[], []];
const redraw = () => draw(data(0), data(1));
const extend = (train, val) => {
  if (train[0].length || val[0].length) Plotly.extendTraces(div, { x: [train[0], val[0]], y: [train[1], val[1]] }, [0, 1]);
  const [bx, by] = best();
  Plotly.update(div, { x: [bx], y: [by] }, { 'margin.r': margin(), annotations: annotations(data(0), data(1)), shapes: shapes(), ...(log ? {} : { 'yaxis.autorangeoptions.include': room() }), 'xaxis.autorangeoptions.include': [0, (facts.max_steps || 100) * (margin() > 12 ? 1 : 1.01)] }, [2]);
};

const mark = () => scale.setAttribute('aria-pressed', String(log));
scale.onclick = () => {
  log = !log; localStorage.setItem('tune-log', log ? 'yes' : 'no'); mark();
  if (div.data) { redraw(); Plotly.relayout(div, { 'yaxis.autorange': true }).then(redraw); }
};
mark();

const fill = slots => {  // a slot that is scrolled to its end stays there; one that has the focus keeps it
  for (const [name, [version, html]] of Object.entries(slots)) for (const e of document.querySelectorAll(`[data-live="${name}"]`)) {
    const low = e.scrollHeight - e.scrollTop - e.clientHeight < 24, had = e !== document.activeElement && e.contains(document.activeElement);
    e.innerHTML = html; e.dataset.version = version;
    if (low) e.scrollTop = e.scrollHeight;
    if (had) e.querySelector('[tabindex], a')?.focus({ preventScroll: true });
  }
};
const take = news => {
  const before = JSON.stringify(facts);
  facts = news.facts; at = news.at; fill(news.slots);
  div.setAttribute('aria-label', facts.label);
  if (window.Plotly) {
    if (news.fresh || !div.data || !(div.data[0].x.length + div.data[1].x.length)) draw(news.train, news.val);
    else if (news.train[0].length || news.val[0].length || JSON.stringify(facts) !== before) extend(news.train, news.val);
    if (div.data && div.data[0].x.length > 4000) at.turns = -1;  // thinned again by the next answer
  } else at.turns = -1;  // the script has not come yet: ask for all of it again
  if (facts.state !== state) { state = facts.state; trigger('moved', { run, state }); }
};
const poll = async () => {
  if (!element.isConnected) return clearInterval(timer);
  const shown = div.offsetParent !== null, every = document.querySelector('[data-live]:not([data-version])') ? 1 : (shown ? 1 : 3) * (facts.live === false ? 5 : 1);
  if (!run || busy || document.hidden || ticks++ % every) return;
  busy = true;
  const asked = run, seen = Object.fromEntries([...document.querySelectorAll('[data-live]')].map(e => [e.dataset.live, e.dataset.version || '']));
  try {
    const news = await server.news({ run: asked, ...at, seen });
    if (!news) throw new Error('no answer');  // Gradio tells the console why, and gives nothing
    missed = 0;
    if (asked === run && news.facts) take(news);
    else if (asked === run && news.gone) { run = ''; trigger('moved', { run: asked, state: 'gone' }); }
  } catch {
    if (++missed === 3) fill({ head: ['lost', '<p role="status">The page cannot reach its server. The run goes on by itself; trying again every second.</p>'] });
  } finally { busy = false; }
};
const follow = () => {
  const value = props.value || {};
  ticks = 0;
  if ((value.run || '') !== run) {
    run = value.run || ''; forget();
    document.querySelectorAll('[data-live]').forEach(e => { e.innerHTML = ''; delete e.dataset.version; });
    if (div.data) draw([[], []], [[], []]);
  }
  state = value.state || ''; facts.live = undefined;
  poll();
};
forget();
const timer = setInterval(poll, 1000);
watch('value', follow); follow();
document.addEventListener('tune-theme', () => div.isConnected && div.data && redraw());
document.addEventListener('visibilitychange', () => { ticks = 0; poll(); });
document.fonts.ready.then(() => div.data && redraw());
new IntersectionObserver(() => { if (div.offsetParent !== null) { ticks = 0; if (div.data) redraw(); poll(); } }).observe(div);
