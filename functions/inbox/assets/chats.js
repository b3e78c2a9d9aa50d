// The list of conversations, and beside it the one that is open.

import { get, look } from './api.js';
import { $, button, empty, h, reconcile, skeleton, theirs, trouble } from './dom.js';
import { initials, many, nameOf, phone, plain, relative, tone, unstyled } from './fields.js';
import { arrivals, mergeFirst, mergeNext, titleOf } from './lists.js';
import { LIVE_MS, Poll } from './poll.js';
import { openThread } from './thread.js';

const FILTERS = [['', 'All'], ['unread', 'Unread'], ['paused', 'Paused'], ['failed', 'Failed']];
const SEARCH_PAUSE_MS = 250;
/** Pages that a search looks through by itself: a page of matches may be empty and have a next one. */
const SEARCH_PAGES = 5;
const WHO = { bot: 'Bot: ', person: 'You: ' };

export const open = (main, context) => new Chats(main, context);

class Chats {
  constructor(main, context) {
    Object.assign(this, { context, filter: '', q: '', contact: null, thread: null, memory: {}, turn: 0 });
    this.known = { items: [], next: null };
    this.make(main);
    this.poll = new Poll(() => this.look(), LIVE_MS);
    this.clock = setInterval(() => this.tick(), 30_000);
    this.keys = (event) => this.key(event);
    document.addEventListener('keydown', this.keys);
  }

  make(main) {
    this.search = h('input', { type: 'search', placeholder: 'Search name or number', 'aria-label': 'Search name or number',
      'aria-keyshortcuts': '/', maxlength: 100, autocomplete: 'off', oninput: () => this.searchSoon() });
    this.filters = h('div', { class: 'filters', role: 'group', 'aria-label': 'Show' }, FILTERS.map(([name, label]) => h('button', {
      type: 'button', 'aria-pressed': String(name === ''), dataset: { filter: name }, onclick: () => this.choose(name) }, label)));
    this.rows = h('ul', { class: 'rows', 'aria-label': 'Conversations' });
    this.end = h('div', { class: 'list-end' });
    this.scroll = h('div', { class: 'scroll' }, skeleton(8), this.rows, this.end);
    this.scroll.addEventListener('scroll', () => this.more(), { passive: true });
    this.side = h('section', { class: 'side', 'aria-label': 'Conversations' },
      h('header', { class: 'side-head' }, h('div', { class: 'search' }, this.search), this.filters), this.scroll);
    this.pane = h('section', { class: 'pane', 'aria-label': 'Conversation' });
    this.box = h('div', { class: 'split' }, this.side, this.pane);
    main.append(this.box);
  }

  /** Opens the conversation of the address, or none. */
  show([contact = null]) {
    if (contact === this.contact && this.pane.hasChildNodes()) return;
    this.thread?.close();
    this.contact = contact;
    this.box.dataset.open = String(contact !== null);
    this.pane.replaceChildren();
    this.thread = contact === null ? null : openThread(this.pane, this.context, contact, {
      changed: () => this.poll.now(), back: () => this.back() });
    if (contact === null) this.pane.append(empty('chats', 'No chat is open', 'Choose a conversation. Arrow keys move in the list, / searches, Esc goes back.'));
    this.draw();
  }

  back() {
    const contact = this.contact;
    this.context.go('chats');
    this.show([]);
    [...this.rows.children].find((row) => row.dataset.key === contact)?.querySelector('a').focus();
  }

  url(cursor = null) {
    return this.context.of(['conversations'], { filter: this.filter, q: this.q, cursor });
  }

  /** Reads the first page again, if it has changed. */
  async look() {
    const turn = this.turn;
    const page = await look(this.url(), this.memory);
    if (turn !== this.turn || page === null) return;
    const isFirst = !this.rows.sign;
    const fresh = mergeFirst(page, this.known);
    if (!isFirst && !this.q && !this.filter) this.announce(arrivals(this.known.items, fresh.items));
    this.known = fresh;
    this.rows.sign = 'read';
    if (!this.q && !this.filter) document.title = titleOf(fresh.items);
    this.draw();
    if (this.q || this.filter) await this.searchOn(turn);
  }

  async searchOn(turn) {
    for (let pages = 0; pages < SEARCH_PAGES && this.known.next && this.known.items.length < 10; pages += 1) {
      if (turn !== this.turn) return;
      await this.next();
    }
  }

  announce(rows) {
    const [first] = rows;
    if (first) $('announce').textContent = rows.length > 1 ? `${rows.length} chats have new messages` : `New message from ${nameOf(first)}: ${unstyled(first.last.text)}`;
  }

