// Whether everything works: a word in the bar, and what is behind it.

import { get } from './api.js';
import { dialog, h } from './dom.js';
import { plain } from './fields.js';
import { Poll } from './poll.js';

const EVERY_MS = 30_000;
const WORDS = { ok: 'All good', degraded: 'Degraded', unavailable: 'Down' };
const TONES = { ok: 'good', degraded: 'warn' };

/** The badge, looked after until it is stopped. */
export function healthBadge() {
  let last = null;
  const words = h('span', {}, 'Checking');
  const badge = h('button', { type: 'button', class: 'health', onclick: () => last && dialog('Health', rows(last), [['Close', '']]) },
    h('i', { 'aria-hidden': 'true' }), h('span', { class: 'hidden' }, 'Health: '), words);
  const poll = new Poll(async () => {
    try {
      last = await get('/health/detailed');
    } catch (error) {
      if (error.status !== 503) throw error;
      last = { status: 'unavailable' };
    }
    badge.dataset.tone = TONES[last.status] ?? 'bad';
    words.textContent = WORDS[last.status] ?? plain(last.status);
  }, EVERY_MS);
  return { badge, stop: () => poll.stop() };
}

/** Whatever the report holds, as names and values. */
function rows(report, depth = 0) {
  const entries = Object.entries(report).filter(([, value]) => value !== null && value !== undefined);
  return h('dl', { class: depth ? 'facts' : 'facts wide' }, entries.map(([name, value]) => h('div', {}, h('dt', {}, plain(name)),
    h('dd', {}, typeof value === 'object' && depth < 3 ? rows(value, depth + 1) : String(value)))));
}
