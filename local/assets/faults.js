// The fault panel: what the next calls of the demo model and the demo gateway meet.

import { make } from './chat.js';
import { armedText, faultHint } from './words.js';

const PATH = '/demo/faults';
const SIDES = [['model', 'Model'], ['gateway', 'Gateway']];
const UNAVAILABLE = {
  model: 'A real model answers this run: it fails only by itself.',
  gateway: 'No bot of this run uses the demo gateway.',
};
const ASK_AGAIN_MS = 2_000;

export class Faults {
  constructor({ box, toggle, body, now, clear, calls, sides, hint, error }) {
    Object.assign(this, { box, toggle, body, now, clear, calls, sides, hint, error });
    this.pills = new Map();
    this.labels = new Map();
    this.state = {};
    this.pace = {};
    toggle.addEventListener('click', () => this.open(body.hidden));
    clear.addEventListener('click', () => this.ask('DELETE'));
    body.addEventListener('submit', (event) => event.preventDefault());
    this.load();
  }

  open(on) {
    this.body.hidden = !on;
    this.toggle.setAttribute('aria-expanded', String(on));
  }

  /** What can be armed. A server that is not there yet is asked again. */
  async load() {
    try {
      const answer = await (await fetch(PATH)).json();
      this.pace = answer.pace;
      this.calls.max = answer.most_calls;
      this.sides.replaceChildren(...SIDES.map(([side, label]) => this.makeSide(side, label, answer)));
      this.box.hidden = false;
      this.setState(answer);
    } catch {
      setTimeout(() => this.load(), ASK_AGAIN_MS);
    }
  }

  makeSide(side, label, { known, [side]: { available } }) {
    const name = make('span', 'faults-side', label);
    name.id = `faults-${side}`;
    const pills = make('div', 'faults-pills');
    pills.setAttribute('role', 'group');
    pills.setAttribute('aria-labelledby', name.id);
    if (!available) pills.append(make('p', 'faults-none', UNAVAILABLE[side]));
    for (const fault of available ? known[side] : []) pills.append(this.makePill(side, fault));
    return make('div', 'faults-row', name, pills);
  }

  makePill(side, fault) {
    const left = make('span', 'faults-left');
    const pill = make('button', 'faults-pill', fault.label, left);
    pill.type = 'button';
    pill.dataset.fault = fault.name;
    pill.setAttribute('aria-describedby', this.hint.id);
    pill.addEventListener('click', () => this.press(side, fault.name));
    // The hint tells of the fault that one is about to choose.
    for (const [shows, hides] of [['mouseenter', 'mouseleave'], ['focus', 'blur']]) {
      pill.addEventListener(shows, () => this.paintHint(fault.name));
      pill.addEventListener(hides, () => this.paintHint());
    }
    this.pills.set(`${side}/${fault.name}`, { pill, left });
    this.labels.set(fault.name, fault.label);
    return pill;
  }

  /** A pill arms its fault; pressed once more it clears its side. */
  press(side, fault) {
    if (this.state[side]?.armed?.fault === fault) return this.ask('DELETE', `?target=${side}`);
    if (!this.calls.reportValidity()) return null;
    return this.ask('POST', '', { target: side, fault, calls: this.calls.valueAsNumber });
  }

  async ask(method, query = '', body = null) {
    const json = body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {};
    try {
      const response = await fetch(PATH + query, { method, ...json });
      const answer = await response.json();
      this.error.textContent = response.ok ? '' : answer.error;
      if (response.ok) this.setState(answer);
    } catch {
      this.error.textContent = 'The run did not answer.';
    }
  }

  /** What is armed, as the run says it, with every change. */
  setState(state) {
    this.state = state ?? {};
    for (const [side] of SIDES) {
      const armed = this.state[side]?.armed;
      for (const [key, { pill, left }] of this.pills) {
        if (!key.startsWith(`${side}/`)) continue;
        const on = key === `${side}/${armed?.fault}`;
        pill.setAttribute('aria-pressed', String(on));
        left.textContent = on ? `×${armed.calls_left}` : '';
      }
    }
    const texts = SIDES.map(([side, label]) => armedText(label, this.state[side], this.labels)).filter(Boolean);
    const now = texts.join('\n');
    if (now !== this.shown) {
      this.shown = now;
      this.now.replaceChildren(...texts.map((text) => make('span', 'faults-chip', text)));
      this.clear.hidden = texts.length === 0;
      this.box.dataset.armed = String(texts.length > 0);
    }
    this.paintHint();
  }

  paintHint(fault = null) {
    const chosen = fault ?? this.state.model?.armed?.fault ?? this.state.gateway?.armed?.fault ?? null;
    const text = faultHint(chosen, this.pace);
    if (this.hint.textContent !== text) this.hint.textContent = text;
  }
}
