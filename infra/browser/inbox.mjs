// A business's day in the inbox, against the running system: customers write in the phone page's way, a person lists, opens,
// answers, pauses, resumes, retries what failed, edits a document; and nothing that anybody wrote becomes markup.
// usage: node inbox.mjs BASE_URL OUTPUT_FOLDER

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { awsOf, clearDeadLetters, fillUsage, MAYA, seed, seedTakeover, SHOP, YOGA } from './inbox-seed.mjs';
import { savesSettings } from './inbox-settings.mjs';

const [base, folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node inbox.mjs BASE_URL OUTPUT_FOLDER');

const ANSWER_WITHIN_MS = 30_000;
/** What a customer has written is on the page after this long. */
const LIVE_WITHIN_MS = 2_000;
/** Longer than the debounce and an answer: an answer would have come by then. */
const QUIET_MS = 6_000;
/** The one-machine run keeps a bot for 1 s, so an edit is heard after that at the latest. */
const EDIT_HEARD_WITHIN_MS = 3_000;
/** The sweeper runs each minute. */
const HEALTHY_WITHIN_MS = 90_000;
const FIRST_LOAD = 100_000;
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };
const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const NASTY = '*<b onclick="window.hacked=4">tebal</b>* <img src=x onerror="window.hacked=1"><script>window.hacked=2</script><a href="javascript:window.hacked=3">klik</a>';

/** Within words nothing is an element but what WhatsApp itself styles. */
const NO_STYLE = ':not(b:not([class]), i:not([class]), s:not([class]), .marker)';

const run = String(Date.now()).slice(-7);
const RINA = { name: 'Rina Wulandari', contact: `62811${run}1` };
const AGUS = { name: 'Agus Pratama', contact: `62812${run}2` };
const EVIL = { name: `Evil ${NASTY}`, contact: `62813${run}3` };

const post = (path, body) => fetch(`${base}${path}`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** Writes a bubble as a customer. */
async function writes(who, text) {
  const response = await post('/phone/messages', { bot: 'demo', ...who, text });
  assert.equal(response.status, 200, await response.text());
}

async function watched(context, watch) {
  const page = await context.newPage();
  page.on('request', (request) => watch.requests.push(request.url()));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && watch.complaints.push(message.text()));
  page.on('pageerror', (error) => watch.complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    watch.complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return page;
}

/** The customer's own phone page. */
async function phoneOf(browser, who) {
  const context = await browser.newContext({ viewport: WIDE, locale: 'en-GB' });
  await context.addInitScript((one) => localStorage.setItem('clivy-phone', JSON.stringify({ customers: [one], contact: one.contact })), who);
  const page = await context.newPage();
  await page.goto(base);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

const aws = awsOf(base);
const received = (phone) => phone.locator('.bubble.theirs .words');
const rowOf = (page, who) => page.locator(`.row[href$="/${who.contact}"]`);
const bubbles = (page, author) => page.locator(`.bubbles .bubble.${author}`);
const view = (page, name) => page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name });

/** Follows the way from the phone page; tells how much a first load is. */
async function opens(page) {
  const sizes = [];
  const count = async (response) => sizes.push(['document', 'script', 'stylesheet', 'image'].includes(response.request().resourceType())
    ? (await response.body().catch(() => Buffer.alloc(0))).length : 0);
  page.on('response', count);
  await page.goto(`${base}/demo/inbox`);
  await page.getByLabel('Search name or number').waitFor();
  await page.getByRole('list', { name: 'Conversations' }).waitFor({ state: 'attached' });
  await page.waitForLoadState('load');
  page.off('response', count);
  const bytes = sizes.reduce((sum, one) => sum + one, 0);
  assert.ok(bytes > 10_000 && bytes <= FIRST_LOAD, `a first load is ${bytes} bytes`);
  console.log(`inbox: a first load is ${bytes} bytes`);
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script can read the session');
  return new URL(page.url()).origin;
}

/** A customer writes: the list has it within two seconds, and the thread has the bot's answer with what it cost. */
async function listsAndOpens(page, phone) {
  await writes(RINA, 'Halo kak, harga Gayo Arabika berapa ya?');
  const written = Date.now();
  await rowOf(page, RINA).waitFor({ timeout: LIVE_WITHIN_MS });
  assert.ok(Date.now() - written <= LIVE_WITHIN_MS, 'live within two seconds');
  await rowOf(page, RINA).click();
  await page.getByRole('heading', { name: RINA.name }).waitFor();
  await bubbles(page, 'bot').first().waitFor({ timeout: ANSWER_WITHIN_MS });
  assert.match(await bubbles(page, 'bot').first().textContent(), /68\.000/);
  await bubbles(page, 'bot').first().locator('.turn summary').click();
  for (const name of ['Model', 'Cost', 'Tokens', 'Attempts', 'Latency']) await page.locator('.turn dt', { hasText: name }).waitFor();
  await received(phone).first().waitFor();
  await rowOf(page, RINA).locator('.unread').waitFor({ state: 'detached' });
}

