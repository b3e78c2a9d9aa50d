// A bot's settings. What the form does not show is kept as it is.

import { put, versioned } from './api.js';
import { busy, button, check, empty, field, h, skeleton, toast } from './dom.js';
import { words } from './fields.js';
import { trial } from './trial.js';
import { versions } from './documents.js';

/** Secrets are written, never read. `[where in the bot, name, label, hint]` */
const SECRETS = [
  ['gateway', 'token', 'Gateway token', 'The session token of the gateway.'],
  ['gateway', 'hmac_key', 'Signature key', 'When set, every webhook must be signed with it.'],
  ['gateway', 'secret_path', 'Secret path', 'When set, webhooks must come to an address that ends with it.'],
  [null, 'openrouter_key', 'OpenRouter key', 'The bot’s own; it then pays for the answers.'],
];

export const open = (main, context) => new BotView(main, context);

class BotView {
  constructor(main, context) {
    this.context = context;
    this.box = h('div', { class: 'page' });
    main.append(this.box);
  }

  async show() {
    if (this.box.hasChildNodes()) return;
    this.box.replaceChildren(skeleton(8));
    try {
      this.draw(await versioned(this.context.of([])));
    } catch (error) {
      this.box.replaceChildren(empty('bot', error.title, error.detail ?? 'Open this view again to try once more.'));
    }
  }

  draw({ etag, data: { version, bot, secrets } }) {
    const readonly = !this.context.may('owner');
    Object.assign(this, { bot, etag, readonly });
    const line = (name, value, more = {}) => h('input', { value: value ?? '', readonly, maxlength: 500, ...more });
    const area = (value, rows) => h('textarea', { value: value ?? '', rows, readonly });
    const tick = (value) => h('input', { type: 'checkbox', checked: value, disabled: readonly });
    const f = this.f = {
      name: line('name', bot.name), active: tick(bot.active), system_prompt: area(bot.system_prompt, 12), fallback_text: area(bot.fallback_text, 3),
      models: area((bot.models ?? []).map(written).join('\n'), 4), opt_out_words: line('', (bot.opt_out_words ?? []).join(', ')),
      opt_in_words: line('', (bot.opt_in_words ?? []).join(', ')), opt_out_text: area(bot.opt_out_text, 2), opt_in_text: area(bot.opt_in_text, 2),
      time_zone: zones(bot.time_zone, readonly), response_cache: tick(bot.response_cache), allow_training: tick(bot.allow_training), url: line('', bot.gateway?.url, { type: 'url' }),
    };
    f.system_prompt.classList.add('long');
    this.secrets = SECRETS.map(([where, name, label, hint]) => ({ where, name, label, isSet: secrets.includes(name),
      hint, input: line(name, '', { type: 'password', autocomplete: 'new-password', placeholder: secrets.includes(name) ? 'set; leave empty to keep it' : 'not set' }), drop: h('input', { type: 'checkbox' }) }));
    const form = h('form', { class: 'form', onsubmit: (event) => {
      event.preventDefault();
      busy(event.submitter, () => this.save());
    } },
      group('The bot', field('Name', f.name), check('Active', f.active, 'An inactive bot neither stores nor answers messages.'),
        field('Time zone', f.time_zone, 'Where the business is: times are shown as they are there.'),
        field('Instructions (system prompt)', f.system_prompt, 'Who the bot is and how it speaks. What it knows is in its documents.'),
        field('Fallback text', f.fallback_text, 'What a customer reads when no answer could be made.')),
      group('Models', field('Models, one a line', f.models, 'Asked one after another until one answers. After the name, optionally the tokens of its context: provider/model 128000.'),
        check('Repeat earlier answers', f.response_cache, 'The same question, asked without a history, may get an answer that was given before.'),
        check('Allow providers that train on prompts', f.allow_training, 'Many free ones do. Customers’ messages are among the prompts.')),
      group('Opting out', field('Words that opt out', f.opt_out_words, 'Separated by commas.'), field('Words that opt in again', f.opt_in_words),
        field('Text that confirms an opt-out', f.opt_out_text), field('Text that confirms an opt-in', f.opt_in_text)),
      group('Gateway and secrets', field('Address of the gateway', f.url), readonly ? h('p', { class: 'soft' }, `Set: ${secrets.join(', ') || 'none'}.`)
        : this.secrets.map((one) => [field(one.label, one.input, one.hint), one.isSet && one.name !== 'token' && check(`Remove the ${one.label.toLowerCase()}`, one.drop)])),
      !readonly && h('div', { class: 'buttons sticky' }, h('button', { class: 'button strong', type: 'submit' }, 'Save'),
        button('Versions', () => versions(this.context, [], (one) => JSON.stringify(one.bot, null, 2), () => this.reload()))));
    this.before = JSON.stringify(this.values());
    this.box.replaceChildren(h('header', { class: 'page-head' }, h('h2', {}, bot.name || this.context.bot), h('p', { class: 'soft' }, `${this.context.bot} · version ${version}`)),
      h('div', { class: 'beside' }, form, trial(this.context, () => this.unsaved())));
  }

