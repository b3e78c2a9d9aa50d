// Writes three bubbles in the phone page as a customer and checks what a customer and a newcomer see: one answer, and a
// timeline with one burst of three and one commit. Then takes the pictures for the README, and breaks things with the
// fault panel: a failed attempt that heals, a lost answer of the gateway, an open breaker.
// usage: node phone.mjs BASE_URL OUTPUT_FOLDER NAME_DESKTOP NAME_MOBILE

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [base, folder, desktopName, mobileName] = process.argv.slice(2);
if (!mobileName) throw new Error('usage: node phone.mjs BASE_URL OUTPUT_FOLDER NAME_DESKTOP NAME_MOBILE');

const BUBBLES = ['Halo', 'Saya mau', 'pesan produk'];
const ANSWER_WITHIN_MS = 30_000;
// The first backoff is 30 s at most, and an answer comes after it.
const HEALS_WITHIN_MS = 60_000;
// Longer than the debounce and an answer: a second answer would have come by then.
const QUIET_MS = 6_000;
const WIDE = { width: 1280, height: 800 };
const TALL = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };
const ARGUMENTS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** A page of a fresh customer, whose requests and complaints are watched. */
async function customer(browser, watch, name, contact, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, locale: 'en-GB', timezoneId: 'Asia/Jakarta', ...options });
  await context.addInitScript((who) => {
    localStorage.setItem('clivy-phone', JSON.stringify({ customers: [who], contact: who.contact }));
  }, { name, contact });
  const page = await context.newPage();
  page.on('request', (request) => watch.requests.push(request.url()));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && watch.complaints.push(message.text()));
  page.on('pageerror', (error) => watch.complaints.push(String(error)));
  await page.goto(base);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

async function write(page, text) {
  await page.getByLabel('Your message').fill(text);
  await page.getByLabel('Your message').press('Enter');
}

const answers = (page) => page.locator('.bubble.theirs');
const committed = (page) => page.locator('.step[data-step="committed"]');

/** Three bubbles, one answer, and a timeline that says so. */
async function oneBurstOneAnswer(page) {
  for (const text of BUBBLES) await write(page, text);
  assert.deepEqual(await page.locator('.bubble.mine .words').allTextContents(), BUBBLES);
  await page.getByText(/^Trigger (due in|is due)/).waitFor();
  await answers(page).first().waitFor({ timeout: ANSWER_WITHIN_MS });
  await committed(page).first().waitFor();
  await page.waitForTimeout(QUIET_MS);
  assert.equal(await answers(page).count(), 1, 'exactly one answer');
  assert.equal(await committed(page).count(), 1, 'exactly one commit');
  assert.equal(await page.locator('.step[data-step="stored"]').count(), BUBBLES.length);
  assert.equal(await page.getByText('Claimed as one burst of 3').count(), 1);
  assert.equal(await page.getByRole('heading', { name: 'Burst of 3 bubbles' }).count(), 1);
  assert.equal(await page.locator('.tick[data-state="read"]').count(), BUBBLES.length, 'all three are read');
  assert.equal(await page.locator('.burst dd').count(), 4, 'duration, model, tokens and cost of the answer');
}

/** A reload shows the same conversation again. */
async function survivesReload(page) {
  const before = await page.locator('.bubble .words').allTextContents();
  await page.reload();
  await answers(page).first().waitFor();
  assert.deepEqual(await page.locator('.bubble .words').allTextContents(), before);
  assert.equal(await committed(page).count(), 1);
}

/** What a customer types is text, whatever it looks like. */
async function textStaysText(page) {
  const nasty = '<img src=x onerror="document.title=1"><script>document.title=2</script> *x*';
  await write(page, nasty);
  await page.locator('.tick[data-state="sending"]').first().waitFor({ state: 'detached' });
  const last = page.locator('.bubble.mine .words').last();
  assert.equal(await last.textContent(), nasty);
  assert.equal(await last.locator('*').count(), 0);
  assert.match(await page.title(), /Clivy/);
}

/** Another customer has a chat of their own. */
async function anotherCustomer(page) {
  await page.getByRole('button', { name: 'Write as another customer' }).click();
  await page.getByLabel('Name').fill('Dewi');
  await page.getByRole('button', { name: 'Start chat' }).click();
  await page.locator('.bubble').first().waitFor({ state: 'detached' });
  assert.match(await page.locator('#customer option:checked').textContent(), /^Dewi/);
}

/** No part of the page is wider than the screen. */
async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, 'nothing scrolls sideways');
}

