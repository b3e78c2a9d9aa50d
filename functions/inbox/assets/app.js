// The frame: session, bots, where one is (the address after #), and what every view may ask for.

import { get, onSignedOut, path, remove } from './api.js';
import { $, busy, button, empty, field, h, icon, menu, skeleton, trouble } from './dom.js';
import { plain } from './fields.js';
import { healthBadge } from './health.js';
import { showLogin } from './login.js';
import { Poll } from './poll.js';

const ROLES = ['viewer', 'agent', 'owner'];
/** A view's module is loaded when it is first wanted. `[name, sign, label, load, least role]` */
const VIEWS = [
  ['chats', 'chats', 'Chats', () => import('./chats.js'), 'viewer'],
  ['turns', 'turns', 'Failed', () => import('./turns.js'), 'viewer'],
  ['usage', 'usage', 'Usage', () => import('./usage.js'), 'viewer'],
  ['settings', 'bot', 'Bot', () => import('./bot.js'), 'viewer'],
  ['documents', 'documents', 'Documents', () => import('./documents.js'), 'viewer'],
  ['keys', 'keys', 'Keys', () => import('./keys.js'), 'owner'],
];

const kept = load();
let session = null;
let bots = [];
/** Where the bot's business is: `{bot, zone}`. */
let place = { bot: null, zone: 'UTC' };
const zoneLine = h('p', { class: 'soft' });
let health = null;
/** Looks how many turns have failed. */
let failed = null;
const FAILED_MS = 20_000;
const FAILED_SHOWN = 99;
/** The view that is shown: `{name, bot, view}`. */
let open = null;

function load() {
  try {
    const { theme, bot } = JSON.parse(localStorage.getItem('clivy-inbox') ?? '{}');
    return { theme: theme ?? 'auto', bot: bot ?? null };
  } catch {
    return { theme: 'auto', bot: null };
  }
}

/** Times are those of the place where the bot's business is, wherever the person sits who looks at them. */
async function findPlace(bot) {
  if (place.bot === bot) return;
  const { bot: { time_zone: named } } = await get(path(['bots', bot]));
  let zone = named;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    // A zone that is younger than this browser.
    zone = 'UTC';
  }
  place = { bot, zone };
  zoneLine.textContent = `Times are those of ${zone}.`;
}

