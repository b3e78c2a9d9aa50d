// Turns by how they ended: those that failed wait for somebody. One is looked into, and tried again.

import { get, post } from './api.js';
import { busy, button, empty, field, h, iconButton, reconcile, skeleton, spoken, theirs, toast, trouble } from './dom.js';
import { count, duration, many, phone, plain, relative, stamp, styled, usd } from './fields.js';
import { mergeNext } from './lists.js';
import { Poll } from './poll.js';

const STATUSES = ['failed', 'undelivered', 'answered', 'left_to_person', 'skipped', 'braked', 'opted_out'];
const PARKED = ['failed', 'undelivered'];
const TONES = { failed: 'bad', undelivered: 'bad', retrying: 'warn', answered: 'good' };
const LOOK_MS = 5_000;

export const open = (main, context) => new Turns(main, context);
const chip = (status) => h('span', { class: `mark ${TONES[status] ?? ''}` }, plain(status));

class Turns {
  constructor(main, context) {
    Object.assign(this, { context, status: 'failed', known: { items: [], next: null }, id: null });
    const select = h('select', { onchange: () => this.choose(select.value) }, STATUSES.map((status) => h('option', { value: status }, plain(status))));
    this.rows = h('ul', { class: 'rows', 'aria-label': 'Turns' });
    this.end = h('div', { class: 'list-end' }, skeleton(6));
    this.pane = h('section', { class: 'pane', 'aria-label': 'Turn' });
    this.box = h('div', { class: 'split' }, h('section', { class: 'side', 'aria-label': 'Turns' }, h('header', { class: 'side-head' },
      field('Turns that ended as', select)), h('div', { class: 'scroll' }, this.rows, this.end)), this.pane);
    main.append(this.box);
    this.poll = new Poll(() => this.look(), LOOK_MS);
  }

  url(cursor = null) {
    return this.context.of(['turns'], { status: this.status, cursor });
  }

  async look() {
    const { status } = this;
    const page = await get(this.url());
    if (status !== this.status) return;
    // Pages that were read stay, those that have ended otherwise leave with the first page.
    this.known = this.more ? mergeNext({ items: page.items }, { items: this.known.items, next: this.known.next }, (one) => one.id) : page;
    this.draw();
  }

  choose(status) {
    Object.assign(this, { status, more: false, known: { items: [], next: null } });
    this.poll.now();
  }

  draw() {
    reconcile(this.rows, this.known.items.map((one) => ({ ...one, isOpen: one.id === this.id })), (one) => one.id, (one) => this.row(one));
    const nothing = this.status === 'failed' ? empty('check', 'Nothing has failed', 'Every message got its answer, or waits for it.')
      : empty('turns', 'None', 'No turn has ended like this.');
    this.end.replaceChildren(...[this.known.next ? button('Show more', () => this.next(), { kind: 'quiet' })
      : this.known.items.length === 0 && nothing].filter(Boolean));
  }

  async next() {
    try {
      this.known = mergeNext(this.known, await get(this.url(this.known.next)), (one) => one.id);
      this.more = true;
      this.draw();
    } catch (error) {
      trouble(error);
    }
  }

  row(one) {
    return h('li', {}, h('a', { class: 'row', href: this.context.link('turns', one.id), 'aria-current': one.isOpen ? 'true' : null },
      h('span', { class: 'row-text' },
        h('span', { class: 'row-line' }, theirs(phone(one.contact), { class: 'name' }), h('time', {}, relative(one.ended_at ?? one.began_at, Date.now(), this.context.zone))),
        h('span', { class: 'row-line' }, h('span', { class: 'last' }, [many(one.messages, 'message'), many(one.tries, 'try', 'tries'), one.error && plain(one.error)].filter(Boolean).join(' · ')), chip(one.status)))));
  }

