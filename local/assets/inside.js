// The right side: gauges of the queues, and one card per burst with its steps and its countdown.

import { Bursts, chip, countsDown, title } from './bursts.js';
import { icon, make } from './chat.js';
import { breakerText, describe, dollars, duration, offset } from './words.js';

const CARDS = 30;
const FULL_GAUGE = 10; // so many messages fill a gauge
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

const GAUGES = [
  ['delayed', 'Waiting', 'triggers that are not due yet', (s) => s.queue?.delayed],
  ['visible', 'Due', 'triggers that a worker may take', (s) => s.queue?.visible],
  ['in_flight', 'In work', 'triggers that a worker has', (s) => s.queue?.in_flight],
  ['dlq', 'Dead letters', 'turns that failed for good', (s) => s.dlq?.visible],
];

const BREAKER = 'whether the model may be asked; open while its provider is down';

export class Inside {
  constructor({ gauges, list, nothing, announce }) {
    Object.assign(this, { gauges, list, nothing, announce, skewMs: 0 });
    this.counts = new Map(GAUGES.map(([key, label, hint]) => [key, this.makeGauge(key, label, hint)]));
    this.breaker = this.makeGauge('breaker', 'Breaker', BREAKER);
    this.breakerStatus = {};
    this.reset([], Date.now());
    const frame = () => {
      this.paintCountdown();
      this.paintBreaker();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** Starts over. `nowMs` is the server's clock: the countdown runs on it. */
  reset(steps, nowMs) {
    this.skewMs = nowMs - Date.now();
    this.bursts = new Bursts();
    this.cards = new Map();
    this.list.replaceChildren();
    for (const step of steps) this.bursts.add(step);
    for (const burst of this.bursts.all.slice(-CARDS)) this.paint(burst);
    this.nothing.hidden = this.bursts.all.length > 0;
  }

  add(step) {
    const burst = this.bursts.add(step);
    if (!burst) return;
    this.nothing.hidden = true;
    this.paint(burst);
    if (step.step === 'committed') this.announce.textContent = `${title(burst)}: ${chip(burst)[0]}`;
  }

  setStatus(status) {
    for (const [key, , , read] of GAUGES) {
      const count = read(status ?? {}) ?? 0;
      const gauge = this.counts.get(key);
      gauge.number.textContent = String(count);
      gauge.bar.style.transform = `scaleX(${Math.min(1, count / FULL_GAUGE)})`;
      gauge.box.classList.toggle('is-busy', count > 0);
    }
    this.breakerStatus = status?.breaker ?? {};
    this.paintBreaker();
    const waiting = this.bursts.retryAt(status?.retry_at_ms ?? null, this.now());
    if (waiting) this.paint(waiting);
  }

  /** The server's clock. */
  now() {
    return Date.now() + this.skewMs;
  }

  /** Time passes without a word from the server: the bar of an open breaker shrinks, and its cooldown ends. */
  paintBreaker() {
    const { text, tone, share } = breakerText(this.breakerStatus, this.now(), (at) => clock.format(at - this.skewMs));
    const { box, number, bar } = this.breaker;
    if (number.textContent !== text) number.textContent = text;
    box.dataset.tone = tone;
    bar.style.transform = `scaleX(${share})`;
  }

  makeGauge(key, label, hint) {
    const bar = make('i', 'gauge-bar');
    const number = make('dd', '', '0');
    const box = make('div', `gauge gauge-${key}`, make('dt', '', label), number, make('span', 'hidden', hint), bar);
    box.title = hint;
    this.gauges.append(box);
    return { box, number, bar };
  }

  paint(burst) {
    let card = this.cards.get(burst.key);
    if (!card) {
      card = this.makeCard(burst);
      this.cards.set(burst.key, card);
      this.list.prepend(card.item);
      this.collapseOlder(card);
    }
    const [state, tone] = chip(burst);
    card.item.dataset.state = burst.state;
    card.title.textContent = title(burst);
    card.chip.textContent = state;
    card.chip.dataset.tone = tone;
    for (const step of burst.steps.slice(card.painted)) card.steps.append(row(step, burst.startedMs));
    card.painted = burst.steps.length;
    card.facts.replaceChildren(...facts(burst));
    card.countdown.hidden = !countsDown(burst);
    card.countdown.dataset.tone = burst.state === 'waiting' ? 'calm' : 'warn';
  }

  makeCard(burst) {
    const card = {
      title: make('h3'), chip: make('span', 'chip'), steps: make('ol', 'steps'), facts: make('dl', 'facts'),
      countdownText: make('span'), countdownBar: make('i'), painted: 0,
    };
    const time = make('time', '', clock.format(burst.startedMs));
    card.countdown = make('div', 'countdown', card.countdownText, make('div', 'countdown-track', card.countdownBar));
    card.countdown.hidden = true;
    card.fold = make('details', '', make('summary', '', card.title, card.chip, time), card.countdown, card.steps, card.facts);
    card.fold.open = true;
    card.item = make('li', 'burst', card.fold);
    return card;
  }

  /** Only the newest card stays open, and those that are still at work. */
  collapseOlder(newest) {
    const kept = new Map([...this.cards].slice(-CARDS));
    for (const [key, card] of this.cards) {
      if (!kept.has(key)) card.item.remove();
      if (card !== newest && ['done', 'quiet'].includes(card.item.dataset.state)) card.fold.open = false;
    }
    this.cards = kept;
  }

  paintCountdown() {
    const burst = this.bursts.all.findLast(countsDown);
    const card = burst && this.cards.get(burst.key);
    if (!card) return;
    const leftMs = Math.max(0, burst.dueMs - this.now());
    const what = burst.state === 'waiting' ? 'Trigger' : 'Next attempt';
    const text = leftMs > 0 ? `${what} due in ${(leftMs / 1000).toFixed(1)} s` : `${what} is due`;
    if (card.countdownText.textContent !== text) card.countdownText.textContent = text;
    const share = burst.delayMs > 0 ? leftMs / burst.delayMs : 0;
    card.countdownBar.style.transform = `scaleX(${Math.min(1, share)})`;
  }
}

function row(step, startedMs) {
  const { icon: name, tone, title: text, detail } = describe(step);
  const words = make('div', 'step-words', make('b', '', text), detail ? make('span', '', detail) : '');
  const item = make('li', 'step', make('span', 'step-icon', icon(name)), words,
    make('span', 'step-at', offset(step.at_ms - startedMs)));
  item.dataset.tone = tone;
  item.dataset.step = step.step;
  return item;
}

function facts(burst) {
  const all = [
    ['Answered in', burst.doneMs !== null ? duration(burst.doneMs - burst.startedMs) : ''],
    ['Model', burst.llmMs !== null ? duration(burst.llmMs) : ''],
    ['Tokens', burst.tokensIn !== null ? `${burst.tokensIn} in, ${burst.tokensOut ?? 0} out` : ''],
    ['Cost', dollars(burst.costUsd)],
  ];
  return all.filter(([, value]) => value).map(([name, value]) => make('div', '', make('dt', '', name), make('dd', '', value)));
}
