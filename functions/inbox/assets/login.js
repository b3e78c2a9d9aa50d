// The login: an API key becomes a session cookie. The key itself is kept nowhere on the page.

import { post } from './api.js';
import { $, busy, field, h } from './dom.js';

/** Shows the login; `then` is called with a session. */
export function showLogin(then) {
  const key = h('input', {
    type: 'password', id: 'key', name: 'key', autocomplete: 'current-password', required: true, spellcheck: 'false', placeholder: 'clivy_…',
  });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const enter = h('button', { class: 'button strong', type: 'submit' }, 'Sign in');
  const form = h('form', { onsubmit: async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    await busy(enter, async () => {
      try {
        await post('/api/session', { key: key.value.trim() }, { login: false });
      } catch (error) {
        wrong.textContent = error.isUnknown ? `${error.title}. Please try again.` : 'This key does not open anything. It may be mistyped, expired or revoked.';
        key.select();
        return;
      }
      key.value = '';
      then();
    });
  } }, h('img', { src: document.querySelector('link[rel="icon"]').href, alt: '', width: 44, height: 44 }),
    h('h1', {}, 'Clivy inbox'), h('p', {}, 'Every chat, taken over when you want, and what it costs.'),
    field('API key', key, 'Kept in a cookie that no script can read, until you sign out or for 12 hours.'), wrong, enter);
  $('login').replaceChildren(form);
  $('login').hidden = false;
  key.focus();
}
