// Customers of the demo shop, so that the pictures of the inbox show a day of work.

export const SHOP = 'Kopi Sore';

const CUSTOMERS = [
  ['Budi Santoso', ['Ongkir ke Jabodetabek berapa kak?']], ['Dewi Lestari', ['Bisa bayar pakai QRIS?']],
  ['Joko Susilo', ['Halo kak', 'Kintamani Arabika masih ada?', 'Harganya berapa?']], ['Siti Nurhaliza', ['Buka jam berapa hari Minggu?']],
  ['Hendra Gunawan', ['Kalau kirim ke luar Jawa berapa hari ya?']], ['Maya Sari', ['Paket hemat 5 botol harganya berapa?']],
  ['Fitri Handayani', ['Alamat tokonya di mana kak?']], ['Andi Wijaya', ['Lampung Robusta berapa harganya?']],
  ['Bagus Setiawan', ['Ada gratis ongkir gak kak?']], ['Putri Maharani', ['Cold brew bisa dikirim ke Jakarta?']],
];
const SETTLES_MS = 9_000;

/** Everybody writes, and is answered. */
export async function seed(writes, run) {
  for (const [place, [name, texts]] of CUSTOMERS.entries()) {
    for (const text of texts) await writes({ name, contact: `6285${run}${String(place).padStart(2, '0')}` }, text);
  }
  await new Promise((resolve) => { setTimeout(resolve, SETTLES_MS); });
}

const DAYS = 6;
const DAY_MS = 86_400_000;

/** Gives the six days before today the counts of today's hours, more or less, by the run's own DynamoDB endpoint. */
export async function fillUsage(base) {
  const call = async (operation, body) => {
    const response = await fetch(base, { method: 'POST', body: JSON.stringify({ TableName: 'clivy', ...body }), headers: {
      'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    } });
    if (!response.ok) throw new Error(`${operation}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const at = (time) => {
    const day = new Date(time).toISOString();
    return { pk: `U#demo#${day.slice(0, 4)}${day.slice(5, 7)}`, sk: `D#${day.slice(8, 10)}#H#` };
  };
  const today = at(Date.now());
  const { Items: hours = [] } = await call('Query', {
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)', ExpressionAttributeValues: { ':pk': { S: today.pk }, ':sk': { S: today.sk } },
  });
  for (let back = 1; back <= DAYS; back += 1) {
    const day = at(Date.now() - back * DAY_MS);
    const times = [3, 5, 4, 6, 2, 4][back - 1];
    for (const hour of hours) {
      const scaled = Object.entries(hour).map(([name, value]) => [name, 'N' in value && !/^(ttl|expires)/.test(name) ? { N: String(Number(value.N) * times) } : value]);
      const sk = `${day.sk}${hour.sk.S.slice(today.sk.length)}`;
      await call('PutItem', { Item: { ...Object.fromEntries(scaled), pk: { S: day.pk }, sk: { S: sk } } });
    }
  }
}
