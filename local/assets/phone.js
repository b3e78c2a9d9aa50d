// The page: who writes to whom, the composer, and the live connection.

import { Chat, icon, make } from './chat.js';
import { Faults } from './faults.js';
import { Inside } from './inside.js';

const $ = (id) => document.getElementById(id);
const IDEAS = ['Halo', 'Saya mau', 'pesan produk'];
const QUESTIONS = ['Buka jam berapa?', 'Ongkirnya berapa?'];
const CUSTOMERS = [
  { name: 'Rina Wulandari', contact: '6281100020001' },
  { name: 'Budi Santoso', contact: '6281100020002' },
  { name: 'Sari Dewi', contact: '6281100020003' },
];
const REOPEN_MS = [1_000, 2_000, 5_000];

const chat = new Chat({ log: $('log'), list: $('bubbles'), typing: $('typing'), presence: $('presence') }, (bubble) => post(bubble));
const inside = new Inside({ gauges: $('gauges'), list: $('bursts'), nothing: $('nothing'), announce: $('announce') });
const faults = new Faults({
  box: $('faults'), toggle: $('faults-toggle'), body: $('faults-body'), now: $('faults-now'), clear: $('faults-clear'),
  calls: $('faults-calls'), sides: $('faults-sides'), hint: $('faults-hint'), error: $('faults-error'),
});
const kept = load();
let bots = [];
let feed = null;
let failures = 0;
let posting = Promise.resolve();

function load() {
  const fresh = { bot: null, customers: CUSTOMERS, contact: CUSTOMERS[0].contact };
  try {
    const stored = JSON.parse(localStorage.getItem('clivy-phone') ?? '{}');
    const customers = Array.isArray(stored.customers)
      && stored.customers.every((one) => typeof one?.name === 'string' && typeof one?.contact === 'string')
      && stored.customers.length > 0 ? stored.customers : CUSTOMERS;
    const contact = customers.some((one) => one.contact === stored.contact) ? stored.contact : customers[0].contact;
    return { ...fresh, bot: stored.bot ?? null, customers, contact };
  } catch {
    return fresh;
  }
}

function save() {
  try {
    localStorage.setItem('clivy-phone', JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing only forgets who one was.
  }
}

const customer = () => kept.customers.find((one) => one.contact === kept.contact);
const botName = () => bots.find((bot) => bot.id === kept.bot)?.name ?? '';

// The live connection.

function setLink(state, text) {
  $('link').dataset.state = state;
  if ($('link-text').textContent !== text) $('link-text').textContent = text;
}

function showStatus(status) {
  inside.setStatus(status);
  faults.setState(status.faults);
}

function open() {
  feed?.close();
  const mine = new EventSource(`/phone/events?${new URLSearchParams({ bot: kept.bot, contact: kept.contact })}`);
  feed = mine;
  const on = (name, act) => mine.addEventListener(name, (event) => mine === feed && act(JSON.parse(event.data)));
  on('snapshot', (snapshot) => {
    failures = 0;
    setLink('live', 'Live');
    chat.reset(`${kept.bot}|${kept.contact}`, botName(), snapshot.bubbles);
    inside.reset(snapshot.steps, snapshot.now_ms);
    showStatus(snapshot.status);
  });
  on('bubble', (bubble) => chat.put(bubble));
  on('presence', ({ state }) => chat.setTyping(state === 'composing'));
  on('read', ({ ids }) => chat.markRead(ids));
  on('status', showStatus);
  on('step', (step) => {
    inside.add(step);
    $('tab-news').hidden = document.body.dataset.view === 'inside';
  });
  mine.onerror = () => {
    if (mine !== feed) return;
    setLink('lost', 'Reconnecting…');
    chat.setTyping(false);
    // The browser tries again by itself, unless the server said no.
    if (mine.readyState === EventSource.CLOSED) {
      setTimeout(() => mine === feed && open(), REOPEN_MS[Math.min(failures, REOPEN_MS.length - 1)]);
      failures += 1;
    }
  };
}

// Writing.

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `3EB0${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('').toUpperCase()}`;
}

