// Steps into bursts: which step belongs to which card, and what the card says about itself. Pure: no DOM, no clock.

const OF_A_MESSAGE = new Set(['trigger_sent', 'stored', 'duplicate', 'ignored']);
const STARTS_WAITING = new Set(['trigger_sent', 'stored']);
// Sent again by a trigger that finds the conversation at work, not by the burst's own.
const OF_ANOTHER_TRIGGER = new Set(['Busy', 'NotYetStored', 'MoreCameIn']);
const STATES = {
  claimed: 'claimed', taken_over: 'claimed', asked: 'thinking', answered: 'answered', drafted: 'drafted', sent: 'sent',
  fallback: 'drafted', committed: 'done', llm_failed: 'trouble', send_failed: 'trouble', released: 'trouble', fenced_out: 'trouble',
};

/** The bursts of one conversation, oldest first. */
export class Bursts {
  constructor() {
    this.all = [];
    this.seen = new Set();
  }

  /** Puts a step where it belongs. Answers its burst; null when the step is known already or belongs to none. */
  add(step) {
    if (this.seen.has(step.seq)) return null;
    this.seen.add(step.seq);
    const burst = this.burstOf(step);
    if (!burst) return null;
    burst.steps.push(step);
    note(burst, step);
    return burst;
  }

  burstOf(step) {
    const turn = step.fields?.turn;
    const open = this.all.findLast((burst) => !burst.claimed && burst.state !== 'done');
    if (OF_A_MESSAGE.has(step.step)) {
      if (!STARTS_WAITING.has(step.step) && this.all.length > 0) return open ?? this.all.at(-1);
      return open ?? this.begin(step);
    }
    if (turn !== undefined && turn !== null) {
      const known = this.all.find((burst) => burst.turn === String(turn)) ?? open ?? this.begin(step);
      known.turn ??= String(turn);
      return known;
    }
    if (step.step === 'claimed') return open ?? this.begin(step);
    const running = this.all.find((burst) => burst.claimed && burst.state !== 'done');
    // What happens to a provider, and what the demo did wrong, shows with the burst that meets it; it begins none.
    if (step.conversation === null) return running ?? open ?? null;
    if (step.step.startsWith('demo_')) return running ?? open ?? this.all.at(-1) ?? null;
    const ofRunning = Object.hasOwn(STATES, step.step)
      || (step.step === 'rearmed' && !OF_ANOTHER_TRIGGER.has(step.fields?.reason));
    return (ofRunning ? running : null) ?? this.all.at(-1) ?? this.begin(step);
  }

  /** A burst that failed is tried again then. Answers the burst when that is news. */
  retryAt(dueMs, nowMs) {
    const burst = this.all.findLast((one) => one.state === 'trouble');
    if (!burst || dueMs === null || dueMs === burst.dueMs || dueMs <= nowMs) return null;
    // A trigger that is due later decides: after a wait it comes a little after the time of the retry.
    if (burst.dueMs !== null && burst.dueMs > dueMs) return null;
    Object.assign(burst, { dueMs, delayMs: dueMs - nowMs });
    return burst;
  }

  begin(step) {
    const burst = {
      key: step.seq, turn: null, claimed: false, fallback: false, state: 'quiet', steps: [], startedMs: step.at_ms,
      stored: 0, size: null, dueMs: null, delayMs: 0, tokensIn: null, tokensOut: null, costUsd: null, llmMs: null,
      model: null, doneMs: null, status: null, waitsFor: null,
    };
    this.all.push(burst);
    return burst;
  }
}

function note(burst, step) {
  const fields = step.fields ?? {};
  if (step.step === 'stored') burst.stored += 1;
  if (STARTS_WAITING.has(step.step) && burst.state === 'quiet') burst.state = 'waiting';
  noteDue(burst, step.step, fields, step.at_ms);
  if (burst.state !== 'done' && Object.hasOwn(STATES, step.step)) burst.state = STATES[step.step];
  if (['claimed', 'taken_over'].includes(step.step)) {
    Object.assign(burst, { claimed: true, dueMs: null, waitsFor: null });
    burst.size = fields.burst_size ?? burst.size;
  }
  // Its messages are pending again: new bubbles join them.
  if (step.step === 'released') burst.claimed = false;
  if (step.step === 'rearmed' && burst.claimed) burst.waitsFor = fields.reason ?? null;
  if (step.step === 'fallback') burst.fallback = true;
  if (step.step === 'committed') Object.assign(burst, { doneMs: step.at_ms, status: fields.status ?? null });
  noteUsage(burst, fields);
}

/** When something happens next, where a step says so. */
function noteDue(burst, name, fields, atMs) {
  const seconds = fields.retry_seconds ?? (['trigger_sent', 'rearmed'].includes(name) ? fields.delay_seconds : null);
  if (typeof seconds !== 'number') return;
  const delayMs = seconds * 1000;
  if (atMs + delayMs >= (burst.dueMs ?? 0)) Object.assign(burst, { dueMs: atMs + delayMs, delayMs });
}

function noteUsage(burst, fields) {
  burst.tokensIn = fields.tokens_in ?? burst.tokensIn;
  burst.tokensOut = fields.tokens_out ?? burst.tokensOut;
  burst.costUsd = fields.cost_usd ?? burst.costUsd;
  burst.llmMs = fields.llm_latency_ms ?? burst.llmMs;
  burst.model = fields.model ?? burst.model;
}

const CHIPS = {
  quiet: ['Noted', 'mute'], waiting: ['Collecting bubbles', 'calm'], claimed: ['Claimed', 'strong'],
  thinking: ['Model is thinking', 'strong'], answered: ['Model answered', 'strong'], drafted: ['Sending', 'strong'],
  sent: ['Sent', 'good'], done: ['Answered', 'good'], trouble: ['Trying again', 'warn'],
};

/** The state of a burst for people: `[text, tone]`. */
export function chip(burst) {
  if (burst.state === 'done' && burst.status === 'undelivered') return ['Not delivered', 'bad'];
  if (burst.state === 'done' && burst.fallback) return ['Fallback sent', 'warn'];
  if (burst.state === 'trouble' && burst.waitsFor === 'BreakerOpen') return ['Waiting for the breaker', 'warn'];
  return CHIPS[burst.state];
}

/** Whether it waits for a moment that is known: its first trigger, or its next attempt. */
export const countsDown = (burst) => ['waiting', 'trouble'].includes(burst.state) && burst.dueMs !== null;

/** The name of a burst. */
export function title(burst) {
  const count = burst.size ?? burst.stored;
  if (count === 0) return 'No message to answer';
  return count === 1 ? 'Burst of 1 bubble' : `Burst of ${count} bubbles`;
}
