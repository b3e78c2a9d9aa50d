// Writing as a person. A message has one key from its first to its last try, so it is sent once, whatever gets lost.

import { post } from './api.js';
import { h, icon, trouble } from './dom.js';

/** Waits between tries of a message whose answer got lost, in milliseconds. */
const AGAIN_MS = [1_000, 3_000];
const HIGHEST = 140;
/** What was begun and not sent, until the page is left. */
const drafts = new Map();

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** `at(part)`: a path of the conversation; `changed()`: something is to be drawn. */
export const openComposer = (context, at, changed) => new Composer(context, at, changed);

class Composer {
  constructor(context, at, changed) {
    /** `{key, text, at, before, messageId, wrong}`: messages that are not in the history yet. */
    this.outbox = [];
    Object.assign(this, { url: at('messages'), changed, known: new Set(), queue: Promise.resolve() });
    if (!context.may('agent')) {
      this.box = h('p', { class: 'composer-note' }, 'Your key may read. To answer, sign in with one that has the role agent.');
      return;
    }
    this.text = h('textarea', { rows: 1, placeholder: 'Answer as a person…', 'aria-label': 'Your answer', 'aria-describedby': 'composer-hint',
      enterkeyhint: 'send', maxlength: 4096, oninput: () => this.grow(), onkeydown: (event) => this.key(event) });
    this.text.value = drafts.get(this.url) ?? '';
    this.box = h('form', { class: 'composer', onsubmit: (event) => {
      event.preventDefault();
      this.submit();
    } }, this.text, h('button', { type: 'submit', class: 'send', 'aria-label': 'Send', title: 'Send' }, icon('send')),
      h('p', { class: 'hint', id: 'composer-hint' }, 'Enter sends, Shift+Enter makes a new line. Your answer pauses the bot in this chat.'));
    requestAnimationFrame(() => this.grow());
  }

  grow() {
    drafts.set(this.url, this.text.value);
    this.text.style.setProperty('height', 'auto');
    this.text.style.setProperty('height', `${Math.min(this.text.scrollHeight + 2, HIGHEST)}px`);
  }

  key(event) {
    // An input method's Enter chooses a word.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const text = this.text.value.trim();
    if (!text) return;
    this.text.value = '';
    this.grow();
    const sent = { key: newKey(), text, at: new Date().toISOString(), before: new Set(this.known), messageId: null, wrong: null };
    this.outbox.push(sent);
    this.send(sent);
    this.changed();
  }

  /** Sends one after the other: they arrive in the order in which they were written. */
  send(sent) {
    this.queue = this.queue.then(() => this.tries(sent)).then(() => !this.closed && this.changed());
  }

  async tries(sent) {
    for (const wait of [...AGAIN_MS, null]) {
      try {
        const message = await post(this.url, { text: sent.text }, { headers: { 'idempotency-key': sent.key } });
        sent.messageId = message.id;
        return;
      } catch (error) {
        if (wait === null || !error.isUnknown) {
          sent.wrong = [error.title, error.detail].filter(Boolean).join('. ');
          if (this.closed) trouble(error);
          return;
        }
        await pause(wait);
      }
    }
  }

  again(key) {
    const sent = this.outbox.find((one) => one.key === key);
    if (!sent?.wrong) return;
    sent.wrong = null;
    this.send(sent);
    this.changed();
  }

  /** Puts the words back where they were written. */
  takeBack(key) {
    const sent = this.outbox.find((one) => one.key === key);
    if (!sent) return;
    this.outbox = this.outbox.filter((one) => one !== sent);
    this.text.value = [sent.text, this.text.value].filter(Boolean).join('\n');
    this.grow();
    this.text.focus();
    this.changed();
  }

  /** Forgets what the history has meanwhile. */
  settle(still, messages) {
    this.outbox = still(this.outbox);
    this.known = new Set(messages.map((message) => message.id));
  }

  hasUnsaved() {
    return this.outbox.some((sent) => !sent.messageId);
  }

  close() {
    this.closed = true;
  }
}
