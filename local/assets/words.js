// The wording of the page: steps, times, amounts, and WhatsApp's formatting. Pure: no DOM, no clock.

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const delay = (fields) => (isNumber(fields.delay_seconds) ? `due in ${trim(fields.delay_seconds)} s` : '');
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const trim = (number) => String(Math.round(number * 10) / 10);
/** A name of the code as words: `snake_case` and `CamelCase`. */
const plain = (text) => String(text ?? '').replaceAll('_', ' ').trim();
const split = (text) => plain(text).replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
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
const why = (fields) => joined(fields.error ? plain(fields.error) : split(fields.error_class), split(fields.reason),
  fields.status && plain(fields.status), again(fields));
const again = (fields) => (isNumber(fields.retry_seconds) ? `again in ${trim(fields.retry_seconds)} s` : '');
const attemptOf = (fields) => (isNumber(fields.attempt) ? `attempt ${fields.attempt}` : '');
const level = (fields) => (fields.level && fields.level !== 'Full' ? `less context: ${split(fields.level)}` : '');
const DEMO_FAULTS = {
  rate_limited: 'Demo model: 429 with Retry-After', server_error: 'Demo model: 500', overloaded: 'Demo model: 503',
  timeout: 'Demo model: does not answer', context_too_long: 'Demo model: the context is too long',
  no_credits: 'Demo model: no credits', invalid_key: 'Demo model: invalid key', empty_answer: 'Demo model: an empty answer',
  answer_lost: 'Demo gateway: sent it, but its answer is lost', refused: 'Demo gateway: refuses, 500',
};
const COMMITTED = {
  failed: 'parked as failed: it can be tried again later', undelivered: 'parked: the gateway did not take it',
  skipped: 'nothing to send', braked: 'no reply: the contact looks like another bot',
  left_to_person: 'left to the person who answered', opted_out: 'the contact wants no answers', opted_in: 'the contact wants answers again',
};
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
  rearmed: ['clock', 'calm', (f) => (f.reason === 'BreakerOpen' ? 'Waits for the breaker' : 'Trigger re-armed'),
    (f) => joined(delay(f), f.reason !== 'BreakerOpen' && split(f.reason))],
  taken_over: ['again', 'warn', () => 'Taken over from a worker that died', (f) => (f.fence === undefined ? '' : `fence ${f.fence}`)],
  asked: ['spark', 'strong', () => 'Model asked', (f) => joined(plain(f.model), level(f))],
  answered: ['reply', 'strong', () => 'Model answered',
    (f) => joined(isNumber(f.llm_latency_ms) && `in ${duration(f.llm_latency_ms)}`, tokens(f), dollars(f.cost_usd))],
  llm_failed: ['alert', 'bad', (f) => joined('Model failed', attemptOf(f)),
    (f) => joined(f.model && f.model !== f.error && plain(f.model), why(f))],
  drafted: ['draft', 'strong', () => 'Draft stored', () => 'text and id are fixed from here on'],
  paused: ['lock', 'warn', () => 'A person has the chat',
    (f) => (isNumber(f.pause_seconds) ? `the bot is quiet for ${trim(f.pause_seconds / 60)} min` : 'the bot is quiet')],
  withheld: ['skip', 'warn', () => 'Reply withheld', () => 'a person has the chat'],
  left_to_person: ['skip', 'calm', () => 'Left to the person', () => 'who has answered these messages'],
  opt: ['lock', 'strong', (f) => (f.change === 'in' ? 'Contact opts in again' : 'Contact opts out'), () => 'confirmed once'],
  opted_out: ['skip', 'mute', () => 'Nothing is said', () => 'the contact has opted out'],
  sent: ['send', 'good', () => 'Reply sent', () => ''],
  send_failed: ['alert', 'bad', () => 'Sending failed', why],
  committed: ['check', 'good', () => 'Committed', (f) => COMMITTED[f.status] ?? 'reply and usage recorded once'],
  released: ['again', 'warn', () => 'Claim released', why],
  fallback: ['life', 'warn', () => 'Fallback text takes over', why],
  fenced_out: ['skip', 'warn', () => 'Fenced out', () => 'another worker holds a newer claim'],
  swept: ['life', 'warn', () => 'Found by the sweeper', why],
  nothing_pending: ['check', 'mute', () => 'Nothing left to do', () => ''],
  breaker_open: ['fuse', 'bad', () => 'Breaker opens',
    (f) => joined(isNumber(f.failures) ? `${f.failures} failures counted` : 'the probe failed', split(f.reason))],
  rate_limited: ['clock', 'calm', () => 'Waits for the next window', () => 'more messages than the limit; all are answered together'],
  loop_brake: ['fuse', 'warn', () => 'Loop brake', (f) => joined('looks like another bot', split(f.reason))],
  cache_hit: ['reply', 'strong', () => 'Answer kept from before',
    (f) => (isNumber(f.tokens_saved) ? `${f.tokens_saved} tokens saved` : '')],
  model_parked: ['skip', 'warn', () => 'Model parked for the day', (f) => plain(f.model)],
  gave_up: ['skip', 'warn', () => 'No further try', why],
  breaker_closed: ['check', 'good', () => 'Breaker closes', () => 'the provider works again'],
  demo_fault: ['plug', 'demo', (f) => (Object.hasOwn(DEMO_FAULTS, f.fault) ? DEMO_FAULTS[f.fault] : `Demo ${plain(f.target)} fails`),
    (f) => (isNumber(f.calls_left) && f.calls_left > 0 ? `${f.calls_left} more` : '')],
  demo_repeat: ['plug', 'demo', () => 'Demo gateway: knows this id', () => 'the customer sees one message'],
};

