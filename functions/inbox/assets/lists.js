// How lists change: what a poll brings, what a person has just sent, how often to ask. Pure: no DOM, no clock.

/** The list when its first page was read again: further pages stay, and nothing is there twice. */
export function mergeFirst(page, known) {
  const last = page.items.at(-1);
  // What was below the page's end before; all of it when the page is empty and says that there is more.
  const below = page.next === null ? [] : known.items.filter((one) => !last || one.active_at < last.active_at
    || (one.active_at === last.active_at && one.contact !== last.contact));
  const fresh = new Set(page.items.map((one) => one.contact));
  const rest = below.filter((one) => !fresh.has(one.contact));
  return { items: [...page.items, ...rest], next: rest.length > 0 ? known.next : page.next };
}

/** The list with its next page. */
export function mergeNext(known, page, keyOf) {
  const seen = new Set(known.items.map(keyOf));
  return { items: [...known.items, ...page.items.filter((one) => !seen.has(keyOf(one)))], next: page.next };
}

/** Newest messages and those known before, in the order of a conversation: oldest first. */
export function mergeMessages(fresh, known) {
  const all = new Map(known.map((message) => [message.id, message]));
  for (const message of fresh) all.set(message.id, message);
  return [...all.values()].sort((a, b) => compare(a.at, b.at) || compare(a.received_at, b.received_at) || compare(a.mid, b.mid));
}
const compare = (a, b) => (a < b ? -1 : Number(a > b));

/**
 * The messages of a person that are not in the history yet. The answer to a request may be later than the poll that brings
 * its message, or lost: then a new message with the same words is the one that was sent.
 */
export function stillSending(outbox, messages) {
  const taken = new Set(outbox.map((sent) => sent.messageId).filter(Boolean));
  return outbox.filter((sent) => {
    if (sent.messageId) return !messages.some((message) => message.id === sent.messageId);
    const same = messages.find((message) => message.author === 'person' && message.text.trim() === sent.text.trim()
      && !sent.before.has(message.id) && !taken.has(message.id));
    if (same) taken.add(same.id);
    return !same;
  });
}

/** Milliseconds to the next look: often while it is seen, seldom while it is hidden, ever more seldom when nothing answers. */
export function nextLook({ every, hidden, failures }) {
  const calm = hidden ? Math.max(every, 15_000) : every;
  return failures === 0 ? calm : Math.max(calm, Math.min(every * 2 ** failures, 30_000));
}

/** Conversations that have become more unread, for whoever listens to the page. */
export function arrivals(before, after) {
  const known = new Map(before.map((one) => [one.contact, one]));
  return after.filter((one) => one.unread > 0 && one.last?.author === 'customer'
    && one.unread > (known.get(one.contact)?.unread ?? 0));
}

/** The title of the page. */
export const titleOf = (items) => {
  const unread = items.filter((one) => one.unread > 0).length;
  return unread > 0 ? `(${unread}) Clivy` : 'Clivy';
};

/** A chart's top: the first of 1, 2, 2.5, 5 times a power of ten that holds the largest value. */
export function niceTop(values) {
  const largest = Math.max(0, ...values);
  if (largest === 0) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((top) => top >= largest * 0.999999) ?? 10 * power;
}
