// The table of runs: asks for the rows that have changed, and replaces those; what has the focus keeps it.
const caption = element.querySelector('.runs-head'), box = element.querySelector('.scroll'), body = element.querySelector('tbody');
const rows = new Map();
let at = null, live = false, busy = false, again = false, ticks = 0;
const mark = () => {
  const chosen = document.querySelector('#job [data-run]')?.dataset.run || '';
  for (const [id, row] of rows) row.classList.toggle('on', id === chosen);
};
const draw = news => {
  at = news.at; live = news.live;
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset : null;
  for (const [id, [cells, acts]] of Object.entries(news.rows)) {
    if (!rows.has(id)) rows.set(id, document.createElement('tr'));
    rows.get(id).innerHTML = `${cells}<td class="acts">${acts}</td>`;
  }
  if (news.order) {
    caption.innerHTML = news.head;
    box.hidden = !news.order.length;
    for (const id of rows.keys()) if (!news.order.includes(id)) rows.delete(id);
    const shown = news.order.map(id => rows.get(id)).filter(row => row);
    if (shown.length !== body.children.length || shown.some((row, i) => body.children[i] !== row)) body.replaceChildren(...shown);
  }
  if (focused && !body.contains(document.activeElement)) {
    const of = [...body.querySelectorAll('button')].filter(b => b.dataset.run === focused.run);
    (of.find(b => b.dataset.act === focused.act) || of[0])?.focus({ preventScroll: true });
  }
};
const poll = async () => {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const news = await server.news({ at });
    if (news?.rows) draw(news);
    mark();
  } catch { /* the server is away: what is drawn stays, and the next second asks again */ }
  finally { busy = false; if (again) { again = false; poll(); } }
};
const seen = () => element.isConnected && !document.hidden && element.offsetParent !== null;
const timer = setInterval(() => {
  if (!element.isConnected) return clearInterval(timer);
  if (seen() && !(++ticks % (live ? 1 : 5))) poll();
}, 2000);
new IntersectionObserver(() => { if (seen()) poll(); }).observe(element);
watch('value', () => { if (seen()) poll(); });
element.addEventListener('click', async e => {
  const b = e.target.closest('button[data-act]'); if (!b) return;
  const { act, run, name, about } = b.dataset;
  const lost = !about ? '' : `${about[0].toUpperCase()}${about.slice(1)}. Its weights, curves, evaluation and exports are deleted from the disk. This cannot be undone.`;
  if (act === 'delete' && !await tune.ask(`Delete ${name}?`, lost, 'Delete')) return;
  trigger('submit', { act, run });
});