/** Keeps what is this browser's own choice. Never the key: that is in a cookie no script can read. */
function keep(change) {
  Object.assign(kept, change);
  try {
    localStorage.setItem('clivy-inbox', JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing only forgets the choice.
  }
}

/** What a view may ask for. */
const context = {
  get zone() { return place.zone; },
  get bot() { return kept.bot; },
  get owner() { return session.owner; },
  may: (role) => ROLES.indexOf(session.role) >= ROLES.indexOf(role),
  /** The path of something of the bot. */
  of: (parts, query) => path(['bots', kept.bot, ...parts], query),
  /** The address of a view, for links. */
  link: (view, ...rest) => `#/${[kept.bot, view, ...rest].map(encodeURIComponent).join('/')}`,
  go: (view, ...rest) => { location.hash = context.link(view, ...rest); },
  /** Something about failed turns may have changed. */
  failedChanged: () => failed?.now(),
  /** The bot's settings have changed. */
  botChanged: async () => {
    place.bot = null;
    await findPlace(kept.bot);
  },
};

/** How many turns wait for somebody, in the bar. */
async function countFailed() {
  const mark = document.querySelector('#nav [data-view="turns"] .count');
  if (!kept.bot || !mark) return;
  const page = await get(context.of(['turns'], { status: 'failed', limit: 100 }));
  const waiting = page.items.length;
  const text = waiting > FAILED_SHOWN || page.next ? `${FAILED_SHOWN}+` : String(waiting || '');
  if (mark.textContent !== text) mark.textContent = text;
}

/** `#/bot/view/rest…`, decoded; what cannot be read leads to the chats. */
function route() {
  try {
    const [bot, name, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
    const view = VIEWS.find(([known, , , , role]) => known === name && context.may(role)) ?? VIEWS[0];
    return { bot: bots.some((one) => one.id === bot) ? bot : null, view, rest: rest.filter(Boolean) };
  } catch {
    return { bot: null, view: VIEWS[0], rest: [] };
  }
}

function close() {
  open?.view?.close?.();
  open = null;
}

async function show() {
  if (!session) return;
  const { bot, view: [name, , label, loadView], rest } = route();
  const wanted = bot ?? (bots.some((one) => one.id === kept.bot) ? kept.bot : bots[0]?.id ?? null);
  keep({ bot: wanted });
  $('bot').value = wanted ?? '';
  showNav(name);
  if (open?.name === name && open.bot === wanted) {
    open.view?.show(rest);
    return;
  }
  close();
  const here = { name, bot: wanted, view: null };
  open = here;
  $('main').replaceChildren(skeleton(6));
  document.body.dataset.view = name;
  $('main').setAttribute('aria-label', label);
  if (!wanted && name !== 'keys') {
    $('main').replaceChildren(empty('bot', 'No bot yet', `The owner “${session.owner}” has no bot. A bot is made with PUT /api/bots/{bot}, or in the settings file that the system is started with.`));
    return;
  }
  try {
    const [module] = await Promise.all([loadView(), wanted && findPlace(wanted)]);
    if (open !== here) return;
    $('main').replaceChildren();
    here.view = module.open($('main'), context);
    here.view.show(route().rest);
  } catch (error) {
    trouble(error);
  }
}

function showNav(current) {
  if ($('nav').childElementCount === 0) {
    const mine = VIEWS.filter(([, , , , role]) => context.may(role));
    $('nav').append(...mine.map(([name, sign, label]) => h('a', { dataset: { view: name } }, icon(sign), h('span', {}, label), h('b', { class: 'count' }))));
  }
  for (const link of $('nav').children) {
    link.href = context.link(link.dataset.view);
    if (link.dataset.view === current) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

function setTheme(theme) {
  keep({ theme });
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** A choice of this browser, as a labelled list. */
function choice(label, values, value, onchange) {
  const select = h('select', { onchange: () => onchange(select.value) }, values.map(([name, text]) => h('option', { value: name }, text)));
  select.value = value;
  return field(label, select);
}

function accountMenu() {
  return menu('Account and display', icon('settings'),
    h('p', { class: 'who' }, h('b', {}, session.owner), h('span', {}, plain(session.role))),
    zoneLine,
    choice('Colours', [['auto', 'As the system'], ['light', 'Light'], ['dark', 'Dark']], kept.theme, setTheme),
    button('Sign out', (event) => busy(event.currentTarget, async () => {
      await remove('/api/session');
      signOut();
    })));
}

function signOut() {
  close();
  health?.stop();
  failed?.stop();
  health = null;
  failed = null;
  session = null;
  $('app').hidden = true;
  $('main').replaceChildren();
  document.title = 'Clivy';
  showLogin(start);
}

async function start() {
  try {
    session = await get('/api/session', { login: false });
    bots = (await get('/api/bots', { login: false })).items;
  } catch (error) {
    signOut();
    if (error.status !== 401) trouble(error);
    return;
  }
  $('login').hidden = true;
  $('app').hidden = false;
  $('nav').replaceChildren();
  place = { bot: null, zone: 'UTC' };
  $('bot').replaceChildren(...bots.map((one) => h('option', { value: one.id }, `${one.name || one.id}${one.active ? '' : ' (off)'}`)));
  health?.stop();
  health = healthBadge(() => place.zone);
  $('bar-end').replaceChildren(health.badge, accountMenu());
  await show();
  failed?.stop();
  failed = new Poll(countFailed, FAILED_MS);
}

$('bot').addEventListener('change', () => {
  const name = open?.name ?? 'chats';
  location.hash = `#/${encodeURIComponent($('bot').value)}/${name}`;
  failed?.now();
});
$('skip').addEventListener('click', () => $('main').focus());
addEventListener('hashchange', show);
addEventListener('beforeunload', (event) => open?.view?.hasUnsaved?.() && event.preventDefault());
onSignedOut(signOut);
start();
