// Steps into bursts: which step belongs to which card, and what the card says about itself. Pure: no DOM, no clock.

const OF_A_MESSAGE = new Set(['trigger_sent', 'stored', 'duplicate', 'ignored']);
const STARTS_WAITING = new Set(['trigger_sent', 'stored']);
const STATES = {
  claimed: 'claimed', taken_over: 'claimed', asked: 'thinking', answered: 'answered', drafted: 'drafted', sent: 'sent',
  committed: 'done', llm_failed: 'trouble', send_failed: 'trouble', released: 'trouble', fenced_out: 'trouble',
};

/** The bursts of one conversation, oldest first. */
export class Bursts {
  constructor() {
    this.all = [];
    this.seen = new Set();
  }

  /** Puts a step where it belongs. Answers its burst; null when the step is known already. */
  add(step) {
    if (this.seen.has(step.seq)) return null;
    this.seen.add(step.seq);
    const burst = this.burstOf(step);
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
    return (step.step in STATES ? running : null) ?? this.all.at(-1) ?? this.begin(step);
  }

  begin(step) {
    const burst = {
      key: step.seq, turn: null, claimed: false, fallback: false, state: 'quiet', steps: [], startedMs: step.at_ms,
      stored: 0, size: null, dueMs: null, delayMs: 0, tokensIn: null, tokensOut: null, costUsd: null, llmMs: null,
      model: null, doneMs: null,
    };
    this.all.push(burst);
    return burst;
  }
}

function note(burst, step) {
  const fields = step.fields ?? {};
  if (step.step === 'stored') burst.stored += 1;
  if (STARTS_WAITING.has(step.step) && burst.state === 'quiet') burst.state = 'waiting';
  if (['trigger_sent', 'rearmed'].includes(step.step) && typeof fields.delay_seconds === 'number') {
    const delayMs = fields.delay_seconds * 1000;
    const dueMs = step.at_ms + delayMs;
    if (dueMs >= (burst.dueMs ?? 0)) Object.assign(burst, { dueMs, delayMs });
  }
  if (burst.state !== 'done' && Object.hasOwn(STATES, step.step)) burst.state = STATES[step.step];
  if (['claimed', 'taken_over'].includes(step.step)) {
    burst.claimed = true;
    burst.size = fields.burst_size ?? burst.size;
  }
  if (step.step === 'fallback') burst.fallback = true;
  if (step.step === 'committed') burst.doneMs = step.at_ms;
  noteUsage(burst, fields);
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
export const chip = (burst) => (burst.state === 'done' && burst.fallback ? ['Fallback sent', 'warn'] : CHIPS[burst.state]);

/** The name of a burst. */
export function title(burst) {
  const count = burst.size ?? burst.stored;
  if (count === 0) return 'No message to answer';
  return count === 1 ? 'Burst of 1 bubble' : `Burst of ${count} bubbles`;
}
