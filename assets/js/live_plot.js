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
  const y = div._fullLayout?.yaxis, pixels = y?.range ? y._length / (y.range[1] - y.range[0]) : 80;
  const gap = tx.length && vx.length ? (ly(vy.at(-1)) - ly(ty.at(-1))) * pixels : 99, apart = Math.abs(gap) < 20 ? (20 - Math.abs(gap)) / 2 : 0, up = gap >= 0 ? 1 : -1;
  const side = x => phone() && x / top * inner > inner - 76 ? { xanchor: 'right', xshift: -8 } : { xanchor: 'left', xshift: 10 };
  const lift = x => phone() && x / top * inner > inner - 76 ? 14 : 0;
  if (tx.length) all.push(words(tx.at(-1), ly(ty.at(-1)), 'training', quiet, { ...side(tx.at(-1)), yshift: -up * (apart + lift(tx.at(-1))) }));
  if (vx.length) all.push(words(vx.at(-1), ly(vy.at(-1)), '<b>validation</b>', ember, { ...side(vx.at(-1)), yshift: up * (apart + lift(vx.at(-1))) }));
  if (facts.best) {
    const [step, loss] = facts.best, x = step / top * inner, last = Math.max(tx.at(-1) ?? 0, vx.at(-1) ?? 0), close = (last - step) / top * inner < 70 && last < 0.98 * top, near = phone() && vx.length && lift(vx.at(-1)) && (vx.at(-1) - step) / top * inner < 120;
    all.push(words(step, ly(loss), `<b>best${facts.live ? ' so far' : ''}: ${loss.toFixed(3)}</b><br>step ${step.toLocaleString('en')}`, ember,
      { yshift: near ? 48 : 36, xanchor: (near || close) && x > 120 ? 'right' : x < 60 ? 'left' : x > inner - (phone() ? 50 : -30) ? 'right' : 'center', bgcolor: veil() }));
  }
  if (facts.why && facts.end_step != null) {
    const right = (1 - facts.end_step / top) * inner < 160;
    all.push(words(facts.end_step, 1, facts.why, css('--ink'), { yref: 'paper', yanchor: 'top', xanchor: right ? 'right' : 'left', align: right ? 'right' : 'left', xshift: right ? -8 : 8 }));
  }
  return all;
};
const shapes = () => !facts.why || facts.end_step == null ? [] : [
  { type: 'line', x0: facts.end_step, x1: facts.end_step, y0: 0, y1: 1, yref: 'paper', line: { color: css('--quiet'), width: 1.5, dash: 'dot' } },
  { type: 'rect', x0: facts.end_step, x1: Math.max(facts.max_steps, facts.end_step), y0: 0, y1: 1, yref: 'paper', fillcolor: css('--sunken'), line: { width: 0 }, layer: 'below' }];
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
      : { type: 'linear', ...(none ? { range: [0, 5] } : { rangemode: 'tozero', autorangeoptions: { include: [0, 1] } }), nticks: 6 }),
    shapes: shapes(), annotations: annotations(train, val) }, { responsive: true, displaylogo: false, displayModeBar: false });
  Plotly.relayout(div, { annotations: annotations(train, val) });  // again, now that the axis has its scale
};
const data = i => div.data ? [div.data[i].x, div.data[i].y] : [[], []];
const redraw = () => draw(data(0), data(1));
const extend = (train, val) => {
  if (train[0].length || val[0].length) Plotly.extendTraces(div, { x: [train[0], val[0]], y: [train[1], val[1]] }, [0, 1]);
  const [bx, by] = best();
  Plotly.update(div, { x: [bx], y: [by] }, { 'margin.r': margin(), annotations: annotations(data(0), data(1)), shapes: shapes(), 'xaxis.autorangeoptions.include': [0, (facts.max_steps || 100) * (margin() > 12 ? 1 : 1.01)] }, [2]);
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
