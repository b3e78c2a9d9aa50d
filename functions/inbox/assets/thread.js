// One conversation: its messages, live, and everything one can do about it.

import { get, look, post, Problem } from './api.js';
import { button, empty, h, icon, iconButton, menu, reconcile, skeleton, theirs, trouble } from './dom.js';
import { drawBubble, drawDay } from './bubble.js';
import { openComposer } from './composer.js';
import { dayKey, initials, nameOf, phone, STATES, tone } from './fields.js';
import { mergeMessages, stillSending } from './lists.js';
import { Poll } from './poll.js';
import { banners, erase, pauseMenu } from './takeover.js';

/** Closer to the end than this, in pixels, means that the end is being read. */
const NEAR_END = 80;
const PAGE = 50;

/** `events`: `changed()` when the list should look again, `back()`. */
export const openThread = (pane, context, contact, events) => new Thread(pane, context, contact, events);

class Thread {
  constructor(pane, context, contact, events) {
    Object.assign(this, { context, contact, events, memory: {}, messages: [], cursor: null, conversation: null, isFirst: true });
    this.make(pane);
    this.poll = new Poll(() => this.look());
  }

  at(...parts) {
    return this.context.of(['conversations', this.contact, ...parts]);
  }

  make(pane) {
    this.head = h('header', { class: 'thread-head' });
    this.notes = h('div', { class: 'banners' });
    this.older = h('div', { class: 'older' });
    this.list = h('ol', { class: 'bubbles' });
    this.log = h('div', { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Messages' }, this.older, this.list);
    this.log.addEventListener('scroll', () => this.scrolled(), { passive: true });
    this.down = iconButton('To the newest message', 'down', () => this.toEnd(), { class: 'icon-button down', hidden: true });
    this.composer = openComposer(this.context, (path) => this.at(path), () => {
      this.draw(true);
      this.poll.now();
      this.events.changed();
    });
    this.log.append(skeleton(5));
    pane.append(this.head, this.notes, h('div', { class: 'log-box' }, this.log, this.down), this.composer.box);
  }

  async look() {
    let conversation;
    try {
      conversation = await look(this.at(), this.memory);
    } catch (error) {
      if (error instanceof Problem && error.status === 404) this.gone();
      throw error;
    }
    // What is on its way changes without the conversation: its delivery is looked for too.
    const moving = this.messages.some((message) => message.delivery === 'sending');
    if (conversation === null && !moving && !this.stale) return;
    this.stale = true;
    const page = await get(this.context.of(['conversations', this.contact, 'messages'], { limit: PAGE }));
    this.stale = false;
    if (this.closed) return;
    if (conversation) this.conversation = conversation;
    // So many new ones that the page does not reach those known: what lies between is read by scrolling.
    const reaches = page.items.some((message) => this.messages.some((known) => known.id === message.id));
    if (this.isFirst || (!reaches && page.next)) this.messages = [];
    if (this.messages.length === 0) this.cursor = page.next;
    this.messages = mergeMessages(page.items, this.messages);
    this.draw(this.isFirst);
    this.isFirst = false;
    this.markRead();
  }

  gone() {
    this.head.replaceChildren(this.backButton());
    this.notes.replaceChildren();
    this.composer.box.hidden = true;
    this.log.replaceChildren(empty('chats', 'This chat is not here', 'It was erased, or it never was. Choose another one.'));
    this.poll.stop();
  }

  markRead() {
    if (document.hidden || !this.conversation.unread || this.marking || !this.context.may('agent')) return;
    this.marking = true;
    post(this.at('read')).then(() => this.events.changed(), trouble).finally(() => { this.marking = false; });
  }

  backButton() {
    return iconButton('Back to the list', 'back', () => this.events.back(), { class: 'icon-button back' });
  }

  /** What happens right now changes often, and alone: a menu that is open stays open, and the state is announced as it changes. */
  drawHead() {
    const one = this.conversation;
    const sign = JSON.stringify([one.name, one.paused !== null]);
    if (this.head.sign !== sign) {
      this.head.sign = sign;
      const hadFocus = this.head.contains(document.activeElement);
      this.head.replaceChildren(...this.headParts(one));
      if (hadFocus) this.head.querySelector('.takeover')?.focus();
    }
    const state = this.head.querySelector('.state');
    // While a person has the chat nothing waits for bubbles: what is open is theirs.
    const words = one.paused && one.state === 'waiting' ? 'waiting for your answer' : STATES[one.state] ?? '';
    if (state.textContent !== words) state.textContent = words;
  }

  headParts(one) {
    const name = nameOf(one);
    const number = phone(one.contact);
    const parts = [this.backButton(),
      h('span', { class: 'avatar', 'aria-hidden': 'true', dataset: { tone: tone(one.contact) } }, one.name ? initials(one.name) : '#'),
      h('div', { class: 'thread-name' }, h('h2', {}, theirs(name)),
        h('p', {}, name !== number && h('span', { class: 'number' }, number), h('span', { class: 'state', 'aria-live': 'polite' })))];
    if (this.context.may('agent')) parts.push(one.paused ? this.resumeButton() : pauseMenu((minutes) => this.pause(minutes)));
    if (this.context.may('owner')) parts.push(menu('More', icon('more'), button('Erase this contact…', () => this.erase(), { sign: 'trash', kind: 'danger' })));
    return parts;
  }

  resumeButton() {
    return button('Resume bot', () => this.resume(), { sign: 'play', kind: 'strong takeover' });
  }

  async pause(minutes) {
    await this.change('pause', { minutes });
  }

  async resume() {
    await this.change('resume');
  }

  async change(what, body) {
    try {
      const changed = await post(this.at(what), body);
      this.conversation = { ...this.conversation, ...changed };
      this.memory = {};
      this.draw();
      this.poll.now();
      this.events.changed();
    } catch (error) {
      trouble(error);
    }
  }

  async erase() {
    if (await erase(this.conversation, this.at())) {
      this.events.changed();
      this.events.back();
    }
  }

  /** Draws what has changed. Whoever reads the end stays there; whoever reads above stays where they are. */
  draw(toEnd = false) {
    if (!this.conversation) return;
    const wasNear = this.isNearEnd();
    const newest = this.messages.at(-1)?.id;
    this.drawHead();
    const { zone } = this.context;
    const sign = JSON.stringify([this.conversation.paused, this.conversation.opted_out_at, this.conversation.failed_turn]);
    if (this.notes.sign !== sign) {
      this.notes.sign = sign;
      this.notes.replaceChildren(...banners(this.conversation, this.context, () => this.resume()));
    }
    this.composer.settle((outbox) => stillSending(outbox, this.messages), this.messages);
    this.log.querySelector('.skeleton')?.remove();
    reconcile(this.list, this.entries(zone), (entry) => entry.key, (entry) => (entry.day
      ? drawDay(entry.day, zone) : drawBubble(entry, this.context, this.contact, this.composer)));
    this.older.replaceChildren(...(this.cursor ? [button('Older messages', () => this.readOlder(), { kind: 'quiet' })] : []));
    if (toEnd || wasNear) this.toEnd();
    else if (this.newest && newest !== this.newest) this.down.hidden = false;
    this.newest = newest;
  }

  /** Bubbles and days, as they follow each other. */
  entries(zone) {
    const sent = this.composer.outbox.map((one) => ({ id: `out-${one.key}`, author: 'person', kind: 'text', text: one.text, at: one.at,
      delivery: one.wrong ? 'unsent' : 'sending', edited_at: null, turn: null, wrong: one.wrong, out: one.key }));
    const entries = [];
    let day = null;
    let author = null;
    for (const message of [...this.messages, ...sent]) {
      const today = dayKey(message.at, zone);
      if (today !== day) {
        entries.push({ key: `day-${today}`, day: message.at, dayOf: dayKey(Date.now(), zone) });
        author = null;
      }
      entries.push({ key: message.id, message, isFirst: message.author !== author });
      day = today;
      author = message.author;
    }
    return entries;
  }

  isNearEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END;
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
    this.down.hidden = true;
  }

  scrolled() {
    if (this.isNearEnd()) this.down.hidden = true;
    if (this.log.scrollTop < 200) this.readOlder();
  }

  async readOlder() {
    if (!this.cursor || this.reading) return;
    this.reading = true;
    const cursor = this.cursor;
    try {
      const page = await get(this.context.of(['conversations', this.contact, 'messages'], { limit: PAGE, cursor }));
      if (this.closed || this.cursor !== cursor) return;
      const fromEnd = this.log.scrollHeight - this.log.scrollTop;
      this.cursor = page.next;
      this.messages = mergeMessages(this.messages, page.items);
      this.draw();
      // What is read stays where it is; the older ones are above it.
      this.log.scrollTop = this.log.scrollHeight - fromEnd;
    } catch (error) {
      trouble(error);
    } finally {
      this.reading = false;
    }
  }

  hasUnsaved() {
    return this.composer.hasUnsaved();
  }

  close() {
    this.closed = true;
    this.poll.stop();
    this.composer.close();
  }
}
