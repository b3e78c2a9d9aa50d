// What the bot knows: its documents, one of which is edited and tried; and the versions of anything that has some.

import { get, post, put, remove, versioned } from './api.js';
import { busy, button, dialog, empty, field, h, iconButton, reconcile, skeleton, sure, theirs, toast, trouble } from './dom.js';
import { many, stamp } from './fields.js';
import { trial } from './trial.js';

export const open = (main, context) => new Documents(main, context);

class Documents {
  constructor(main, context) {
    Object.assign(this, { context, id: null, items: null });
    this.rows = h('ul', { class: 'rows', 'aria-label': 'Documents' });
    this.end = h('div', { class: 'list-end' }, skeleton(5));
    this.pane = h('section', { class: 'pane', 'aria-label': 'Document' });
    this.box = h('div', { class: 'split' }, h('section', { class: 'side', 'aria-label': 'Documents' },
      h('header', { class: 'side-head line' }, h('h2', {}, 'Documents'), context.may('owner') && button('New', () => context.go('documents', '+'), { sign: 'plus', kind: 'strong' })),
      h('div', { class: 'scroll' }, this.rows, this.end)), this.pane);
    main.append(this.box);
    this.list();
  }

  async list() {
    try {
      const items = [];
      let cursor = null;
      do {
        const page = await get(this.context.of(['documents'], { cursor, limit: 100 }));
        items.push(...page.items);
        cursor = page.next;
      } while (cursor);
      this.items = items;
      this.draw();
    } catch (error) {
      trouble(error);
    }
  }

  draw() {
    if (!this.items) return;
    reconcile(this.rows, this.items.map((one) => ({ ...one, isOpen: one.id === this.id })), (one) => one.id, (one) => h('li', {},
      h('a', { class: 'row', href: this.context.link('documents', one.id), 'aria-current': one.isOpen ? 'true' : null }, h('span', { class: 'row-text' },
        h('span', { class: 'row-line' }, theirs(one.title, { class: 'name' })),
        h('span', { class: 'row-line' }, h('span', { class: 'last' }, `${one.kind ? `${one.kind} · ` : ''}${many(one.characters, 'character')} · version ${one.version}`))))));
    this.end.replaceChildren(...(this.items.length ? [] : [empty('documents', 'No document yet', 'The bot answers from its prompt alone. Add price lists, opening hours, answers to frequent questions.')]));
  }

  async show([id = null]) {
    if (id === this.id && this.pane.hasChildNodes()) return;
    if (this.hasUnsaved() && !(await sure('Leave without saving?', 'What you changed in this document is lost.', 'Leave'))) {
      this.context.go('documents', this.id);
      return;
    }
    Object.assign(this, { id, saved: null, content: null });
    this.box.dataset.open = String(id !== null);
    this.draw();
    if (id === null) {
      this.pane.replaceChildren(empty('documents', 'No document is open', 'Choose one to read it, change it, and try what the bot makes of it.'));
      return;
    }
    this.pane.replaceChildren(skeleton(6));
    try {
      const { etag, data } = id === '+' ? { etag: null, data: { title: '', kind: '', content: '', version: 0 } } : await versioned(this.context.of(['documents', id]));
      if (this.id === id) this.edit(data, etag);
    } catch (error) {
      if (this.id === id) this.pane.replaceChildren(empty('documents', error.title, error.detail ?? 'It may have been deleted.'));
    }
  }

  values() {
    return { title: this.title.value.trim(), kind: this.kind.value.trim(), content: this.content.value };
  }

  hasUnsaved() {
    return Boolean(this.saved) && JSON.stringify(this.values()) !== this.saved;
  }

