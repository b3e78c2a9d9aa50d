// The inbox page's pure rules: money, times and names as words, and how lists change under a poll.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clock, count, dayKey, dayLabel, duration, initials, nameOf, phone, plain, relative, styled, tone, turnLine, unstyled, until, usd, words,
} from '../../functions/inbox/assets/fields.js';
import {
  arrivals, mergeFirst, mergeMessages, mergeNext, nextLook, niceTop, stillSending, titleOf,
} from '../../functions/inbox/assets/lists.js';

const JAKARTA = 'Asia/Jakarta';
const NOON = Date.parse('2025-11-20T05:00:00Z');

test('an amount of dollars has the digits that say something', () => {
  const read = [0, 0.00000002, 0.0000213, 0.000213, 0.0043, 0.0432, 0.5, 12.345, 1234.5, null, undefined, Number.NaN].map(usd);
  assert.deepEqual(read, ['$0', '<$0.000001', '$0.000021', '$0.00021', '$0.0043', '$0.043', '$0.500', '$12.35', '$1,235', '–', '–', '–']);
});

test('counts and durations stay short', () => {
  assert.deepEqual([0, 999, 1234, 12_345, 999_949, 999_960, 4_500_000, null].map(count), ['0', '999', '1,234', '12.3k', '999.9k', '1M', '4.5M', '–']);
  assert.deepEqual([0, 999, 1500, 61_000, null].map(duration), ['0 ms', '999 ms', '1.5 s', '1 min 1 s', '–']);
});

test('a time is one of the zone that was chosen, and a day begins where its midnight is', () => {
  assert.equal(clock('2025-11-19T17:30:00Z', JAKARTA), '00:30');
  assert.equal(dayKey('2025-11-19T17:30:00Z', JAKARTA), '2025-11-20');
  assert.equal(dayKey('2025-11-19T17:30:00Z', 'UTC'), '2025-11-19');
  const labels = ['2025-11-19T17:30:00Z', '2025-11-19T16:30:00Z', '2025-11-17T05:00:00Z', '2025-10-01T05:00:00Z'].map((at) => dayLabel(at, NOON, JAKARTA));
  assert.deepEqual(labels, ['Today', 'Yesterday', 'Monday', '1 Oct 2025']);
});

test('a time in a list is as short as it can be, and no time is nothing', () => {
  const read = (at) => relative(at, NOON, JAKARTA);
  assert.deepEqual(['2025-11-20T04:59:30Z', '2025-11-20T04:55:00Z', '2025-11-20T01:00:00Z', '2025-11-19T05:00:00Z', '2025-10-01T05:00:00Z'].map(read),
    ['now', '5 min', '08:00', 'Yesterday', '1 Oct']);
  assert.deepEqual([null, undefined, 'never'].map(read), ['', '', '']);
  assert.equal(until(null, NOON, JAKARTA), 'until resumed');
  assert.equal(until('2025-11-20T06:30:00Z', NOON, JAKARTA), 'until 13:30');
});

test('a number is grouped, and what is none stays what it is', () => {
  assert.equal(phone('6281120001234'), '+62 811-2000-1234');
  assert.equal(phone('84203917755120@lid'), '84203917755120@lid');
  assert.equal(nameOf({ name: '  ', contact: '6281120001234' }), '+62 811-2000-1234');
  assert.equal(nameOf({ name: 'Rina', contact: '6281120001234' }), 'Rina');
});

test('initials are letters, whatever a name is made of', () => {
  assert.deepEqual(['Rina Wulandari', 'budi', '🌸 Sari 🌸', '<img src=x>', '', null, '李 明'].map(initials), ['RW', 'B', 'S', 'IS', '?', '?', '李明']);
  assert.equal(tone('6281'), tone('6281'));
});

test('words of the API become words for people', () => {
  assert.equal(plain('left_to_person'), 'Left to person');
  assert.equal(turnLine({ model: 'google/gemini-2.5-flash', cost_usd: 0.00021, latency_ms: 1234, status: 'answered' }), 'gemini-2.5-flash · $0.00021 · 1.2 s');
  assert.equal(turnLine({ model: null, cost_usd: 0, latency_ms: null, status: 'failed' }), 'Failed · $0');
  assert.deepEqual(words(' stop, berhenti\n\n,'), ['stop', 'berhenti']);
});

const chat = (contact, active_at, more = {}) => ({ contact, active_at, unread: 0, last: { author: 'customer', text: '' }, ...more });
const contacts = (list) => list.items.map((one) => one.contact);

test('a first page that is read again moves what has moved, and keeps the pages below it', () => {
  const known = { items: [chat('a', '9'), chat('b', '8'), chat('c', '7'), chat('d', '6')], next: 'after-d' };
  const merged = mergeFirst({ items: [chat('d', '10'), chat('a', '9')], next: 'after-a' }, known);
  assert.deepEqual(contacts(merged), ['d', 'a', 'b', 'c']);
  assert.equal(merged.next, 'after-d');
});

