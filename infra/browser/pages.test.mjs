// The page's pure rules: how steps become bursts, how they read, and WhatsApp's formatting.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bursts, chip, title } from '../../local/assets/bursts.js';
import { dayLabel, describe, dollars, formatted } from '../../local/assets/words.js';

/** Steps of one conversation, written as `[name, fields]`, a tenth of a second apart. */
function run(...steps) {
  const bursts = new Bursts();
  steps.forEach(([step, fields = {}], place) => bursts.add({ seq: place + 1, at_ms: place * 100, step, fields, message: '' }));
  return bursts.all;
}

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
