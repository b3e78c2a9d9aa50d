// The API keys of the owner: who may do what, and until when.

import { get, post, remove } from './api.js';
import { busy, button, dialog, empty, field, h, skeleton, sure, theirs, toast, trouble } from './dom.js';
import { plain, stamp } from './fields.js';

const ROLES = [['viewer', 'Viewer: reads'], ['agent', 'Agent: answers customers'], ['owner', 'Owner: changes bots and keys']];

export const open = (main, context) => new Keys(main, context);

class Keys {
  constructor(main, context) {
    this.context = context;
    this.list = h('section', { class: 'card' }, skeleton(4));
    main.append(h('div', { class: 'page' }, h('header', { class: 'page-head' }, h('h2', {}, 'API keys')),
      h('div', { class: 'stack' }, this.form(), this.list)));
  }

  form() {
    const name = h('input', { required: true, maxlength: 100, placeholder: 'Whose, or for what' });
    const role = h('select', {}, ROLES.map(([value, label]) => h('option', { value }, label)));
    const days = h('input', { type: 'number', min: 1, max: 3650, placeholder: 'never' });
    return h('form', { class: 'card', onsubmit: (event) => {
      event.preventDefault();
      busy(event.submitter, async () => {
        const made = await post('/api/keys', { name: name.value.trim(), role: role.value, expires_in_days: days.value ? Number(days.value) : null });
        event.target.reset();
        await this.reveal(made);
        await this.show();
      });
    } }, h('h3', {}, 'New key'), h('div', { class: 'line' }, field('Name', name), field('May', role), field('Expires after days', days), h('button', { class: 'button strong', type: 'submit' }, 'Make key')));
  }

  async reveal(made) {
    const shown = h('input', { value: made.key, readonly: true, class: 'code', 'aria-label': 'The key' });
    const copy = button('Copy', async () => {
      try {
        await navigator.clipboard.writeText(made.key);
        toast('Copied');
      } catch {
        shown.select();
      }
    });
    await dialog('The new key', h('div', {}, h('p', {}, 'This is the only time it is shown. Give it to its holder now.'), h('div', { class: 'line' }, shown, copy)), [['Done', '', 'strong']]);
  }

  async show() {
    try {
      const items = [];
      let next = null;
      do {
        const page = await get(`/api/keys${next ? `?cursor=${encodeURIComponent(next)}` : ''}`);
        items.push(...page.items);
        ({ next } = page);
      } while (next);
      this.list.replaceChildren(items.length ? this.table(items) : empty('keys', 'No key', 'Make one above.'));
    } catch (error) {
      trouble(error);
    }
  }

  table(items) {
    const { zone } = this.context;
    const state = (one) => {
      if (one.revoked_at) return h('span', { class: 'mark bad' }, 'Revoked');
      if (one.expires_at && Date.parse(one.expires_at) < Date.now()) return h('span', { class: 'mark' }, 'Expired');
      return button('Revoke…', () => this.revoke(one), { kind: 'danger' });
    };
    return h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Keys' }, h('table', {}, h('thead', {}, h('tr', {}, ['Name', 'Role', 'Made', 'Expires', 'State'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, items.map((one) => h('tr', {}, h('th', { scope: 'row' }, theirs(one.name), h('small', {}, one.id)), h('td', {}, plain(one.role)), h('td', {}, stamp(one.created_at, zone)),
        h('td', {}, one.expires_at ? stamp(one.expires_at, zone) : 'Never'), h('td', {}, state(one)))))));
  }

  async revoke(one) {
    if (!(await sure(`Revoke ${one.name}?`, 'Whoever uses this key is signed out at once. A revoked key cannot be used again.', 'Revoke'))) return;
    try {
      await remove(`/api/keys/${encodeURIComponent(one.id)}`);
      await this.show();
    } catch (error) {
      trouble(error);
    }
  }

  close() {}
}