  /** The bot as the form says, what the form does not show included. */
  values() {
    const { f, bot } = this;
    const known = new Map((bot.models ?? []).map((model) => [written(model), model]));
    const lines = f.models.value.split('\n').map((text) => text.trim()).filter(Boolean);
    const values = {
      ...bot, name: f.name.value.trim(), active: f.active.checked, system_prompt: f.system_prompt.value, fallback_text: f.fallback_text.value,
      models: lines.map((text) => known.get(text) ?? read(text)), opt_out_words: words(f.opt_out_words.value), opt_in_words: words(f.opt_in_words.value),
      opt_out_text: f.opt_out_text.value, opt_in_text: f.opt_in_text.value, time_zone: f.time_zone.value, response_cache: f.response_cache.checked, allow_training: f.allow_training.checked,
      gateway: { ...bot.gateway, url: f.url.value.trim() },
    };
    for (const { where, name, input, drop } of this.secrets) {
      const value = drop.checked ? null : input.value || undefined;
      if (value !== undefined) (where ? values[where] : values)[name] = value;
    }
    return values;
  }

  hasUnsaved() {
    return Boolean(this.before) && JSON.stringify(this.values()) !== this.before;
  }

  unsaved() {
    const prompt = this.f.system_prompt.value;
    const first = this.values().models[0];
    const change = {};
    if (prompt !== (this.bot.system_prompt ?? '')) change.system_prompt = prompt;
    if (first && written(first) !== written((this.bot.models ?? [])[0] ?? '')) change.model = typeof first === 'string' ? first : first.name ?? first.id;
    return Object.keys(change).length > 0 ? change : null;
  }

  async save() {
    this.draw(await put(this.context.of([]), this.values(), this.etag));
    await this.context.botChanged();
    toast('Saved', { detail: 'The bot follows it at once, or within half a minute.' });
  }

  async reload() {
    this.box.replaceChildren();
    await Promise.all([this.show(), this.context.botChanged()]);
  }

  close() {}
}

const group = (title, ...fields) => h('fieldset', { class: 'card' }, h('legend', {}, title), fields);
/** The zones that this browser knows, and the bot's. */
function zones(current, disabled) {
  const all = [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', current])].sort();
  const select = h('select', { disabled }, all.map((zone) => h('option', { value: zone }, zone)));
  select.value = current;
  return select;
}
/** A model of the ladder as a line, and back. */
const written = (model) => (typeof model === 'string' ? model : [model.name ?? model.id, model.context_tokens].filter(Boolean).join(' '));
function read(text) {
  const [, name, tokens] = /^(\S+)\s+(\d+)$/.exec(text) ?? [];
  return name ? { name, context_tokens: Number(tokens) } : text;
}
