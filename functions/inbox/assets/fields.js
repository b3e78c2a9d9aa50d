// The wording of the page: money, times, names, states. Pure: no DOM, no clock.

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const DAY_MS = 86_400_000;
const formats = new Map();

/** A date format, made once: making one is slow. */
function format(zone, options, locale = 'en-GB') {
  const name = JSON.stringify([zone, options, locale]);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }));
  return formats.get(name);
}
const moment = (at) => new Date(at);
const isMoment = (at) => at !== null && at !== undefined && !Number.isNaN(moment(at).getTime());

/** US dollars with the digits that say something: $0.00021, $0.043, $12.34, $1,234. */
export function usd(amount) {
  if (!isNumber(amount)) return '–';
  if (amount === 0) return '$0';
  const size = Math.abs(amount);
  if (size >= 1000) return `$${Math.round(amount).toLocaleString('en-US')}`;
  if (size >= 1) return `$${amount.toFixed(2)}`;
  if (size >= 0.01) return `$${amount.toFixed(3)}`;
  if (size < 0.000001) return '<$0.000001';
  return `$${amount.toFixed(Math.min(6, 1 - Math.floor(Math.log10(size))))}`;
}

/** A count: 1,234, then 12.3k and 4.5M. */
export function count(value) {
  if (!isNumber(value)) return '–';
  if (value >= 999_950) return `${trim(value / 1e6)}M`;
  if (value >= 10_000) return `${trim(value / 1000)}k`;
  return Math.round(value).toLocaleString('en-US');
}
const trim = (value) => String(Math.round(value * 10) / 10);

/** `one chat`, `3 chats`. */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

/** A share as per cent. */
export const percent = (share) => (isNumber(share) ? `${trim(share * 100)}%` : '–');

/** Milliseconds for people. */
export function duration(ms) {
  if (!isNumber(ms)) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${trim(ms / 1000)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** The time of day. */
export const clock = (at, zone) => (isMoment(at) ? format(zone, { hour: '2-digit', minute: '2-digit' }).format(moment(at)) : '');

/** The day, as a key that sorts: 2025-11-20. */
export const dayKey = (at, zone) => (isMoment(at)
  ? format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }, 'en-CA').format(moment(at)) : '');

/** The day as people say it: today, yesterday, the weekday, the date. */
export function dayLabel(at, now, zone) {
  if (!isMoment(at)) return '';
  const days = Math.round((Date.parse(dayKey(now, zone)) - Date.parse(dayKey(at, zone))) / DAY_MS);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days > 1 && days < 7) return format(zone, { weekday: 'long' }).format(moment(at));
  return format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(moment(at));
}

/** When, in a list: now, 5 min, 14:02, Yesterday, Monday, 20 Nov. */
export function relative(at, now, zone) {
  if (!isMoment(at)) return '';
  const ago = now - moment(at).getTime();
  if (ago < 60_000 && ago > -60_000) return 'now';
  if (ago > 0 && ago < 3_600_000) return `${Math.floor(ago / 60_000)} min`;
  const day = dayLabel(at, now, zone);
  if (day === 'Today') return clock(at, zone);
  return day.includes(' ') ? format(zone, { day: 'numeric', month: 'short' }).format(moment(at)) : day;
}

/** A full date and time, for tables and titles. */
export const stamp = (at, zone) => (isMoment(at)
  ? format(zone, { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' }).format(moment(at)) : '–');

/** When a pause ends: `14:32`, or with its day when that is not today; none has no end. */
export function until(at, now, zone) {
  if (!isMoment(at)) return 'until resumed';
  const day = dayLabel(at, now, zone);
  return day === 'Today' ? `until ${clock(at, zone)}` : `until ${stamp(at, zone)}`;
}

/** A contact's number in groups: +62 811-0002-0001. What is no number stays as it is. */
export function phone(contact) {
  if (!/^\d{8,15}$/.test(contact)) return contact;
  const [country, rest] = contact.startsWith('62') ? [contact.slice(0, 2), contact.slice(2)] : ['', contact];
  const groups = [rest.slice(0, 3), ...(rest.slice(3).match(/\d{1,4}/g) ?? [])].join('-');
  return country ? `+${country} ${groups}` : `+${contact}`;
}

/** What a contact is called. */
export const nameOf = (conversation) => conversation.name?.trim() || phone(conversation.contact);

/** One or two letters for an avatar. */
export function initials(name) {
  const words = String(name ?? '').split(/\s+/).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = words.slice(0, 2).map((word) => Array.from(word).find((letter) => /\p{L}|\p{N}/u.test(letter)));
  return letters.join('').toUpperCase() || '?';
}

/** A tone from 0 to 5 for a name: the same name has the same one. */
export const tone = (name) => Array.from(String(name)).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 6007, 7) % 6;

/** A word of the API for people: `left_to_person` -> `Left to person`. */
export function plain(word) {
  const text = String(word ?? '').replaceAll('_', ' ').trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What happens in a conversation right now; nothing when nothing does. */
export const STATES = {
  waiting: 'waiting for more bubbles', answering: 'the bot is answering…', sending: 'sending…', retrying: 'trying again…',
};

/** What became of a message that was sent. `[icon, words]`. */
export const DELIVERY = {
  sending: ['clock', 'sending'], sent: ['check', 'sent'], undelivered: ['alert', 'not delivered'],
  withheld: ['alert', 'withheld: a person took over'], received: null,
};

/** Who paused the bot. */
export const PAUSED_BY = {
  person: 'A person has this chat.', loop_brake: 'The loop brake stopped the bot: the contact looks like another bot.',
};

/** The line behind an answer: model, cost, time. */
export function turnLine(turn) {
  return [turn.model?.split('/').pop() ?? plain(turn.status), usd(turn.cost_usd), turn.latency_ms > 0 && duration(turn.latency_ms)]
    .filter(Boolean).join(' · ');
}

/** Lines or commas to a list of words. */
export const words = (text) => text.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);

const STYLES = { '*': 'b', _: 'i', '~': 's' };
/** A marker stands at the edge of a word, and both are in one line. The bound keeps a long hostile text cheap. */
const STYLED = /(?<![\p{L}\p{N}])([*_~])(?=\S)([^\n]{0,999}?[^\s])\1(?![\p{L}\p{N}])/u;

/** What WhatsApp shows of `*bold*`, `_italic_` and `~struck~`: parts that are text, or `{tag, marker, parts}`. Nothing else is markup. */
export function styled(text) {
  const parts = [];
  for (let rest = String(text); rest !== '';) {
    const found = STYLED.exec(rest);
    if (!found) return [...parts, rest];
    const [all, marker, inner] = found;
    if (found.index > 0) parts.push(rest.slice(0, found.index));
    parts.push({ tag: STYLES[marker], marker, parts: styled(inner) });
    rest = rest.slice(found.index + all.length);
  }
  return parts;
}

/** The same without its markers, in one line. */
export const unstyled = (text) => flat(styled(text)).replace(/\s+/g, ' ');
const flat = (parts) => parts.map((part) => (part.tag ? flat(part.parts) : part)).join('');
