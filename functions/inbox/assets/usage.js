// What it costs and what came of it: totals, bars per day or hour, and the same as a table.

import { get } from './api.js';
import { chart } from './chart.js';
import { empty, field, h, skeleton } from './dom.js';
import { count, dayKey, duration, many, percent, plain, usd } from './fields.js';

const DAY_MS = 86_400_000;
/** `[days before today, by, label]` */
const RANGES = { today: [0, 'hour', 'Today, by hour'], week: [6, 'day', '7 days'], month: [29, 'day', '30 days'], quarter: [89, 'day', '90 days'] };

export const open = (main, context) => new Usage(main, context);

class Usage {
  constructor(main, context) {
    this.context = context;
    const select = h('select', { onchange: () => this.show([select.value]) }, Object.entries(RANGES).map(([name, [, , label]]) => h('option', { value: name }, label)));
    this.select = select;
    this.body = h('div', { class: 'stack' });
    main.append(h('div', { class: 'page' }, h('header', { class: 'page-head' }, h('h2', {}, 'Usage'), field('Period (UTC)', select)), this.body));
  }

  async show([range = 'week']) {
    const [back, by] = RANGES[range] ?? RANGES.week;
    this.select.value = RANGES[range] ? range : 'week';
    const turn = this.turn = {};
    const day = (days) => dayKey(Date.now() - days * DAY_MS, 'UTC');
    this.body.replaceChildren(skeleton(8));
    try {
      const usage = await get(this.context.of(['usage'], { from: day(back), to: day(0), by }));
      if (this.turn === turn) this.body.replaceChildren(...this.draw(usage));
    } catch (error) {
      if (this.turn === turn) this.body.replaceChildren(empty('usage', error.title, error.detail ?? 'Choose the period again to try once more.'));
    }
  }

  draw({ items, total, by }) {
    const label = by === 'hour' ? (at) => at.slice(11, 16) : (at) => `${Number(at.slice(8, 10))} ${MONTHS[Number(at.slice(5, 7)) - 1]}`;
    const bars = (name, write) => items.map((one) => ({ label: label(one.at), value: one[name], text: write(one[name]) }));
    const saved = total.calls_saved_by_batching + total.calls_saved_by_cache;
    const failed = Object.values(total.errors).reduce((sum, one) => sum + one, 0);
    return [
      h('dl', { class: 'tiles' }, [
        ['Cost', usd(total.cost_usd), `${usd(total.cost_per_conversation)} per conversation`],
        ['Conversations', count(total.conversations), `${many(total.new_contacts, 'new contact')}`],
        ['Turns', count(total.turns), `${many(total.messages, 'message')} of customers`],
        ['Latency', duration(total.latency_ms_average), `p95 ${duration(total.latency_ms_p95)}`],
        ['Calls saved', count(saved), `${count(total.calls_saved_by_batching)} by batching, ${count(total.calls_saved_by_cache)} by cache`],
        ['Free models', percent(total.free_model_ratio), 'of the answers'],
        ['Tokens', count(total.tokens_in + total.tokens_out), `${count(total.tokens_in)} in, ${count(total.tokens_out)} out`],
        ['Failed calls', count(failed), `${many(total.wasted, 'answer')} thrown away`],
      ].map(([name, value, note]) => h('div', {}, h('dt', {}, name), h('dd', {}, h('b', {}, value), h('small', {}, note))))),
      h('div', { class: 'pair' }, chart(`Cost per ${by}`, usd(total.cost_usd), bars('cost_usd', usd), usd), chart(`Turns per ${by}`, count(total.turns), bars('turns', count), count)),
      h('div', { class: 'pair' }, shares('How turns ended', total.by_status, 'No turn has ended yet.'), shares('Errors of the models', total.errors, 'No call has failed.')),
      h('details', { class: 'card' }, h('summary', {}, `The same as a table, per ${by}`), table(items, label)),
    ];
  }

  close() {}
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function shares(title, counts, nothing) {
  const all = Object.entries(counts).filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...all.map(([, value]) => value));
  return h('section', { class: 'card' }, h('h3', {}, title), all.length === 0 ? h('p', { class: 'soft' }, nothing)
    : h('ul', { class: 'shares' }, all.map(([name, value]) => h('li', {}, h('span', {}, plain(name)), h('progress', { max: most, value, 'aria-hidden': 'true' }), h('b', {}, count(value))))));
}

function table(items, label) {
  const columns = [['Turns', (one) => count(one.turns)], ['Conversations', (one) => count(one.conversations)], ['Calls', (one) => count(one.llm_calls)],
    ['Tokens in', (one) => count(one.tokens_in)], ['Tokens out', (one) => count(one.tokens_out)], ['Cost', (one) => usd(one.cost_usd)], ['p95', (one) => duration(one.latency_ms_p95)]];
  return h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Usage in numbers' }, h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'UTC'), columns.map(([name]) => h('th', { scope: 'col', class: 'number' }, name)))),
    h('tbody', {}, items.map((one) => h('tr', {}, h('th', { scope: 'row' }, label(one.at)), columns.map(([, write]) => h('td', { class: 'number' }, write(one))))))));
}
