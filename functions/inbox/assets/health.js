// Whether everything works: a word in the bar, and what is behind it.

import { get } from './api.js';
import { dialog, h, icon } from './dom.js';
import { plain, stamp } from './fields.js';
import { Poll } from './poll.js';

const EVERY_MS = 30_000;
const WORDS = { ok: 'All good', degraded: 'Degraded', unavailable: 'Down' };
const TONES = { ok: 'good', degraded: 'warn' };
/** Why it is degraded, and what to do. */
const REASONS = {
  part_failed: 'A part could not be asked; below is which one.',
  dead_letters: 'Failed turns or records are parked. Look at “Failed”, then redrive or purge the dead letter queue.',
  breaker_open: 'No call is made to a provider of models until it answers again. Messages wait; none is lost.',
  credits_critical: 'The credits are nearly or quite empty, or the key is refused.',
  sweeper_late: 'The sweeper has not ended a run for five minutes; right after a start it has none yet.',
  answers_overdue: 'Customers wait for an answer longer than they should.',
};
const MOMENT = /^\d{4}-\d\d-\d\dT/;

/** The badge, looked after until it is stopped. `zone()`: the time zone that was chosen. */
export function healthBadge(zone) {
  let last = null;
  const words = h('span', {}, 'Checking');
  const badge = h('button', { type: 'button', class: 'health', onclick: () => last && dialog('Health', report(last, zone()), [['Close', '']]) },
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

function report({ status, reasons = [], ...parts }, zone) {
  const all = reasons.map((reason) => h('li', { class: 'banner warn' }, icon('alert'), h('p', {}, REASONS[reason] ?? plain(reason))));
  return h('div', { class: 'stack' }, h('p', {}, h('b', {}, WORDS[status] ?? plain(status))), all.length > 0 && h('ul', { class: 'reasons' }, all), rows(parts, zone));
}

/** Whatever the report holds, as names and values. */
function rows(part, zone, depth = 0) {
  const entries = Object.entries(part).filter(([, value]) => value !== null && value !== undefined);
  return h('dl', { class: depth ? 'facts' : 'facts wide' }, entries.map(([name, value]) => h('div', {},
    h('dt', {}, Array.isArray(part) ? `${Number(name) + 1}` : plain(name)), h('dd', {}, said(value, zone, depth)))));
}

function said(value, zone, depth) {
  if (typeof value === 'object' && depth < 4) return rows(value, zone, depth + 1);
  return MOMENT.test(value) ? stamp(value, zone) : String(value);
}
