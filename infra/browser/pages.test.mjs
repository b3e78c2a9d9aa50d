// The page's pure rules: how steps become bursts, how they read, and WhatsApp's formatting.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bursts, chip, countsDown, title } from '../../local/assets/bursts.js';
import { armedText, breakerText, dayLabel, describe, dollars, faultHint, formatted } from '../../local/assets/words.js';

/** Steps of one conversation, written as `[name, fields]`, a tenth of a second apart; those of a provider are of none. */
function fed(...steps) {
  const bursts = new Bursts();
  steps.forEach(([step, fields = {}], place) => bursts.add({
    seq: place + 1, at_ms: place * 100, step, fields, message: '', conversation: fields.provider ? null : 'c',
  }));
  return bursts;
}
const run = (...steps) => fed(...steps).all;

const bubble = [['trigger_sent', { delay_seconds: 3 }], ['stored']];
const answer = (turn) => [
  ['claimed', { turn, burst_size: 3 }], ['asked', { turn }], ['answered', { turn, tokens_in: 400, tokens_out: 80, cost_usd: 0.0001 }],
  ['drafted', { turn }], ['sent', { turn }], ['committed', { turn }],
];

test('three bubbles and their answer are one burst', () => {
  const [burst, ...others] = run(...bubble, ...bubble, ...bubble, ['superseded'], ['superseded'], ...answer(1));
  assert.equal(others.length, 0);
  assert.equal(title(burst), 'Burst of 3 bubbles');
  assert.deepEqual(chip(burst), ['Answered', 'good']);
  assert.equal(burst.tokensIn, 400);
  assert.equal(burst.doneMs, 1300);
});

test('the countdown runs to the newest trigger', () => {
  const [burst] = run(...bubble, ...bubble);
  assert.equal(burst.dueMs, 200 + 3000);
  assert.equal(burst.state, 'waiting');
});

test('a message that arrives during the answer begins a burst of its own', () => {
  const all = run(...bubble, ['claimed', { turn: 1, burst_size: 1 }], ['asked', { turn: 1 }], ...bubble,
    ['answered', { turn: 1 }], ['committed', { turn: 1 }], ['claimed', { turn: 2, burst_size: 1 }], ['committed', { turn: 2 }]);
  assert.deepEqual(all.map((burst) => [burst.turn, burst.state, burst.stored]), [['1', 'done', 1], ['2', 'done', 1]]);
});

test('steps without a turn still find the burst that is being answered', () => {
  const all = run(...bubble, ['claimed', { burst_size: 1 }], ['asked'], ['committed'], ...bubble);
  assert.deepEqual(all.map((burst) => burst.state), ['done', 'waiting']);
});

test('late steps of an answered burst do not open another', () => {
  const all = run(...bubble, ...answer(1), ['nothing_pending'], ['duplicate']);
  assert.equal(all.length, 1);
  assert.equal(all[0].state, 'done');
});

test('a fallback is told apart from an answer', () => {
  const [burst] = run(...bubble, ['claimed', { turn: 1 }], ['llm_failed', { turn: 1 }], ['fallback', { turn: 1 }], ['committed', { turn: 1 }]);
  assert.deepEqual(chip(burst), ['Fallback sent', 'warn']);
});

const failed = (turn) => [
  ['claimed', { turn, burst_size: 1 }], ['asked', { turn }], ['demo_fault', { target: 'model', fault: 'server_error', calls_left: 2 }],
  ['llm_failed', { turn, attempt: 1 }], ['released', { turn }],
];

test('a failed attempt waits for the next one, and its bubbles and new ones are one burst again', () => {
  const bursts = fed(...bubble, ...failed(1));
  const [burst] = bursts.all;
  assert.deepEqual(chip(burst), ['Trying again', 'warn']);
  assert.equal(countsDown(burst), false, 'nothing says when');
  assert.equal(bursts.retryAt(21_000, 1_000), burst);
  assert.deepEqual([burst.dueMs, burst.delayMs, countsDown(burst)], [21_000, 20_000, true]);
  assert.equal(bursts.retryAt(21_000, 1_250), null, 'no news');
  assert.equal(bursts.retryAt(null, 1_250), null);
  const more = run(...bubble, ...failed(1), ...bubble, ...answer(1));
  assert.deepEqual(more.map((one) => [one.turn, one.state, one.stored]), [['1', 'done', 2]]);
});