  async show([id = null]) {
    this.id = id;
    this.box.dataset.open = String(id !== null);
    this.draw();
    if (id === null) {
      this.pane.replaceChildren(empty('turns', 'No turn is open', 'A turn is one burst of messages on its way to one answer. Choose one to see what happened.'));
      return;
    }
    this.pane.replaceChildren(skeleton(6));
    try {
      const turn = await get(this.context.of(['turns', id]));
      if (this.id === id) this.pane.replaceChildren(...this.detail(turn));
    } catch (error) {
      if (this.id === id) this.pane.replaceChildren(empty('turns', error.title, error.detail ?? 'It may have been erased.'));
    }
  }

  detail(one) {
    const { zone } = this.context;
    const facts = [
      ['Model', one.model ?? '–'], ['Cost', usd(one.cost_usd)], ['Tokens in', count(one.tokens_in)], ['Tokens out', count(one.tokens_out)],
      ['From the cache', count(one.tokens_cached)], ['Calls', count(one.llm_calls)], ['Latency', duration(one.llm_latency_ms)],
      ['Thrown away', count(one.wasted)], ['Tries', count(one.tries)], ['Began', stamp(one.began_at, zone)], ['Ended', stamp(one.ended_at, zone)],
    ];
    const body = [
      h('h3', {}, 'The customer wrote'), h('ul', { class: 'quotes' }, (one.burst ?? []).map((said) => h('li', { class: 'words', dir: 'auto' }, spoken(styled(said.text))))),
      h('h3', {}, 'The answer'), one.reply ? h('blockquote', { class: 'words', dir: 'auto' }, spoken(styled(one.reply))) : h('p', { class: 'soft' }, 'None.'),
      h('dl', { class: 'facts' }, facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
      h('h3', {}, 'Attempts'), attempts(one.attempts),
    ];
    return [h('header', { class: 'thread-head' }, iconButton('Back to the list', 'back', () => this.context.go('turns'), { class: 'icon-button back' }),
      h('div', { class: 'thread-name' }, h('h2', {}, theirs(phone(one.contact))), h('p', {}, `Turn ${one.number}`)), chip(one.status),
      h('a', { class: 'button', href: this.context.link('chats', one.contact) }, 'Open chat')),
    h('div', { class: 'log sheet', tabindex: 0 }, PARKED.includes(one.status) && this.context.may('agent') && this.retry(one), body)];
  }

  retry(one) {
    const model = h('input', { placeholder: one.model ?? 'provider/model', maxlength: 200, spellcheck: 'false' });
    const text = h('textarea', { rows: 3, maxlength: 4096 });
    const send = (what) => (event) => busy(event.currentTarget, async () => {
      const done = await post(this.context.of(['turns', one.id, 'retry']), { model: null, text: null, ...what() });
      toast(done.status === 'sending' ? 'Your text is on its way' : 'The bot tries again', { detail: 'The chat shows the answer as soon as it is there.' });
      this.poll.now();
      this.context.failedChanged();
      await this.show([one.id]);
    });
    const filled = (control, name) => (event) => (control.value.trim() ? send(() => ({ [name]: control.value.trim() }))(event) : control.focus());
    return h('section', { class: 'card', 'aria-label': 'Try again' }, h('h3', {}, 'Try again'),
      h('div', { class: 'line' }, button('With the same model', send(() => ({})), { sign: 'again', kind: 'strong' })),
      h('div', { class: 'line' }, field('Another model', model), button('Try this model', filled(model, 'model'))),
      h('div', { class: 'line' }, field('Or answer with this text', text), button('Send text', filled(text, 'text'), { sign: 'send' })));
  }

  close() {
    this.poll.stop();
  }
}

function attempts(all) {
  if (!all?.length) return h('p', { class: 'soft' }, 'No model was asked.');
  return h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Attempts' }, h('table', {}, h('thead', {}, h('tr', {}, ['Try', 'Model', 'Outcome', 'Took'].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, all.map((one) => h('tr', {}, h('td', {}, String(one.number)), h('td', {}, one.model ?? '–'),
      h('td', {}, one.class ? plain(one.class) : 'Answered', one.message && h('small', {}, one.message)),
      h('td', {}, duration(Date.parse(one.ended_at) - Date.parse(one.started_at))))))));
}
