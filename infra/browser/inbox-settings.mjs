// The scenes of a bot's settings.

import assert from 'node:assert/strict';

const clock = (at, timeZone) => new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }).format(new Date(at));

/** The times of a chat are those of the zone. */
async function showsTimesOf(page, view, zone) {
  await view(page, 'Chats').click();
  await page.locator('a.row').first().click();
  const time = page.locator('.bubbles .bubble time').last();
  await time.waitFor();
  const at = await time.getAttribute('datetime');
  assert.equal(await time.textContent(), clock(at, zone));
}

/** A bot's settings are saved, are there after a reload, and are taken back from the versions. */
export async function savesSettings(page, view) {
  await showsTimesOf(page, view, 'Asia/Jakarta');
  await view(page, 'Bot').click();
  const fallback = page.getByLabel('Fallback text');
  const before = await fallback.inputValue();
  await fallback.fill('Maaf Kak, mohon tunggu sebentar ya.');
  await page.getByLabel('Time zone').selectOption('Asia/Jayapura');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.toast', { hasText: 'Saved' }).waitFor();
  await page.getByText('demo · version 2').waitFor();
  await showsTimesOf(page, view, 'Asia/Jayapura');
  await page.reload();
  await view(page, 'Bot').click();
  await fallback.waitFor();
  assert.equal(await fallback.inputValue(), 'Maaf Kak, mohon tunggu sebentar ya.');
  assert.equal(await page.getByLabel('Time zone').inputValue(), 'Asia/Jayapura');
  await page.getByRole('button', { name: 'Versions' }).click();
  const old = page.getByRole('dialog').locator('li', { hasText: 'Version 1' });
  await old.getByRole('button', { name: 'Restore' }).click();
  await page.getByText('demo · version 3').waitFor();
  assert.equal(await fallback.inputValue(), before);
  await showsTimesOf(page, view, 'Asia/Jakarta');
}
