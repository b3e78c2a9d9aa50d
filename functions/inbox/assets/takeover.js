// Taking a conversation over and giving it back, and what a person must know before they answer.

import { remove } from './api.js';
import { button, h, icon, menu, sure, trouble } from './dom.js';
import { nameOf, PAUSED_BY, stamp, until } from './fields.js';

const PAUSES = [['30 minutes', 30], ['2 hours', 120], ['Until resumed', null]];

/** The menu that pauses the bot; `pause` gets minutes, or null for no end. */
export const pauseMenu = (pause) => menu('Pause the bot', h('span', { class: 'button' }, icon('pause'), h('span', {}, 'Pause bot')),
  h('p', { class: 'menu-note' }, 'The bot says nothing in this chat for'), PAUSES.map(([label, minutes]) => button(label, () => pause(minutes))));

/** What is special about a conversation, above its messages. */
export function banners(one, context, resume) {
  const all = [];
  if (one.paused) {
    all.push(banner('warn', 'pause', `${PAUSED_BY[one.paused.by] ?? 'The bot is paused.'} The bot is silent ${until(one.paused.until, Date.now(), context.zone)}.`,
      context.may('agent') && button('Resume', resume, { kind: 'link' })));
  }
  if (one.opted_out_at) {
    all.push(banner('calm', 'person', `This customer opted out on ${stamp(one.opted_out_at, context.zone)}. The bot does not answer them; they opt in again by writing one of the bot's words for that.`));
  }
  if (one.failed_turn !== null && one.failed_turn !== undefined) {
    all.push(banner('bad', 'alert', 'The bot could not answer. What the customer got is the fallback text, or nothing.',
      h('a', { href: context.link('turns', `${one.contact}.${one.failed_turn}`) }, 'See why, and try again')));
  }
  return all;
}

const banner = (tone, sign, text, ...more) => h('div', { class: `banner ${tone}` }, icon(sign), h('p', {}, text, ' ', more));

/** Erases a contact, after asking; tells whether it was done. */
export async function erase(one, url) {
  const name = nameOf(one);
  const isSure = await sure(`Erase ${name}?`, 'Every message, every turn and the conversation itself are deleted for good. The sums of the usage stay. This cannot be taken back.', 'Erase for good');
  if (!isSure) return false;
  try {
    await remove(url);
    return true;
  } catch (error) {
    trouble(error);
    return false;
  }
}