  /** The next page, when the end of the list is near. */
  async more() {
    if (this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight > 300) return;
    try {
      await this.next();
    } catch (error) {
      trouble(error);
    }
  }

  async next() {
    if (!this.known.next || this.reading) return;
    this.reading = true;
    const turn = this.turn;
    try {
      const page = await get(this.url(this.known.next));
      if (turn !== this.turn) return;
      this.known = mergeNext(this.known, page, (one) => one.contact);
      this.draw();
    } finally {
      this.reading = false;
    }
  }

  choose(filter) {
    this.filter = filter;
    for (const one of this.filters.children) one.setAttribute('aria-pressed', String(one.dataset.filter === filter));
    this.restart();
  }

  searchSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => {
      this.q = this.search.value.trim();
      this.restart();
    }, SEARCH_PAUSE_MS);
  }

  restart() {
    this.turn += 1;
    this.memory = {};
    this.known = { items: [], next: null };
    this.rows.sign = null;
    this.reading = false;
    this.poll.now();
  }

  draw() {
    if (!this.rows.sign) return;
    this.scroll.querySelector('.skeleton')?.remove();
    const items = this.known.items.map((one) => ({ ...one, isOpen: one.contact === this.contact }));
    reconcile(this.rows, items, (one) => one.contact, (one) => this.row(one));
    this.end.replaceChildren(...[this.ending()].filter(Boolean));
  }

  ending() {
    if (this.known.next) return button('Show more', () => this.next().catch(trouble), { kind: 'quiet' });
    if (this.known.items.length > 0) return null;
    if (this.q || this.filter) return empty('search', 'Nothing found', 'No conversation is like that. Clear the search, or choose All.');
    return empty('chats', 'No messages yet', 'As soon as a customer writes to this number, the chat is here.');
  }

  row(one) {
    const name = nameOf(one);
    const marks = [
      one.failed_turn !== null && h('span', { class: 'mark bad' }, 'Failed'),
      one.paused && h('span', { class: 'mark warn' }, 'Paused'),
      one.opted_out_at && h('span', { class: 'mark' }, 'Opted out'),
    ];
    return h('li', {}, h('a', { class: 'row', href: this.context.link('chats', one.contact), 'aria-current': one.isOpen ? 'true' : null, dataset: { unread: String(one.unread > 0) } },
      h('span', { class: 'avatar', 'aria-hidden': 'true', dataset: { tone: tone(one.contact) } }, initials(one.name ?? '') === '?' ? '#' : initials(one.name)),
      h('span', { class: 'row-text' },
        h('span', { class: 'row-line' }, theirs(name, { class: 'name', title: phone(one.contact) }),
          h('time', { dataset: { at: one.active_at } }, relative(one.active_at, Date.now(), this.context.zone))),
        h('span', { class: 'row-line' }, h('span', { class: 'last' }, WHO[one.last?.author] && h('em', {}, WHO[one.last.author]),
          one.last && one.last.kind !== 'text' && h('em', {}, `${plain(one.last.kind)} · `), theirs(one.last ? unstyled(one.last.text) : 'No message')), marks,
          one.unread > 0 && h('b', { class: 'unread', 'aria-label': many(one.unread, 'unread message') }, one.unread > 99 ? '99+' : String(one.unread))))));
  }

  /** Relative times go on. */
  tick() {
    for (const time of this.rows.querySelectorAll('time')) {
      const text = relative(time.dataset.at, Date.now(), this.context.zone);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  key(event) {
    const isTyping = event.target.closest('input, textarea, select, dialog, [open].menu');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.search.focus();
    } else if (event.key === 'Escape' && event.target === this.search) {
      if (this.search.value === '') this.search.blur();
      else {
        this.search.value = '';
        this.searchSoon();
      }
    } else if (event.key === 'Escape' && this.contact !== null && !event.target.closest('dialog, [open].menu')) {
      this.back();
    } else if (['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key) && this.side.contains(event.target) && !(isTyping && event.key !== 'ArrowDown')) {
      const links = [...this.rows.querySelectorAll('a')];
      const here = links.indexOf(event.target);
      const place = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: links.length - 1 }[event.key];
      event.preventDefault();
      links[Math.max(0, Math.min(place, links.length - 1))]?.focus();
    }
  }

  hasUnsaved() {
    return this.thread?.hasUnsaved() ?? false;
  }

  close() {
    this.turn += 1;
    this.poll.stop();
    this.thread?.close();
    clearInterval(this.clock);
    clearTimeout(this.soon);
    document.removeEventListener('keydown', this.keys);
    document.title = 'Clivy';
  }
}