const SCHEMES = ['light', 'dark'];

function named(name, scheme) {
  return join(folder, scheme === 'light' ? name : name.replace(/(\.png)?$/, '-dark.png'));
}

async function pictures(page, { wide, narrow }) {
  for (const scheme of SCHEMES) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize(WIDE);
    await fits(page);
    await page.screenshot({ path: named(wide, scheme) });
    await page.setViewportSize(NARROW);
    await fits(page);
    await page.screenshot({ path: named(narrow, scheme) });
    await page.getByRole('tab', { name: /inside/ }).click();
    await fits(page);
    await page.screenshot({ path: named(narrow.replace(/(\.png)?$/, '-inside.png'), scheme) });
    await page.getByRole('tab', { name: 'Chat' }).click();
  }
  await page.setViewportSize(WIDE);
}

// The fault panel.

const pressed = '.faults-pill[aria-pressed="true"]';
const pill = (page, name) => page.getByRole('button', { name: new RegExp(`^${name}`) }).and(page.locator('.faults-pill'));
/** The card of the newest burst. */
const newest = (page) => page.locator('.burst').first();
const panelState = async () => (await fetch(`${base}/demo/faults`)).json();

async function openPanel(page) {
  await page.getByRole('button', { name: 'Break something' }).click();
  assert.equal(await page.locator('.faults-pill').count(), 10, 'eight faults of the model, two of the gateway');
}

async function arm(page, name, calls) {
  await page.getByLabel('How many calls meet the fault').fill(String(calls));
  await pill(page, name).click();
  await pill(page, name).and(page.locator(pressed)).waitFor();
}

/** Nothing of the scenes before is on its way: it would meet the faults. */
async function quiet(page) {
  for (const gauge of ['delayed', 'visible', 'in_flight']) {
    await page.locator(`.gauge-${gauge} dd`, { hasText: /^0$/ }).waitFor({ timeout: ANSWER_WITHIN_MS });
  }
}

/** Armed, shown, and cleared with one click; by keyboard too. */
async function armsAndClears(page) {
  await openPanel(page);
  await arm(page, 'Timeout', 3);
  await arm(page, 'Loses the answer', 2);
  await page.getByText('Model: Timeout, 3 calls left').waitFor();
  await page.getByText('Gateway: Loses the answer, 2 calls left').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.locator('.faults-chip').first().waitFor({ state: 'detached' });
  assert.equal(await page.locator(pressed).count(), 0);
  assert.equal((await panelState()).model.armed, null);
  await page.getByLabel('How many calls meet the fault').fill('0');
  await pill(page, '500').click();
  assert.equal((await panelState()).model.armed, null, 'zero calls arm nothing');
  await page.getByLabel('How many calls meet the fault').fill('7');
  await pill(page, 'Empty answer').focus();
  await page.keyboard.press('Enter');
  await page.getByText('Model: Empty answer, 7 calls left').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.faults-chip').first().waitFor({ state: 'detached' });
}

/** One failed attempt is seen, counted and healed by the next one. */
async function failsOnceAndHeals(page) {
  const answered = await answers(page).count();
  await arm(page, 'Empty answer', 1);
  await write(page, 'Buka jam berapa?');
  await page.getByText('Model failed · attempt 1').waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.getByText('the model answered without a text').waitFor();
  assert.equal(await page.locator(pressed).count(), 0, 'the one call is used up');
  await page.getByText(/closed · 1 of \d+ failed/).waitFor();
  await page.getByText(/^Next attempt (due in|is due)/).waitFor();
  assert.equal(await answers(page).count(), answered, 'the customer sees nothing of it');
  await newest(page).locator('[data-step="committed"]').waitFor({ timeout: HEALS_WITHIN_MS });
  assert.equal(await answers(page).count(), answered + 1);
  await page.locator('.gauge-breaker dd', { hasText: /^closed$/ }).waitFor();
}

/** The gateway's answer is lost: the same id again, and one message. */
async function losesTheAnswer(page) {
  const answered = await answers(page).count();
  await arm(page, 'Loses the answer', 1);
  await write(page, 'Ongkirnya berapa?');
  await newest(page).getByText('Collecting bubbles').waitFor();
  await newest(page).locator('[data-step="committed"]').waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.getByText('Demo gateway: sent it, but its answer is lost').waitFor();
  await page.getByText('Demo gateway: knows this id').waitFor();
  assert.equal(await answers(page).count(), answered + 1, 'shown once');
}

