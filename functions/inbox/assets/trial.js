// Asking the bot without a customer: as it is, and as it would be with what is being edited.

import { MODEL_PATIENCE_MS, post } from './api.js';
import { busy, button, check, field, h, spoken, theirs } from './dom.js';
import { count, duration, styled, usd } from './fields.js';

/** The panel. `unsaved()` gives what the request says of unsaved changes, or null when there are none. */
export function trial(context, unsaved) {
  if (!context.may('agent')) return null;
  const question = h('textarea', { rows: 2, maxlength: 4000, placeholder: 'Kak, ongkir ke Bandung berapa?' });
  const both = h('input', { type: 'checkbox' });
  const results = h('div', { class: 'answers', 'aria-live': 'polite' });
  const ask = (control) => busy(control, async () => {
    const text = question.value.trim();
    if (!text) {
      question.focus();
      return;
    }
    const changed = await unsaved();
    const kinds = changed ? [['With your changes', changed], ...(both.checked ? [['As saved', {}]] : [])] : [['As saved', {}]];
    results.replaceChildren(h('p', { class: 'soft' }, 'The model is asked…'));
    const answers = await Promise.all(kinds.map(async ([title, what]) => {
      const body = { question: text, system_prompt: null, documents: null, model: null, ...what };
      try {
        return answer(title, await post(context.of(['try']), body, { patience: MODEL_PATIENCE_MS }));
      } catch (error) {
        return h('article', { class: 'answer' }, h('h4', {}, title), h('p', { class: 'wrong' }, [error.title, error.detail].filter(Boolean).join('. ')));
      }
    }));
    results.replaceChildren(...answers);
  });
  const go = button('Ask the bot', (event) => ask(event.currentTarget), { kind: 'strong' });
  question.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (!go.disabled) ask(go);
    }
  });
  return h('section', { class: 'card trial', 'aria-label': 'Try it' }, h('h3', {}, 'Try it'), h('p', { class: 'soft' }, 'No customer is involved. Changes that are not saved are tried too. The model is paid as always.'),
    field('Question', question), check('Also ask as saved, side by side', both), go, results);
}

function answer(title, one) {
  return h('article', { class: 'answer' }, h('h4', {}, title), h('p', { class: 'words', dir: 'auto' }, spoken(styled(one.answer))),
    h('p', { class: 'soft' }, [one.model, usd(one.cost_usd), duration(one.latency_ms), `${count(one.tokens_in)} tokens in, ${count(one.tokens_out)} out`].join(' · ')),
    h('p', { class: 'soft' }, one.documents.length ? 'Documents: ' : 'No document went into the prompt.', one.documents.map((name, place) => [place ? ', ' : '', theirs(name)])));
}