/** Posts one after the other: bubbles reach the webhook in the order in which they were written. */
function post(bubble) {
  const to = { bot: kept.bot, contact: kept.contact, name: customer().name };
  const show = (change) => to.contact === kept.contact && to.bot === kept.bot && chat.put({ ...bubble, ...change });
  show({ state: 'sending' });
  posting = posting.then(async () => {
    try {
      const response = await fetch('/phone/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...to, id: bubble.id, text: bubble.text }),
      });
      if (response.ok) show(await response.json());
      else if (response.status !== 409) show({ state: 'failed', status: response.status });
    } catch {
      show({ state: 'failed', status: null });
    }
  });
  return posting;
}

function write(text) {
  if (text.trim() === '') return;
  post({ id: newId(), from: 'customer', text, at_ms: Date.now() + inside.skewMs, state: 'sending', status: null, answer: null });
}

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function typeAll(button) {
  button.disabled = true;
  for (const text of IDEAS) {
    write(text);
    await pause(450);
  }
  button.disabled = false;
}

function fitComposer() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${Math.min(text.scrollHeight, 120)}px`;
}

function setUpComposer() {
  const text = $('text');
  const send = () => {
    write(text.value);
    text.value = '';
    fitComposer();
    text.focus();
  };
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  text.addEventListener('input', fitComposer);
  text.addEventListener('keydown', (event) => {
    // While an input method composes, Enter belongs to it.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  const idea = (label, act, className = 'idea') => {
    const button = make('button', className, label);
    button.type = 'button';
    button.addEventListener('click', () => act(button));
    $('ideas').append(button);
    return button;
  };
  idea('Type all three', typeAll, 'idea all').prepend(icon('bolt'));
  for (const words of [...IDEAS, ...QUESTIONS]) idea(words, () => write(words));
}

// Who writes to whom.

function option(value, label) {
  const one = make('option', '', label);
  one.value = value;
  return one;
}

function showWho() {
  $('customer').replaceChildren(...kept.customers.map((one) => option(one.contact, `${one.name} · +${one.contact}`)));
  $('customer').value = kept.contact;
  $('chat-title').textContent = botName();
  $('avatar').textContent = Array.from(botName())[0]?.toUpperCase() ?? '';
}

function choose(change) {
  Object.assign(kept, change);
  save();
  // The bots of a file may have different owners.
  if (kept.bot) $('inbox-link').href = `/demo/inbox?bot=${encodeURIComponent(kept.bot)}`;
  showWho();
  open();
}

function setUpWho() {
  $('bot').replaceChildren(...bots.map((bot) => option(bot.id, bot.name)));
  $('bot').value = kept.bot;
  $('bot-field').hidden = bots.length < 2;
  $('bot').addEventListener('change', () => choose({ bot: $('bot').value }));
  $('customer').addEventListener('change', () => choose({ contact: $('customer').value }));
  const dialog = $('customer-dialog');
  $('new-customer').addEventListener('click', () => {
    $('customer-form').reset();
    $('customer-phone').value = `62811${String(crypto.getRandomValues(new Uint32Array(1))[0]).padStart(10, '0').slice(0, 8)}`;
    dialog.showModal();
  });
  $('customer-cancel').addEventListener('click', () => dialog.close());
  $('customer-form').addEventListener('submit', () => {
    const one = { name: $('customer-name').value.trim() || 'Pelanggan', contact: $('customer-phone').value.replace(/\D/g, '') };
    const others = kept.customers.filter((known) => known.contact !== one.contact);
    choose({ customers: [...others, one], contact: one.contact });
  });
}

function setUpTabs() {
  const tabs = [...document.querySelectorAll('[role=tab]')];
  const show = (tab) => {
    document.body.dataset.view = tab.dataset.view;
    if (tab.dataset.view === 'inside') $('tab-news').hidden = true;
    for (const one of tabs) {
      one.setAttribute('aria-selected', String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    chat.toEnd();
  };
  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener('click', () => show(tab));
    tab.addEventListener('keydown', (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      const next = tabs[(place + move + tabs.length) % tabs.length];
      show(next);
      next.focus();
    });
  }
}

async function start() {
  try {
    ({ bots } = await (await fetch('/phone/setup')).json());
    if (!bots.some((bot) => bot.id === kept.bot)) kept.bot = bots[0]?.id;
    setUpWho();
    choose({});
  } catch {
    setLink('lost', 'Reconnecting…');
    setTimeout(start, 2_000);
  }
}

setUpComposer();
setUpTabs();
start();