test('a first page that is the only one is the whole list: what was erased is gone', () => {
  const known = { items: [chat('a', '9'), chat('b', '8')], next: 'after-b' };
  assert.deepEqual(mergeFirst({ items: [chat('b', '8')], next: null }, known), { items: [chat('b', '8')], next: null });
  const gone = mergeFirst({ items: [chat('a', '9'), chat('c', '7')], next: 'x' }, { items: [chat('a', '9'), chat('b', '8'), chat('c', '7')], next: 'y' });
  assert.deepEqual(contacts(gone), ['a', 'c']);
});

test('a further page adds what is not there yet', () => {
  const list = mergeNext({ items: [chat('a', '9')], next: 'x' }, { items: [chat('a', '9'), chat('b', '8')], next: null }, (one) => one.contact);
  assert.deepEqual([contacts(list), list.next], [['a', 'b'], null]);
});

const said = (id, author, text, at = id, more = {}) => ({ id, mid: id, author, text, at, received_at: at, ...more });

test('messages are in the order of the conversation, and a newer reading of one replaces it', () => {
  const merged = mergeMessages([said('3', 'bot', 'c'), said('2', 'customer', 'b', '2', { edited_at: 'x' })], [said('1', 'customer', 'a'), said('2', 'customer', 'b')]);
  assert.deepEqual(merged.map((one) => one.id), ['1', '2', '3']);
  assert.equal(merged[1].edited_at, 'x');
  const tied = mergeMessages([said('b', 'customer', '', '5', { received_at: '7' }), said('a', 'customer', '', '5', { received_at: '8' })], []);
  assert.deepEqual(tied.map((one) => one.id), ['b', 'a'], 'a tie of the platform time is broken by the arrival');
});

const sent = (key, text, more = {}) => ({ key, text, before: new Set(), messageId: null, wrong: null, ...more });

test('a sent message is shown once, whether the history or the answer comes first', () => {
  const out = sent('k', 'Halo');
  assert.deepEqual(stillSending([out], []), [out]);
  assert.deepEqual(stillSending([out], [said('1', 'person', 'Halo')]), [], 'the history came first');
  const answered = sent('k', 'Halo', { messageId: '1' });
  assert.deepEqual(stillSending([answered], []), [answered], 'the answer came first');
  assert.deepEqual(stillSending([answered], [said('1', 'person', 'Halo')]), []);
});

test('the same words twice are two messages', () => {
  const [first, second] = [sent('k1', 'Ya'), sent('k2', 'Ya')];
  assert.deepEqual(stillSending([first, second], [said('1', 'person', 'Ya')]), [second]);
  assert.deepEqual(stillSending([sent('k3', 'Ya', { before: new Set(['1']) })], [said('1', 'person', 'Ya')]).length, 1, 'older words are not these');
  assert.deepEqual(stillSending([first], [said('1', 'bot', 'Ya')]), [first], 'nor are those of somebody else');
});

test('the page looks often while it is seen, seldom while it is hidden, and ever more seldom when nothing answers', () => {
  const look = (hidden, failures) => nextLook({ every: 1500, hidden, failures });
  assert.deepEqual([look(false, 0), look(true, 0), look(false, 1), look(false, 2), look(false, 9), look(true, 1)], [1500, 15_000, 3000, 6000, 30_000, 15_000]);
});

test('who has written is announced once, and nobody for what the business has written', () => {
  const before = [chat('a', '1', { unread: 1 }), chat('b', '1')];
  assert.deepEqual(arrivals(before, [chat('a', '2', { unread: 2 }), chat('b', '1'), chat('c', '3', { unread: 1 })]).map((one) => one.contact), ['a', 'c']);
  assert.deepEqual(arrivals(before, before), []);
  assert.deepEqual(arrivals(before, [chat('b', '2', { unread: 1, last: { author: 'bot', text: '' } })]), []);
  assert.deepEqual([titleOf([]), titleOf([chat('a', '1', { unread: 4 }), chat('b', '1', { unread: 1 })])], ['Clivy', '(2) Clivy']);
});

test('a chart ends at a round number that holds every bar', () => {
  assert.deepEqual([[], [0], [3], [11], [0.0021], [100], [26]].map(niceTop), [1, 1, 5, 20, 0.0025, 100, 50]);
});

test('words are styled as WhatsApp styles them, and nothing else is', () => {
  const bold = (...parts) => ({ tag: 'b', marker: '*', parts });
  assert.deepEqual(styled('*Harga*\nGayo *68.000* ya'), [bold('Harga'), '\nGayo ', bold('68.000'), ' ya']);
  assert.deepEqual(styled('*_dua_*'), [bold({ tag: 'i', marker: '_', parts: ['dua'] })]);
  const untouched = ['', '2*3*4', 'a_b_c', '* satu * dua', '**', '*dua\nbaris*', '<b onclick=x>klik</b>', 'snake_case_', '🙏*'];
  for (const text of untouched) assert.deepEqual(styled(text), text === '' ? [] : [text], text);
  assert.equal(unstyled('*Daftar harga*\n• _Gayo_ ~70~ 68'), 'Daftar harga • Gayo 70 68');
});

test('a hostile text is styled in no time', () => {
  const began = performance.now();
  for (const text of ['_a '.repeat(22_000), '*'.repeat(65_000), '*_~a~_* '.repeat(8_000), '*a'.repeat(30_000)]) styled(text);
  assert.ok(performance.now() - began < 2_000);
});
