// The chat window: bubbles, ticks, days and typing dots. All text goes in as text nodes.

import { dayLabel, formatted } from './words.js';

const TYPING_ENDS_MS = 25_000; // WhatsApp lets "typing…" go after about as long.
const TICKS = {
  sending: ['clock', 'sending'], accepted: ['check', 'sent'], read: ['checks', 'read'], failed: ['alert', 'not sent'],
};
const RANK = { sending: 0, failed: 1, accepted: 2, read: 3 };
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** An element with a class and children. */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== ''));
  return element;
}

/** One of the page's icons. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

const nodes = (parts) => parts.map((part) => (typeof part === 'string' ? part : make(part[0], '', ...nodes(part[1]))));

export class Chat {
  /** `onRetry(bubble)` sends a failed bubble again. */
  constructor({ log, list, typing, presence }, onRetry) {
    Object.assign(this, { log, list, typing, presence, onRetry });
    this.bubbles = new Map();
    this.read = new Set();
    // Whoever looks at the newest bubble goes on doing so when the window or the keyboard changes the room.
    this.pinned = true;
    log.addEventListener('scroll', () => { this.pinned = this.isAtEnd(); }, { passive: true });
    new ResizeObserver(() => this.pinned && this.toEnd()).observe(log);
  }

  /** Shows a conversation from its beginning. After a lost connection, bubbles that never reached the server stay. */
  reset(conversation, botName, bubbles) {
    const same = this.conversation === conversation;
    const unsent = same ? [...this.bubbles.values()].filter((bubble) => ['sending', 'failed'].includes(bubble.state)) : [];
    Object.assign(this, { conversation, botName });
    this.bubbles.clear();
    this.read.clear();
    this.list.replaceChildren();
    this.setTyping(false);
    for (const bubble of bubbles) this.put(bubble);
    for (const bubble of unsent.filter((one) => !this.bubbles.has(one.id))) this.put(bubble);
    this.toEnd();
  }

  /** Shows a bubble, or what is new about it. Answers whether it is new. */
  put(bubble) {
    const known = this.bubbles.get(bubble.id);
    if (known) {
      const again = known.state === 'failed' && bubble.state === 'sending';
      if (!again && RANK[bubble.state] < RANK[known.state]) return false;
      Object.assign(known, bubble);
      this.paintState(known);
      return false;
    }
    const kept = { ...bubble };
    if (this.read.has(kept.id)) kept.state = 'read';
    this.bubbles.set(kept.id, kept);
    const atEnd = this.isAtEnd();
    this.paintDay(kept.at_ms);
    this.list.append(this.paint(kept));
    if (kept.from === 'bot') this.setTyping(false);
    if (atEnd || kept.from === 'customer') this.toEnd();
    return true;
  }

  markRead(ids) {
    for (const id of ids) {
      this.read.add(id);
      const bubble = this.bubbles.get(id);
      if (bubble) this.put({ ...bubble, state: 'read' });
    }
  }

  setTyping(on) {
    clearTimeout(this.typingEnds);
    if (on) this.typingEnds = setTimeout(() => this.setTyping(false), TYPING_ENDS_MS);
    if (this.typing.hidden !== on) return;
    const atEnd = this.isAtEnd();
    this.typing.hidden = !on;
    this.presence.textContent = on ? 'typing…' : 'online';
    this.presence.classList.toggle('is-typing', on);
    if (atEnd) this.toEnd();
  }

  paint(bubble) {
    const mine = bubble.from === 'customer';
    const time = make('time', '', clock.format(bubble.at_ms));
    time.dateTime = new Date(bubble.at_ms).toISOString();
    const meta = make('span', 'meta', time);
    const item = make('li', mine ? 'bubble mine' : 'bubble theirs',
      make('span', 'hidden', mine ? 'You: ' : `${this.botName}: `),
      make('div', 'words', ...(mine ? [bubble.text] : nodes(formatted(bubble.text)))),
      meta);
    bubble.item = item;
    if (mine) {
      bubble.tick = meta.appendChild(make('span', 'tick'));
      bubble.note = item.appendChild(make('p', 'note'));
      this.paintState(bubble);
    }
    return item;
  }

  paintState(bubble) {
    if (!bubble.tick) return;
    const [name, label] = TICKS[bubble.state];
    bubble.tick.dataset.state = bubble.state;
    bubble.tick.replaceChildren(icon(name), make('span', 'hidden', label));
    bubble.note.replaceChildren(...this.noteOf(bubble));
  }

  noteOf(bubble) {
    if (bubble.state === 'failed') {
      const again = make('button', 'again', 'Try again');
      again.type = 'button';
      again.addEventListener('click', () => this.onRetry(bubble));
      return [bubble.status ? `The webhook answered ${bubble.status}. ` : 'The webhook did not answer. ', again];
    }
    const reason = bubble.answer?.status === 'ignored' ? String(bubble.answer.reason ?? '') : '';
    return reason ? [`Not a turn for the bot: ${reason.replaceAll('_', ' ')}`] : [];
  }

  paintDay(at) {
    const label = dayLabel(at, Date.now());
    if (label === this.list.lastDay && this.list.childElementCount > 0) return;
    this.list.lastDay = label;
    this.list.append(make('li', 'day', label));
  }

  isAtEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 60;
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }
}