test('an answered burst is not tried again', () => {
  assert.equal(fed(...bubble, ...answer(1)).retryAt(21_000, 1_000), null);
});

test('a burst that waits for the breaker says so and counts down to the trigger that was sent for it', () => {
  const [burst] = run(...bubble, ['claimed', { turn: 1 }], ['rearmed', { delay_seconds: 59, reason: 'BreakerOpen' }], ['released', { turn: 1 }]);
  assert.deepEqual(chip(burst), ['Waiting for the breaker', 'warn']);
  assert.equal(burst.dueMs, 300 + 59_000);
  assert.equal(countsDown(burst), true);
});

test('a step that says when the next try comes is believed', () => {
  const [burst] = run(...bubble, ['claimed', { turn: 1 }], ['send_failed', { turn: 1, retry_seconds: 12 }]);
  assert.equal(burst.dueMs, 300 + 12_000);
});

test('steps of a provider show with the burst that is at work, and begin none', () => {
  const [burst, ...others] = run(...bubble, ['claimed', { turn: 1 }], ['asked', { turn: 1 }],
    ['breaker_open', { provider: 'openrouter', failures: 5 }], ['llm_failed', { turn: 1 }], ['fallback', { turn: 1 }]);
  assert.equal(others.length, 0);
  assert.equal(burst.steps.filter((step) => step.step === 'breaker_open').length, 1);
  assert.equal(run(['breaker_closed', { provider: 'openrouter' }]).length, 0);
  assert.equal(run(...bubble, ...answer(1), ['breaker_open', { provider: 'openrouter' }])[0].steps.length, 8, 'it is answered');
});

test('what did not reach the customer is told apart from an answer', () => {
  const [burst] = run(...bubble, ['claimed', { turn: 1 }], ['send_failed', { turn: 1 }], ['committed', { turn: 1, status: 'undelivered' }]);
  assert.deepEqual(chip(burst), ['Not delivered', 'bad']);
});

test("the breaker's gauge fills with failures and empties with its cooldown", () => {
  const time = (ms) => `t${ms}`;
  const closed = { state: 'closed', failures: 0, max_failures: 5, cooldown_ms: 60_000 };
  assert.deepEqual(breakerText(closed, 0, time), { text: 'closed', tone: 'good', share: 0 });
  assert.deepEqual(breakerText({ ...closed, failures: 2 }, 0, time), { text: 'closed · 2 of 5 failed', tone: 'warn', share: 0.4 });
  const open = { ...closed, state: 'open', failures: 5, open_until_ms: 90_000 };
  assert.deepEqual(breakerText(open, 60_000, time), { text: 'open until t90000', tone: 'bad', share: 0.5 });
  assert.equal(breakerText(open, 90_001, time).text, 'half open', 'time passes without a word from the server');
  assert.equal(breakerText({ ...open, state: 'half open', probing: true }, 95_000, time).text, 'half open · probing');
  assert.equal(breakerText({}, 0, time).text, 'closed');
});

test('what is armed reads as people say it', () => {
  const labels = new Map([['timeout', 'Timeout']]);
  assert.equal(armedText('Model', { armed: { fault: 'timeout', calls_left: 1 }, hanging: 0 }, labels), 'Model: Timeout, 1 call left');
  assert.equal(armedText('Model', { armed: null, hanging: 2 }, labels), 'Model: 2 calls without an answer');
  assert.equal(armedText('Model', { armed: null, hanging: 0 }, labels), '');
  assert.equal(armedText('Gateway', undefined, labels), '');
});

test("the hints tell times by the run's own settings", () => {
  const pace = { attempts: 4, retry_seconds: 7, retry_after_seconds: 10, timeout_seconds: 90, breaker_failures: 6, breaker_seconds: 45 };
  assert.match(faultHint('server_error', pace), /within 7 s.*within 14 s.*after 4 attempts.*6 failures.*45 s/);
  assert.match(faultHint('timeout', pace), /waits 90 s/);
  for (const nothing of [null, 'constructor', 'unheard_of']) assert.match(faultHint(nothing, pace), /Choose/);
});