/** A key that is not accepted, for as many customers as it takes: the breaker opens, and the next burst waits for it. */
async function opensTheBreaker(page) {
  const { pace } = await panelState();
  await arm(page, 'Invalid key', pace.breaker_failures);
  const bot = await page.locator('#bot').inputValue();
  for (let other = 1; other < pace.breaker_failures; other += 1) {
    const contact = `62812${String(Date.now()).slice(-7)}${other}`;
    const body = JSON.stringify({ bot, contact, name: 'Budi', text: 'Halo' });
    await fetch(`${base}/phone/messages`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  }
  await write(page, 'Halo');
  await newest(page).getByText('Fallback sent').waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.locator('.gauge-breaker dd', { hasText: /^open until \d/ }).waitFor({ timeout: ANSWER_WITHIN_MS });
  await page.locator('.step[data-step="breaker_open"]', { hasText: 'Breaker opens' }).waitFor({ state: 'attached' });
  await arm(page, '500', 3);
  await write(page, 'kopi gayo berapa ya?');
  await newest(page).getByText('Waits for the breaker').waitFor({ timeout: ANSWER_WITHIN_MS });
  await newest(page).getByText('Waiting for the breaker').waitFor();
  await newest(page).getByText(/^Next attempt due in/).waitFor();
}

async function faultPictures(page, { wide, narrow }) {
  for (const scheme of SCHEMES) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.setViewportSize(TALL);
    await fits(page);
    await page.screenshot({ path: named(wide, scheme) });
    await page.setViewportSize(NARROW);
    await page.getByRole('tab', { name: /inside/ }).click();
    await fits(page);
    await page.screenshot({ path: named(narrow, scheme) });
    await page.getByRole('tab', { name: 'Chat' }).click();
  }
  await page.setViewportSize(WIDE);
}

/** One click opens the inbox, as an owner: the browser keeps its Secure cookie on this machine's plain HTTP. */
async function intoTheInbox(browser) {
  for (const host of ['127.0.0.1', 'localhost']) {
    const here = new URL(base);
    here.hostname = host;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(here.href);
    await page.getByRole('link', { name: 'Inbox' }).click();
    await page.waitForURL((url) => url.hostname === host && url.port !== here.port);
    const answer = await page.goto(new URL('/api/session', page.url()).href);
    assert.equal((await answer.json()).role, 'owner');
    const made = await page.evaluate(async () => (await fetch('/api/keys', {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name": "browser", "role": "viewer"}',
    })).status);
    assert.equal(made, 201, 'the page of the inbox may change something');
    const [cookie] = await context.cookies();
    assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite], [true, true, 'Strict']);
    // Another port is the same site, but not the same page. Its scripts get nothing out of the inbox.
    const inbox = new URL(page.url()).origin;
    await page.goto(here.href);
    const read = await page.evaluate((url) => fetch(url, { credentials: 'include' }).then(() => 'read', () => 'refused'), `${inbox}/api/keys`);
    assert.equal(read, 'refused');
    await context.close();
  }
}

const profile = await mkdtemp(join(tmpdir(), 'clivy-browser-'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ARGUMENTS,
  env: { ...process.env, HOME: profile },
});
try {
  const watch = { requests: [], complaints: [] };
  // A number of this run: the server may know other runs' customers.
  const page = await customer(browser, watch, 'Rina Wulandari', `62811${String(Date.now()).slice(-8)}`);
  await oneBurstOneAnswer(page);
  await survivesReload(page);
  await pictures(page, { wide: desktopName, narrow: mobileName });
  await textStaysText(page);
  await anotherCustomer(page);
  const breaks = await customer(browser, watch, 'Sari Dewi', `62813${String(Date.now()).slice(-8)}`);
  await quiet(breaks);
  await armsAndClears(breaks);
  await failsOnceAndHeals(breaks);
  await losesTheAnswer(breaks);
  await opensTheBreaker(breaks);
  await faultPictures(breaks, { wide: 'phone-faults.png', narrow: 'phone-faults-mobile.png' });
  await breaks.getByRole('button', { name: 'Clear' }).click();
  await intoTheInbox(browser);
  const origin = new URL(base).origin;
  const strangers = watch.requests.filter((url) => new URL(url).origin !== origin && !url.startsWith('data:'));
  assert.deepEqual(strangers, [], 'no request left the origin');
  assert.deepEqual(watch.complaints, [], 'the console is clean');
  console.log('phone page: three bubbles, one burst, one answer; faults are seen and heal');
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