const TONES = { WARN: ['alert', 'warn'], ERROR: ['alert', 'bad'] };

/** A step that this page does not know: its own name, what its line says, and how loudly. */
function unknown(step) {
  const [icon, tone] = TONES[step.level] ?? ['dot', 'calm'];
  const detail = (f) => joined(plain(step.message), f.error && plain(f.error), split(f.reason), f.model && plain(f.model),
    delay(f), again(f));
  return [icon, tone, () => capital(plain(step.step)) || 'Step', detail];
}

/** How a step reads: icon, tone, title and detail. */
export function describe(step) {
  const fields = step.fields ?? {};
  const known = Object.hasOwn(STEPS, step.step) ? STEPS[step.step] : null;
  const [icon, tone, title, detail] = known ?? unknown(step);
  const attempt = step.step !== 'llm_failed' && fields.attempt > 1 ? attemptOf(fields) : '';
  return { icon, tone, title: title(fields), detail: joined(detail(fields), attempt) };
}

/** The breaker's gauge: `share` fills with failures while it is closed, and empties while it is open. `time` writes a moment. */
export function breakerText(breaker, nowMs, time) {
  const { state = 'closed', failures = 0, max_failures: most, open_until_ms: until, cooldown_ms: cooldown } = breaker;
  const part = (some, whole) => (whole > 0 ? Math.min(1, Math.max(0, some / whole)) : 0);
  if (state === 'closed') {
    const text = failures > 0 ? `closed · ${failures}${most ? ` of ${most}` : ''} failed` : 'closed';
    return { text, tone: failures > 0 ? 'warn' : 'good', share: failures > 0 ? part(failures, most) : 0 };
  }
  if (state === 'open' && isNumber(until) && nowMs < until) {
    return { text: `open until ${time(until)}`, tone: 'bad', share: part(until - nowMs, cooldown) };
  }
  return { text: breaker.probing ? 'half open · probing' : 'half open', tone: 'warn', share: 0 };
}

const calls = (count) => (count === 1 ? '1 call' : `${count} calls`);

/** What is armed on one side, and the calls that wait for an answer that does not come. */
export function armedText(label, side, labels) {
  const armed = side?.armed && `${labels.get(side.armed.fault) ?? plain(side.armed.fault)}, ${calls(side.armed.calls_left)} left`;
  const hanging = side?.hanging > 0 && `${calls(side.hanging)} without an answer`;
  const text = joined(armed, hanging);
  return text && `${label}: ${text}`;
}

/** What one will see, and how long it takes by the run's settings `p`. */
export function faultHint(fault, p) {
  const retry = `The next attempt comes within ${p.retry_seconds} s, one more within ${2 * p.retry_seconds} s; `
    + `after ${p.attempts} attempts the customer gets the fallback text.`;
  const breaker = `${p.breaker_failures} failures in a row, of whichever customers, open the breaker for ${p.breaker_seconds} s.`;
  const final = 'Asking again does not help: the customer gets the fallback text at once.';
  const hints = {
    rate_limited: `The next attempt comes after the ${p.retry_after_seconds} s that Retry-After asks for, not after a backoff. ${breaker}`,
    server_error: `${retry} ${breaker}`,
    overloaded: `${retry} ${breaker}`,
    empty_answer: `A success without a text is a failure, and is billed. ${retry}`,
    timeout: `An attempt waits ${p.timeout_seconds} s for an answer. ${retry} Clear gives waiting calls their answer.`,
    context_too_long: `A context with room for ${p.small_context_tokens} tokens of prompt. The refusal tells the numbers, so the same `
      + 'attempt asks again at once with what fits. Prompts that fit are answered.',
    no_credits: `${final} One such refusal opens the breaker for ${p.breaker_seconds} s: an empty account answers nobody.`,
    invalid_key: `${final} ${breaker}`,
    answer_lost: 'The customer sees the message, Clivy gets no answer. It sends again with the same id at once, and WhatsApp shows an id once.',
    refused: `Clivy sends once more at once, then within ${p.retry_seconds} s, up to ${p.gateway_attempts} rounds: always the same text and id, and the model is not asked again.`,
  };
  return fault && Object.hasOwn(hints, fault) ? hints[fault]
    : `Choose what the next calls meet, then write a bubble. Backoffs take up to ${p.retry_seconds} s, an open breaker ${p.breaker_seconds} s.`;
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
