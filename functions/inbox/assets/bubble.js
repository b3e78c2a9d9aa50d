// One message, with what is known of it: who, when, whether it arrived, and the turn behind an answer of the bot.

import { button, h, icon, spoken } from './dom.js';
import { clock, count, dayLabel, DELIVERY, duration, plain, stamp, styled, turnLine, usd } from './fields.js';

const WHO = { customer: 'Customer', bot: 'Bot', person: 'Person' };

/** The line between two days. */
export const drawDay = (at, zone) => h('li', { class: 'day' }, h('span', {}, dayLabel(at, Date.now(), zone)));

/** A message. `composer` repeats or takes back one that was not sent. */
export function drawBubble({ message, isFirst }, context, contact, composer) {
  return h('li', { class: `bubble ${message.author}`, dataset: { delivery: message.delivery, first: String(isFirst) } },
    h('span', { class: isFirst ? 'sender' : 'hidden' }, WHO[message.author] ?? plain(message.author)),
    message.kind !== 'text' && h('span', { class: 'kind' }, icon('file'), plain(message.kind)),
    h('p', { class: 'words', dir: 'auto' }, spoken(styled(message.text))),
    h('p', { class: 'meta' }, message.edited_at && h('span', {}, 'edited'),
      h('time', { datetime: message.at, title: stamp(message.at, context.zone) }, clock(message.at, context.zone)), delivery(message)),
    message.out && message.wrong && h('p', { class: 'unsent', role: 'alert' }, `Not sent: ${message.wrong} `,
      button('Try again', () => composer.again(message.out), { kind: 'link' }), button('Take back', () => composer.takeBack(message.out), { kind: 'link' })),
    message.turn && turn(message.turn, context, contact));
}

function delivery(message) {
  if (message.delivery === 'unsent' || message.author === 'customer') return null;
  const known = DELIVERY[message.delivery];
  if (!known) return null;
  const [sign, words] = known;
  const isFine = sign !== 'alert';
  return h('span', { class: 'delivery', title: words }, icon(sign), h('span', { class: isFine ? 'hidden' : '' }, words));
}

function turn(one, context, contact) {
  const facts = [
    ['Model', one.model ?? '–'], ['Cost', usd(one.cost_usd)], ['Tokens', `${count(one.tokens_in)} in, ${count(one.tokens_out)} out`],
    ['Attempts', count(one.attempts)], ['Latency', duration(one.latency_ms)], ['Outcome', plain(one.status)],
  ];
  return h('details', { class: 'turn', ontoggle: (event) => event.target.open && event.target.scrollIntoView({ block: 'nearest' }) }, h('summary', {}, h('span', { class: 'hidden' }, 'How this was answered: '), turnLine(one)),
    h('dl', { class: 'facts' }, facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    h('a', { href: context.link('turns', `${contact}.${one.number}`) }, `Open turn ${one.number}`));
}
