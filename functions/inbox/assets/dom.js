// Making and changing nodes. Text is only ever set as text: nothing that comes from outside is read as markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element. `props`: attributes; `on…`: listeners; `dataset`; false and null leave an attribute out. */
export function h(name, props = {}, ...children) {
  return fill(document.createElement(name), props, children);
}

/** The same in SVG. */
export const s = (name, props = {}, ...children) => fill(document.createElementNS(SVG, name), props, children);

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'dataset') Object.assign(node.dataset, value);
    else if (key === 'value') node.value = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const $ = (id) => document.getElementById(id);
export const icon = (name) => s('svg', { class: 'icon', 'aria-hidden': 'true' }, s('use', { href: `#i-${name}` }));
/** Somebody else's words in a line of ours: their direction stays theirs. */
export const theirs = (text, props = {}) => h('bdi', props, text);

/** Words as WhatsApp shows them. The markers stay in the text, unseen: what was written is what is there. */
export const spoken = (parts) => parts.map((part) => (part.tag
  ? h(part.tag, {}, h('span', { class: 'marker' }, part.marker), spoken(part.parts), h('span', { class: 'marker' }, part.marker)) : part));

/** A button. */
export function button(label, onclick, { kind = '', sign = null, ...rest } = {}) {
  return h('button', { type: 'button', class: `button ${kind}`, onclick, ...rest }, sign && icon(sign), h('span', {}, label));
}

/** A button that is only an icon, with a name for those who do not see it. */
export const iconButton = (label, sign, onclick, props = {}) => h('button', {
  type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...props }, icon(sign));

/** A labelled control. */
export function field(label, control, hint = null) {
  const id = control.id || `f${(field.made = (field.made ?? 0) + 1)}`;
  control.id = id;
  if (hint) control.setAttribute('aria-describedby', `${id}-hint`);
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, hint && h('p', { class: 'hint', id: `${id}-hint` }, hint));
}

/** A checkbox with its label. */
export const check = (label, control, hint = null) => h('label', { class: 'check' }, control, h('span', {}, label, hint && h('small', {}, hint)));

/** A menu behind a button. It closes on Esc, on a choice, and when the focus or a click goes elsewhere. */
export function menu(label, face, ...entries) {
  const box = h('details', { class: 'menu' }, h('summary', { 'aria-label': label, title: label }, face), h('div', { class: 'menu-list' }, entries));
  const close = () => { box.open = false; };
  const elsewhere = (event) => {
    // A menu that was drawn anew leaves nothing behind.
    if (!box.isConnected) document.removeEventListener('click', elsewhere);
    else if (!box.contains(event.target)) close();
  };
  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !box.open) return;
    event.stopPropagation();
    close();
    box.querySelector('summary').focus();
  });
  box.addEventListener('click', (event) => event.target.closest('.menu-list button, .menu-list a') && close());
  box.addEventListener('focusout', (event) => event.relatedTarget && !box.contains(event.relatedTarget) && close());
  document.addEventListener('click', elsewhere);
  return box;
}

/** Shows a notice for some seconds; one that tells of trouble stays longer. */
export function toast(title, { detail = null, bad = false } = {}) {
  const box = h('div', { class: `toast ${bad ? 'bad' : ''}`, role: bad ? 'alert' : null }, icon(bad ? 'alert' : 'check'),
    h('p', {}, h('b', {}, title), detail && h('span', {}, detail)), iconButton('Dismiss', 'plus', () => box.remove()));
  box.lastChild.classList.add('cross');
  $('toasts').append(box);
  while ($('toasts').childElementCount > 3) $('toasts').firstChild.remove();
  setTimeout(() => box.remove(), bad ? 12_000 : 5_000);
}

/** Shows what went wrong. */
export const trouble = (error) => toast(error.title ?? 'Something went wrong on this page', { detail: error.detail ?? null, bad: true });

/** Does something while its button waits; trouble is shown. */
export async function busy(control, act) {
  control.disabled = true;
  control.setAttribute('aria-busy', 'true');
  try {
    return await act();
  } catch (error) {
    trouble(error);
    return undefined;
  } finally {
    control.disabled = false;
    control.removeAttribute('aria-busy');
  }
}

/** A dialog; gives the value of the button that closed it, '' for Esc. */
export function dialog(title, body, buttons) {
  return new Promise((resolve) => {
    const box = h('dialog', { 'aria-labelledby': 'dialog-title' }, h('form', { method: 'dialog' }, h('h2', { id: 'dialog-title' }, title), body,
      h('div', { class: 'buttons' }, buttons.map(([label, value, kind = '']) => h('button', { class: `button ${kind}`, value }, label)))));
    box.addEventListener('close', () => {
      box.remove();
      resolve(box.returnValue);
    });
    document.body.append(box);
    box.showModal();
  });
}

/** Asks before something that cannot be taken back. */
export const sure = async (title, text, act) => (await dialog(title, h('p', {}, text), [['Cancel', ''], [act, 'yes', 'danger']])) === 'yes';

/** A page's part that has nothing to show, and what to do about it. */
export const empty = (sign, title, text, ...more) => h('div', { class: 'empty' }, icon(sign), h('h2', {}, title), h('p', {}, text), more);

/** Grey bars where rows will be. */
export const skeleton = (rows) => h('div', { class: 'skeleton', 'aria-hidden': 'true' }, Array.from({ length: rows }, () => h('i')));

/**
 * Makes a node's children be those of `items`, touching only what differs: no flicker, the scroll position stays, and a row
 * that has the focus keeps it.
 */
export function reconcile(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const sign = JSON.stringify(item);
    let node = old.get(key);
    old.delete(key);
    if (!node || node.sign !== sign) {
      const fresh = make(item);
      fresh.dataset.key = key;
      fresh.sign = sign;
      if (node) {
        if (place === node) place = node.nextElementSibling;
        const focused = node.contains(document.activeElement);
        for (const [n, details] of [...node.querySelectorAll('details')].entries()) {
          const same = fresh.querySelectorAll('details')[n];
          if (same) same.open = details.open;
        }
        node.remove();
        node = fresh;
        parent.insertBefore(node, place);
        if (focused) (node.matches('a, button') ? node : node.querySelector('a, button, summary'))?.focus({ preventScroll: true });
        continue;
      }
      node = fresh;
    }
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}