/** What a person sends reaches the customer once, also when the answer to the request gets lost. */
async function answersAsAPerson(page, phone) {
  const text = `Halo Kak Rina, saya Sari dari ${SHOP}. Saya bantu langsung ya 🙏`;
  let lost = 0;
  await page.route('**/messages', async (route) => {
    if (route.request().method() !== 'POST' || lost > 0) return route.fallback();
    lost += 1;
    await route.fetch();
    return route.abort();
  });
  await page.getByLabel('Your answer').fill(text);
  await page.getByLabel('Your answer').press('Enter');
  await bubbles(page, 'person').filter({ hasText: 'saya Sari' }).first().waitFor();
  await page.locator('.bubble.person[data-delivery="sent"]', { hasText: 'saya Sari' }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.waitForTimeout(QUIET_MS);
  await page.unroute('**/messages');
  assert.equal(lost, 1, 'one answer was lost');
  assert.equal(await bubbles(page, 'person').count(), 1, 'one message in the thread');
  assert.equal(await received(phone).filter({ hasText: 'saya Sari' }).count(), 1, 'one message on the phone');
  await page.locator('.banner.warn', { hasText: /silent until/ }).waitFor();
}

async function staysSilentThenAnswers(page, phone) {
  const before = await received(phone).count();
  await writes(RINA, 'Oke kak, ditunggu');
  await bubbles(page, 'customer').filter({ hasText: 'ditunggu' }).waitFor({ timeout: LIVE_WITHIN_MS + 1_000 });
  await page.waitForTimeout(QUIET_MS);
  assert.equal(await received(phone).count(), before, 'the bot is silent');
  await page.getByRole('button', { name: 'Resume bot' }).click();
  await page.locator('.banner.warn').waitFor({ state: 'detached' });
  await writes(RINA, 'Ongkir ke Jabodetabek berapa?');
  await received(phone).filter({ hasText: '14.000' }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.getByLabel('Pause the bot').click();
  await page.getByRole('button', { name: '2 hours' }).click();
  await page.locator('.banner.warn').waitFor();
  const paused = await received(phone).count();
  await writes(RINA, 'Buka jam berapa hari Minggu?');
  await page.waitForTimeout(QUIET_MS);
  assert.equal(await received(phone).count(), paused, 'silent again');
  await page.getByRole('button', { name: 'Resume bot' }).click();
  await page.locator('.banner.warn').waitFor({ state: 'detached' });
  // No person has written since: what was asked meanwhile is still the bot's to answer.
  await received(phone).filter({ hasText: '17.00' }).waitFor({ timeout: ANSWER_WITHIN_MS });
}

/** A customer writes, and the model refuses the call. */
async function failsFor(who, text) {
  await post('/demo/faults', { target: 'model', fault: 'invalid_key', calls: 1 });
  await writes(who, text);
}

/** A turn that failed is found, looked into, and answered. */
async function retries(page) {
  await failsFor(AGUS, 'Bisa bayar pakai QRIS?');
  await view(page, /Failed/).click();
  const row = page.locator(`.row[href*="/turns/${AGUS.contact}"]`);
  await row.waitFor({ timeout: ANSWER_WITHIN_MS });
  await row.click();
  await page.locator('.quotes').getByText('Bisa bayar pakai QRIS?').waitFor();
  await page.getByRole('button', { name: 'With the same model' }).click();
  await page.locator('.toast', { hasText: 'The bot tries again' }).waitFor();
  await row.waitFor({ state: 'detached', timeout: ANSWER_WITHIN_MS });
  await page.getByRole('link', { name: 'Open chat' }).click();
  await bubbles(page, 'bot').filter({ hasText: 'QRIS' }).waitFor({ timeout: ANSWER_WITHIN_MS });
}

/** A document is tried unsaved, saved, and the next answer to a customer says what it says now. */
async function edits(page) {
  await view(page, 'Documents').click();
  await page.locator('.row', { hasText: 'Daftar harga' }).click();
  const text = page.getByLabel('Text', { exact: true });
  await text.fill((await text.inputValue()).replace('68.000', '69.500'));
  await page.getByRole('textbox', { name: 'Question' }).fill('Harga Gayo Arabika berapa?');
  await page.getByLabel(/side by side/).check();
  await page.getByRole('button', { name: 'Ask the bot' }).click();
  await page.locator('.answer', { hasText: 'With your changes' }).filter({ hasText: '69.500' }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.locator('.answer', { hasText: 'As saved' }).filter({ hasText: '68.000' }).waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.toast', { hasText: 'Saved' }).waitFor();
  await page.waitForTimeout(EDIT_HEARD_WITHIN_MS);
  const putri = { name: 'Putri Ayu', contact: `62814${run}4` };
  await writes(putri, 'Harga Gayo Arabika berapa?');
  await view(page, 'Chats').click();
  await rowOf(page, putri).click();
  await bubbles(page, 'bot').filter({ hasText: '69.500' }).waitFor({ timeout: ANSWER_WITHIN_MS });
}

/** Names, bodies, documents and answers full of markup are text. */
async function textStaysText(page) {
  await view(page, 'Documents').click();
  await page.getByRole('button', { name: 'New' }).click();
  await page.getByLabel('Id', { exact: true }).fill('garansi');
  await page.getByLabel('Title').fill(`Garansi ${NASTY}`);
  await page.getByLabel('Text', { exact: true }).fill(`Garansi kesegaran 14 hari. ${NASTY}`);
  await page.getByRole('textbox', { name: 'Question' }).fill('Apakah ada garansi kesegaran?');
  await page.getByRole('button', { name: 'Ask the bot' }).click();
  await page.locator('.answer .words', { hasText: 'onerror' }).waitFor({ timeout: ANSWER_WITHIN_MS });
  assert.equal(await page.locator(`.answer .words ${NO_STYLE}`).count(), 0);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.row', { hasText: 'Garansi *<b' }).waitFor();
  await writes(EVIL, NASTY);
  await view(page, 'Chats').click();
  await rowOf(page, EVIL).click();
  const words = bubbles(page, 'customer').locator('.words').first();
  await words.waitFor();
  assert.equal(await words.textContent(), NASTY);
  // A long name may be cut on its way here.
  assert.match(await page.locator('.thread-name h2').textContent(), /^Evil \*<b onclick=/);
  assert.equal(await page.locator('main img, main script, main iframe, main [onerror], main [onclick], .name *, .last a').count(), 0);
  assert.equal(await page.locator(`.words ${NO_STYLE}`).count(), 0);
  assert.equal(await words.locator('b').textContent(), '*<b onclick="window.hacked=4">tebal</b>*', 'bold, as WhatsApp shows it');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
}

/** No part of the page is wider than the screen, and nothing that a checker of accessibility finds. */
async function isUsable(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `${what}: nothing scrolls sideways`);
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const found = await page.evaluate(async () => (await window.axe.run()).violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`));
  assert.deepEqual(found, [], what);
}

/** By keyboard alone: search, the first row, the composer is named, Esc leads back. */
async function worksByKeyboard(page) {
  await page.getByLabel('Search name or number').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.keyboard.type('Rina');
  await page.waitForFunction(() => document.querySelectorAll('.rows .row').length === 1);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: RINA.name }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByText('No chat is open').waitFor();
  await page.getByLabel('Search name or number').fill('');
}

/** All is well: the badge says so, and what is behind it. */
async function showsHealth(page) {
  await clearDeadLetters(aws);
  const badge = page.getByRole('button', { name: /^Health/ });
  const ends = Date.now() + HEALTHY_WITHIN_MS;
  // The sweeper's first run, a minute after the start, is part of it.
  while ((await page.evaluate(async () => (await (await fetch('/health/detailed')).json()).status)) !== 'ok') {
    assert.ok(Date.now() < ends, 'the run is healthy');
    await page.waitForTimeout(500);
  }
  await page.reload();
  await badge.filter({ hasText: 'All good' }).click();
  const dialog = page.getByRole('dialog', { name: 'Health' });
  for (const part of ['Queue', 'Dead letters', 'Providers', 'Credits', 'Sweeper']) await dialog.locator('dt', { hasText: part }).first().waitFor();
  await isUsable(page, 'health');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
}

/** Sums and bars of the month that was written: the chart, its table and the tiles say the same. */
async function countsUsage(page) {
  await view(page, 'Usage').click();
  await page.getByLabel(/^Period/).selectOption('month');
  await page.getByText('The same as a table, per day').click();
  const rows = page.getByRole('region', { name: 'Usage in numbers' }).locator('tbody tr');
  await rows.nth(29).waitFor();
  assert.equal(await rows.count(), 30, 'a row for each day');
  const turns = await rows.locator('td:nth-child(2)').allTextContents();
  const sum = turns.reduce((all, one) => all + Number(one.replaceAll(',', '')), 0);
  const tile = await page.locator('.tiles div', { hasText: /^Turns/ }).locator('b').textContent();
  assert.equal(Number(tile.replaceAll(',', '')), sum, 'the tile is the sum of the days');
  for (const name of ['Cost per day', 'Turns per day']) await page.getByRole('img', { name: new RegExp(`^${name}`) }).waitFor();
  await page.getByLabel(/^Period/).selectOption('today');
  await page.getByRole('img', { name: /^Turns per hour/ }).waitFor();
}

async function pictures(page) {
  const chat = `#/demo/chats/${MAYA.contact}`;
  const go = async (hash, size, ready) => {
    await page.setViewportSize(size);
    await page.evaluate((where) => { location.hash = where; }, hash);
    await page.locator(ready).first().waitFor();
    await page.evaluate(() => document.querySelectorAll('.toast').forEach((toast) => toast.remove()));
    await page.mouse.move(0, 0);
    await page.waitForFunction(() => !document.querySelector('.skeleton'));
  };
  const take = async (name) => {
    await isUsable(page, name);
    await page.screenshot({ path: join(folder, `${name}.png`) });
  };
  await seed(writes, page, aws);
  await seedTakeover(writes, page, aws);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    const suffix = scheme === 'dark' ? '-dark' : '';
    await go(chat, WIDE, '.bubble.person[data-delivery="sent"]');
    await take(`inbox-desktop${suffix}`);
    await go('#/demo/chats', NARROW, '.row');
    await take(`inbox-mobile${suffix}`);
    await go(chat, NARROW, '.bubble.person[data-delivery="sent"]');
    await take(`inbox-mobile-thread${suffix}`);
    await go('#/demo/usage/month', WIDE, '.tiles');
    await take(`inbox-usage${suffix}`);
    await go('#/demo/settings', WIDE, 'fieldset');
    await page.getByRole('textbox', { name: 'Question' }).fill('Kak, ongkir ke Jabodetabek berapa?');
    await page.getByRole('button', { name: 'Ask the bot' }).click();
    await page.locator('.answer').waitFor({ timeout: ANSWER_WITHIN_MS });
    await take(`inbox-bot${suffix}`);
    for (const [hash, ready] of [['#/demo/turns', '.empty'], ['#/demo/documents', '.row'], ['#/demo/keys', 'table']]) {
      await go(hash, WIDE, ready);
      await isUsable(page, `${hash} ${scheme}`);
    }
    for (const [hash, ready] of [['#/demo/usage/month', '.tiles'], ['#/demo/settings', 'fieldset'], ['#/demo/keys', 'table']]) {
      await go(hash, NARROW, ready);
      await isUsable(page, `${hash} ${scheme}, narrow`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await failsFor(YOGA, 'Kak, Toraja Arabika 500 g masih ada?');
  await go('#/demo/turns', WIDE, '.row');
  await page.locator(`.row[href*="/turns/${YOGA.contact}"]`).click();
  await page.getByRole('button', { name: 'With the same model' }).waitFor();
  await take('inbox-failed');
  await page.emulateMedia({ colorScheme: 'dark' });
  await isUsable(page, 'a failed turn, dark');
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Out, and a key that opens nothing stays outside. */
async function signsOut(page) {
  await page.getByLabel('Account and display').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').fill('clivy_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('does not open anything').waitFor();
}

const profile = await mkdtemp(join(tmpdir(), 'clivy-inbox-'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS, env: { ...process.env, HOME: profile },
});
try {
  const watch = { requests: [], complaints: [] };
  const context = await browser.newContext({ viewport: WIDE, locale: 'en-GB', timezoneId: 'Asia/Jakarta' });
  const page = await watched(context, watch);
  const origin = await opens(page);
  const phone = await phoneOf(browser, RINA);
  const scenes = [
    ['lists and opens', () => listsAndOpens(page, phone)], ['answers as a person', () => answersAsAPerson(page, phone)],
    ['pauses and resumes', () => staysSilentThenAnswers(page, phone)], ['retries', () => retries(page)], ['edits', () => edits(page)],
    ['health', () => showsHealth(page)], ['settings', () => savesSettings(page, view)],
    ['usage', async () => { await fillUsage(aws); await countsUsage(page); }], ['pictures', () => pictures(page)],
    ['keyboard', async () => { await page.setViewportSize(WIDE); await view(page, 'Chats').click(); await worksByKeyboard(page); }],
    ['text stays text', () => textStaysText(page)],
  ];
  for (const [name, scene] of scenes) {
    try {
      await scene();
    } catch (error) {
      await page.screenshot({ path: join(tmpdir(), 'inbox-failed.png') });
      throw new Error(`${name}: ${watch.complaints.join('\n')}`, { cause: error });
    }
    console.log(`inbox: ${name}`);
  }
  // The one request that was made to fail says so in the console.
  const complaints = watch.complaints.filter((text) => !/net::ERR_FAILED/.test(text));
  assert.deepEqual(complaints, [], 'the console is clean');
  const strangers = watch.requests.filter((url) => ![origin, new URL(base).origin].includes(new URL(url).origin) && !url.startsWith('data:'));
  assert.deepEqual(strangers, [], 'no request left the host');
  await signsOut(page);
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
