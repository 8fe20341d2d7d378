// How far a job is: asks once a second while it is under way, and says once that it has ended.
const box = element.querySelector('.progress');
let key = '', busy = false, missed = 0, version = '';
const poll = async () => {
  if (!element.isConnected) return clearInterval(timer);
  if (!key || busy || document.hidden) return;
  busy = true;
  const asked = key;
  try {
    const news = await server.progress(JSON.parse(asked));
    if (!news) throw new Error('no answer');  // Gradio tells the console why, and gives nothing
    missed = 0;
    if (asked !== key) return;
    if (news.html !== version) { version = news.html; box.innerHTML = news.html; }
    if (!news.live) { key = ''; trigger('ended', {}); }
  } catch { if (++missed === 3) { version = ''; box.querySelector('.what')?.replaceChildren('The page cannot reach its server. The work goes on; trying again every second.'); } }
  finally { busy = false; }
};
const follow = () => {
  const value = props.value || {}, next = value.live ? JSON.stringify({ run: value.run, kind: value.kind }) : '';
  if (next !== key) { key = next; if (next) { version = ''; box.innerHTML = value.html || ''; } }
  poll();
};
const timer = setInterval(poll, 1000);
watch('value', follow); follow();
