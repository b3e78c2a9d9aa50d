// The wording of the page: steps, times, amounts, and WhatsApp's formatting. Pure: no DOM, no clock.

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const delay = (fields) => (isNumber(fields.delay_seconds) ? `due in ${trim(fields.delay_seconds)} s` : '');
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const trim = (number) => String(Math.round(number * 10) / 10);
const plain = (text) => String(text ?? '').replaceAll('_', ' ').trim();
const joined = (...parts) => parts.filter(Boolean).join(' · ');

/** A sentence's first letter, large. */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** An amount of dollars small enough to need digits. */
export function dollars(usd) {
  if (!isNumber(usd)) return '';
  if (usd === 0) return '$0';
  return usd < 0.01 ? `$${usd.toFixed(6)}` : `$${usd.toFixed(3)}`;
}

/** A duration for people. */
export const duration = (ms) => (ms < 1000 ? `${Math.max(0, Math.round(ms))} ms` : seconds(ms));

/** How long after the start of its burst a step came. */
export const offset = (ms) => `+${(Math.max(0, ms) / 1000).toFixed(1)} s`;

const tokens = (fields) => (isNumber(fields.tokens_in) || isNumber(fields.tokens_out)
  ? `${fields.tokens_in ?? '?'} tokens in, ${fields.tokens_out ?? '?'} out` : '');
const why = (fields) => joined(plain(fields.error_class), plain(fields.reason), fields.status && plain(fields.status));
const burstOf = (n) => (n === 1 ? 'a burst of 1' : `one burst of ${n}`);

// step: [icon, tone, title, detail]
const STEPS = {
  trigger_sent: ['clock', 'calm', () => 'Trigger queued', delay],
  stored: ['inbox', 'calm', () => 'Message stored', () => ''],
  duplicate: ['again', 'mute', () => 'Duplicate recognised', () => 'the same message again, nothing to do'],
  ignored: ['skip', 'mute', () => 'Ignored', (f) => plain(f.reason)],
  claimed: ['lock', 'strong', (f) => (isNumber(f.burst_size) ? `Claimed as ${burstOf(f.burst_size)}` : 'Claimed'),
    (f) => (f.fence === undefined ? '' : `fence ${f.fence}`)],
  superseded: ['skip', 'mute', () => 'Older trigger steps aside', () => 'a newer bubble has its own'],
  rearmed: ['clock', 'calm', () => 'Trigger re-armed', (f) => joined(delay(f), plain(f.reason))],
  taken_over: ['again', 'warn', () => 'Taken over from a worker that died', (f) => (f.fence === undefined ? '' : `fence ${f.fence}`)],
  asked: ['spark', 'strong', () => 'Model asked', (f) => plain(f.model)],
  answered: ['reply', 'strong', () => 'Model answered',
    (f) => joined(isNumber(f.llm_latency_ms) && `in ${duration(f.llm_latency_ms)}`, tokens(f), dollars(f.cost_usd))],
  llm_failed: ['alert', 'bad', () => 'Model failed', why],
  drafted: ['draft', 'strong', () => 'Draft stored', () => 'text and id are fixed from here on'],
  sent: ['send', 'good', () => 'Reply sent', () => ''],
  send_failed: ['alert', 'bad', () => 'Sending failed', why],
  committed: ['check', 'good', () => 'Committed', () => 'reply and usage recorded once'],
  released: ['again', 'warn', () => 'Claim released', why],
  fallback: ['life', 'warn', () => 'Fallback text takes over', why],
  fenced_out: ['skip', 'warn', () => 'Fenced out', () => 'another worker holds a newer claim'],
  swept: ['life', 'warn', () => 'Found by the sweeper', why],
  nothing_pending: ['check', 'mute', () => 'Nothing left to do', () => ''],
};

/** How a step reads: icon, tone, title and detail. Steps that this page does not know show under their own name. */
export function describe(step) {
  const fields = step.fields ?? {};
  const known = Object.hasOwn(STEPS, step.step) ? STEPS[step.step] : null;
  const [icon, tone, title, detail] = known
    ?? ['dot', 'calm', () => capital(plain(step.step)) || 'Step', () => plain(step.message)];
  const attempt = isNumber(fields.attempt) && fields.attempt > 1 ? `attempt ${fields.attempt}` : '';
  return { icon, tone, title: title(fields), detail: joined(detail(fields), attempt) };
}

/** The label of a calendar day, seen from now. */
export function dayLabel(at, now) {
  const midnight = (ms) => new Date(ms).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(now) - midnight(at)) / 86_400_000);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'long' }).format(at);
}

const STYLES = { '*': 'strong', '_': 'em', '~': 's', '`': 'code' };
const isEdge = (character) => character === undefined || !/[\p{L}\p{N}]/u.test(character);

/**
 * WhatsApp's formatting as a tree: strings, and `[tag, children]`. A marker opens where a word begins and closes where one
 * ends, on the same line; three backticks hold anything as it is.
 */
export function formatted(text) {
  const parts = [];
  let open = 0;
  const put = (part, from, next) => {
    if (from > open) parts.push(text.slice(open, from));
    parts.push(part);
    open = next;
  };
  for (let at = 0; at < text.length; at += 1) {
    const mono = text.startsWith('```', at) ? text.indexOf('```', at + 3) : -1;
    if (mono > at + 3) {
      put(['code', [text.slice(at + 3, mono)]], at, mono + 3);
      at = open - 1;
      continue;
    }
    const marker = text[at];
    const close = Object.hasOwn(STYLES, marker) ? closing(text, at, marker) : -1;
    if (close < 0) continue;
    const inner = text.slice(at + 1, close);
    put([STYLES[marker], marker === '`' ? [inner] : formatted(inner)], at, close + 1);
    at = open - 1;
  }
  if (open < text.length) parts.push(text.slice(open));
  return parts;
}

function closing(text, at, marker) {
  const next = text[at + 1];
  if (!isEdge(text[at - 1]) || text[at - 1] === marker || next === undefined || /\s/.test(next) || next === marker) return -1;
  for (let end = at + 2; end < text.length && text[end] !== '\n'; end += 1) {
    if (text[end] === marker && !/\s/.test(text[end - 1]) && isEdge(text[end + 1])) return end;
  }
  return -1;
}
