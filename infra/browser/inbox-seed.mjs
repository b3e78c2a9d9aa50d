// A shop's day, so that the pictures of the inbox show one: customers, what they wrote, when, and a month of usage.

import assert from 'node:assert/strict';

export const SHOP = 'Kopi Sore';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const ANSWERED_WITHIN_MS = 60_000;

/** `[name, minutes ago, what they wrote, what of it]`; the newest is the last to be shown above the others. */
const CUSTOMERS = [
  ['Budi Santoso', 3, ['Ongkir ke Jabodetabek berapa kak?'], 'unread'], ['Dewi Lestari', 11, ['Bisa bayar pakai QRIS?'], 'unread'],
  ['Joko Susilo', 26, ['Halo kak', 'Kintamani Arabika masih ada?', 'Harganya berapa?']], ['Siti Nurhaliza', 74, ['Buka jam berapa hari Minggu?']],
  ['Hendra Gunawan', 131, ['Kalau kirim ke luar Jawa berapa hari ya?'], 'paused'], ['Bagus Setiawan', 1490, ['Ada gratis ongkir gak kak?']],
  ['Fitri Handayani', 1680, ['Alamat tokonya di mana kak?']], ['Andi Wijaya', 3120, ['Lampung Robusta berapa harganya?']],
  ['Toko Berkah', 4420, ['Berhenti'], 'opted out'], ['Putri Maharani', 9100, ['Cold brew bisa dikirim ke Jakarta?']],
];
export const MAYA = { name: 'Maya Sari', contact: '6281310458822' };
export const YOGA = { name: 'Yoga Prasetyo', contact: '6285721904417' };
const numberOf = (place) => `62812${String(90_417_733 + place * 7_919_081).slice(0, 8)}`;