  edit(data, etag) {
    const isOwner = this.context.may('owner');
    this.title = h('input', { value: data.title, required: true, maxlength: 200, readonly: !isOwner });
    this.kind = h('input', { value: data.kind, maxlength: 100, readonly: !isOwner, placeholder: 'faq, price list, …' });
    this.content = h('textarea', { value: data.content, rows: 16, required: true, readonly: !isOwner, class: 'long' });
    this.saved = JSON.stringify(this.values());
    const name = h('input', { pattern: '[A-Za-z0-9_\\-]{1,64}', required: true, title: 'letters, digits, - and _' });
    const isNew = this.id === '+';
    const form = h('form', { class: 'form', onsubmit: (event) => {
      event.preventDefault();
      busy(event.submitter, () => this.save(isNew ? name.value.trim() : this.id, etag));
    } }, isNew && field('Id', name, 'Names the document in addresses; it does not change.'), field('Title', this.title), field('Kind', this.kind), field('Text', this.content),
      isOwner && h('div', { class: 'buttons' }, h('button', { class: 'button strong', type: 'submit' }, 'Save'),
        !isNew && button('Versions', () => versions(this.context, ['documents', this.id], (one) => one.document?.content ?? one.content, () => this.reload())),
        !isNew && button('Delete…', () => this.delete(), { kind: 'danger', sign: 'trash' })));
    this.pane.replaceChildren(h('header', { class: 'thread-head' }, iconButton('Back to the list', 'back', () => this.context.go('documents'), { class: 'icon-button back' }),
      h('div', { class: 'thread-name' }, h('h2', {}, isNew ? 'New document' : theirs(data.title)), h('p', {}, isNew ? '' : `Version ${data.version}`))),
    h('div', { class: 'log sheet', tabindex: 0 }, h('div', { class: 'beside' }, form, trial(this.context, () => this.changed()))));
  }

  /** All documents as they would be, when this one is not as it is saved. */
  async changed() {
    if (!this.hasUnsaved()) return null;
    const others = await Promise.all(this.items.filter((one) => one.id !== this.id).map((one) => get(this.context.of(['documents', one.id]))));
    return { documents: [...others.map(({ title, kind, content }) => ({ title, kind, content })), this.values()] };
  }

  async save(id, etag) {
    const isNew = this.id === '+';
    if (isNew && this.items.some((one) => one.id === id)) {
      toast('There is a document with this id', { detail: 'Choose another one.', bad: true });
      return;
    }
    await put(this.context.of(['documents', id]), this.values(), etag);
    toast('Saved', { detail: 'The next answer uses it: at once, or within half a minute.' });
    this.saved = null;
    this.list();
    if (isNew) this.context.go('documents', id);
    else await this.reload();
  }

  async reload() {
    const { id } = this;
    this.pane.replaceChildren();
    this.saved = null;
    this.list();
    await this.show([id]);
  }

  async delete() {
    if (!(await sure('Delete this document?', 'The bot does not know it any more. Its versions stay, and can be brought back.', 'Delete'))) return;
    try {
      await remove(this.context.of(['documents', this.id]));
      this.saved = null;
      this.list();
      this.context.go('documents');
    } catch (error) {
      trouble(error);
    }
  }

  close() {
    this.saved = null;
  }
}

/** Shows the versions of something, one of them on demand, and restores one. `text` says what is shown of a version. */
export async function versions(context, parts, text, restored) {
  try {
    const { items } = await get(context.of([...parts, 'versions']));
    const shown = h('pre', { class: 'version', tabindex: 0, 'aria-label': 'What the version says' });
    const rows = items.map((one) => h('li', {}, h('span', {}, h('b', {}, `Version ${one.version}`), h('small', {}, `${stamp(one.at, context.zone)} · key ${one.by}`)),
      button('Read', (event) => busy(event.currentTarget, async () => { shown.textContent = text(await get(context.of([...parts, 'versions', String(one.version)]))); })),
      h('button', { class: 'button', value: String(one.version) }, 'Restore')));
    const chosen = await dialog('Versions', h('div', {}, items.length ? h('ol', { class: 'versions' }, rows) : h('p', {}, 'There is none before this one.'), shown), [['Close', '']]);
    if (!chosen) return;
    await post(context.of([...parts, 'versions', chosen, 'restore']));
    toast(`Version ${chosen} is in force again`);
    await restored();
  } catch (error) {
    trouble(error);
  }
}