test('a step that comes twice counts once', () => {
  const bursts = new Bursts();
  const step = { seq: 7, at_ms: 1, step: 'stored', fields: {} };
  assert.notEqual(bursts.add(step), null);
  assert.equal(bursts.add(step), null);
  assert.equal(bursts.all[0].stored, 1);
});

test('every step of the vocabulary has words, and an unknown one shows under its own name', () => {
  assert.equal(describe({ step: 'claimed', fields: { burst_size: 3 } }).title, 'Claimed as one burst of 3');
  assert.equal(describe({ step: 'trigger_sent', fields: { delay_seconds: 2.1 } }).detail, 'due in 2.1 s');
  assert.equal(describe({ step: 'asked', fields: { attempt: 2, model: 'm' } }).detail, 'm · attempt 2');
  const unknown = describe({ step: 'breaker_opened', fields: {}, message: 'the breaker opened' });
  assert.deepEqual([unknown.title, unknown.detail], ['Breaker opened', 'the breaker opened']);
  assert.equal(describe({ step: 'constructor', fields: {} }).title, 'Constructor');
  const other = describe({ step: 'model_moved', level: 'WARN', fields: { model: 'a/b', reason: 'NewName' }, message: 'moved' });
  assert.deepEqual([other.tone, other.title, other.detail], ['warn', 'Model moved', 'moved · new name · a/b']);
  assert.equal(describe({ step: 'model_parked', fields: { model: 'a/b:free' } }).detail, 'a/b:free');
  assert.equal(describe({ step: 'cache_hit', fields: { tokens_saved: 150 } }).detail, '150 tokens saved');
  assert.equal(describe({ step: 'loop_brake', fields: { reason: 'fast' } }).detail, 'looks like another bot · fast');
  assert.equal(describe({ step: 'breaker_open', fields: { failures: 5, reason: 'no_credits' } }).detail, '5 failures counted · no credits');
  const lost = describe({ step: 'lost', level: 'ERROR', fields: { error: 'the table is away' }, message: '' });
  assert.deepEqual([lost.tone, lost.detail], ['bad', 'the table is away']);
  const failure = describe({ step: 'llm_failed', fields: { attempt: 1, error_class: 'ServerError', error: 'an internal error (status 500)' } });
  assert.deepEqual([failure.title, failure.detail], ['Model failed · attempt 1', 'an internal error (status 500)']);
  assert.equal(describe({ step: 'asked', fields: { model: 'm', level: 'NoDocuments' } }).detail, 'm · less context: no documents');
  assert.equal(describe({ step: 'rearmed', fields: { delay_seconds: 5, reason: 'BreakerOpen' } }).title, 'Waits for the breaker');
  assert.equal(describe({ step: 'demo_fault', fields: { target: 'model', fault: 'new_one', calls_left: 0 } }).title, 'Demo model fails');
});

test("WhatsApp's formatting becomes a tree, and half a marker stays text", () => {
  assert.deepEqual(formatted('*Jam buka*: 08.00'), [['strong', ['Jam buka']], ': 08.00']);
  assert.deepEqual(formatted('a *b _c_ d* e'), ['a ', ['strong', ['b ', ['em', ['c']], ' d']], ' e']);
  assert.deepEqual(formatted('~lama~ ```*x*```'), [['s', ['lama']], ' ', ['code', ['*x*']]]);
  for (const text of ['2*3*4', 'snake_case_name', '* item', '*open', '**', '``` ```'.slice(0, 3), 'a\n*b\nc*', '']) {
    assert.deepEqual(formatted(text), text ? [text] : [], text);
  }
});

test('amounts and days read as people write them', () => {
  assert.deepEqual([dollars(0), dollars(0.000142), dollars(0.25), dollars(undefined)], ['$0', '$0.000142', '$0.250', '']);
  const noon = new Date(2026, 0, 2, 12).getTime();
  assert.equal(dayLabel(noon, noon + 3_600_000), 'Today');
  assert.equal(dayLabel(noon, noon + 13 * 3_600_000), 'Yesterday');
  assert.match(dayLabel(noon, noon + 90 * 86_400_000), /2026/);
});