/** A request of the page itself, with its session. */
export const api = (page, method, path, body = null) => page.evaluate(async ([method_, path_, body_]) => {
  const response = await fetch(`/api/bots/demo/${path_}`, { method: method_, ...(body_ && { body: JSON.stringify(body_), headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() } }) });
  if (!response.ok) throw new Error(`${method_} ${path_}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? null : response.json();
}, [method, path, body]);

/** Waits until a conversation is as `isSo` says, and nothing of it is on its way. */
async function settled(page, contact, isSo) {
  const ends = Date.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    const { items } = await api(page, 'GET', `conversations?q=${contact}`);
    if (items[0] && isSo(items[0]) && (await api(page, 'GET', `conversations/${contact}`)).state === 'idle') {
      const messages = await api(page, 'GET', `conversations/${contact}/messages`);
      if (messages.items.every((one) => one.delivery !== 'sending')) return;
    }
    assert.ok(Date.now() < ends, `the conversation of ${contact} has not settled`);
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
}
const isAnswered = (one) => one.last?.author === 'bot';

/** Everybody writes, and is answered; then it was earlier. */
export async function seed(writes, page, aws) {
  for (const [place, [name, , texts]] of CUSTOMERS.entries()) {
    for (const text of texts) await writes({ name, contact: numberOf(place) }, text);
  }
  for (const [place, [, minutes, , what]] of CUSTOMERS.entries()) {
    const contact = numberOf(place);
    await settled(page, contact, (one) => isAnswered(one) || one.opted_out_at);
    if (what !== 'unread') await api(page, 'POST', `conversations/${contact}/read`);
    if (what === 'paused') await api(page, 'POST', `conversations/${contact}/pause`, { minutes: null });
    await age(aws, contact, minutes);
  }
}

/** A customer whom the bot answers, until a person does. */
export async function seedTakeover(writes, page, aws) {
  const { contact } = MAYA;
  await writes(MAYA, 'Sore kak, paket hemat 5 botol harganya berapa?');
  await settled(page, contact, isAnswered);
  await age(aws, contact, 6);
  await writes(MAYA, 'Kalau pesan 40 paket buat acara kantor hari Jumat, bisa dapat harga khusus?');
  await settled(page, contact, isAnswered);
  await age(aws, contact, 3);
  await api(page, 'POST', `conversations/${contact}/messages`, { text: `Halo Kak Maya, saya Sari dari ${SHOP} 😊 Untuk 40 paket kami kasih potongan 12%, jadi Rp 3.168.000, sudah termasuk antar ke kantor.` });
  await settled(page, contact, (one) => one.last?.author === 'person');
  await age(aws, contact, 2);
  await writes(MAYA, 'Wah, siap kak! Saya kabari tim dulu ya 🙏');
  await api(page, 'POST', `conversations/${contact}/read`);
}

/** The run's own endpoint of AWS. */
export const awsOf = (base) => async (target, body) => {
  const isTable = target.startsWith('DynamoDB');
  const response = await fetch(base, { method: 'POST', body: JSON.stringify(body), headers: {
    'content-type': 'application/x-amz-json-1.0', 'x-amz-target': target,
    authorization: `AWS4-HMAC-SHA256 Credential=local/20260101/local/${isTable ? 'dynamodb' : 'sqs'}/aws4_request, SignedHeaders=host, Signature=0`,
  } });
  if (!response.ok) throw new Error(`${target}: ${response.status} ${await response.text()}`);
  return response.json().catch(() => ({}));
};
const table = (aws, operation, body) => aws(`DynamoDB_20120810.${operation}`, { TableName: 'clivy', ...body });

/** Somebody has looked at the dead letters: they are gone. */
export async function clearDeadLetters(aws) {
  const { QueueUrls } = await aws('AmazonSQS.ListQueues', {});
  const dead = QueueUrls.filter((url) => /dlq|dead/i.test(url));
  assert.ok(dead.length > 0, QueueUrls.join(' '));
  for (const QueueUrl of dead) await aws('AmazonSQS.PurgeQueue', { QueueUrl });
}

/** Makes everything in a conversation so many minutes earlier: moments in milliseconds, also those in keys. */
async function age(aws, contact, minutes) {
  const now = Date.now();
  const earlier = (digits) => (Math.abs(Number(digits) - now) < DAY_MS ? String(Number(digits) - minutes * MINUTE_MS) : digits);
  const shift = (value, name = '') => {
    if (typeof value === 'string') return /fence/.test(name) ? value : value.replace(/(?<!\d)\d{13}(?!\d)/g, earlier);
    if (Array.isArray(value)) return value.map((one) => shift(one, name));
    return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shift(one, /^[A-Z]+$/.test(key) ? name : key)])) : value;
  };
  const { Items } = await table(aws, 'Query', { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: `C#demo#${contact}` } } });
  assert.ok(Items.length > 0, contact);
  for (const item of Items) {
    const shifted = shift(item);
    await table(aws, 'PutItem', { Item: shifted });
    if (shifted.sk.S !== item.sk.S) await table(aws, 'DeleteItem', { Key: { pk: item.pk, sk: item.sk } });
  }
}

/** A number from 0 to 1 that is always the same for the same place. */
const chance = (place) => { const x = Math.sin(place * 12.9898) * 43758.5453; return x - Math.floor(x); };

/** An hour's counters as the ledger writes them: of so many turns. */
function hourOf(turns, place) {
  const failed = chance(place + 1) > 0.93 ? 1 : 0;
  const cached = Math.round(turns * 0.12);
  const calls = turns - cached + failed;
  const buckets = [['1000', 0.42], ['1500', 0.34], ['2000', 0.16], ['3000', 0.08]].map(([bound, share]) => [bound, Math.round(calls * share)]);
  const llm = buckets.map(([bound, many]) => [`llm_le_${bound}`, many]);
  const waits = [['6000', Math.round(turns * 0.8)], ['8000', turns - Math.round(turns * 0.8)]].map(([bound, many]) => [`rt_le_${bound}`, many]);
  const contacts = Math.ceil(turns * 0.45);
  const timed = buckets.reduce((sum, [bound, many]) => sum + many * Number(bound) * 0.82, 0);
  return Object.fromEntries(Object.entries({
    conversations: contacts, new_contacts: Math.floor(contacts * 0.3), turns, messages: Math.round(turns * 1.6), answered: turns - failed, failed,
    saved_by_batching: Math.round(turns * 0.6), cache_hits: cached, tokens_saved: cached * 690, llm_calls: calls, tokens_in: calls * 702, tokens_out: calls * 54,
    tokens_cached: calls * 220, llm_latency_ms: Math.round(timed), response_ms: turns * 5_200, free_answers: Math.round(calls * 0.25),
    ...Object.fromEntries([...llm, ...waits]), ...(failed && { [chance(place + 2) > 0.5 ? 'err_timed_out' : 'err_rate_limited']: failed }),
    cost_usd: (calls * 0.00013 * (0.9 + chance(place + 3) * 0.2)).toFixed(9),
  }).filter(([, value]) => Number(value) > 0).map(([name, value]) => [name, { N: String(value) }]));
}

const OPENS_UTC = 1;
const CLOSES_UTC = 14;
/** How busy the days of the week are, Sunday first. */
const WEEK = [0.7, 0.9, 0.8, 0.95, 1.1, 1.35, 1.5];

/** Gives the month before now the counts of a small shop, hour by hour. The hour that runs is the run's own. */
export async function fillUsage(aws) {
  const thisHour = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const first = Math.floor(thisHour / DAY_MS - 29) * DAY_MS;
  for (let at = first; at < thisHour; at += HOUR_MS) {
    const time = new Date(at);
    const hour = time.getUTCHours();
    if (hour < OPENS_UTC || hour > CLOSES_UTC) continue;
    const place = at / HOUR_MS;
    const turns = Math.round(9 * WEEK[time.getUTCDay()] * (0.6 + chance(place) * 0.8));
    const [year, month, day] = time.toISOString().slice(0, 10).split('-');
    const key = { pk: { S: `U#demo#${year}${month}` }, sk: { S: `D#${day}#H#${String(hour).padStart(2, '0')}` } };
    const { Item } = await table(aws, 'GetItem', { Key: key });
    if (!Item) await table(aws, 'PutItem', { Item: { ...key, ...hourOf(turns, place) } });
  }
}
