// The API. The session is a cookie that this script cannot read; a refused one shows the login again.

const PATIENCE_MS = 20_000;
/** A model may take its time. */
export const MODEL_PATIENCE_MS = 90_000;

/** A problem as the API tells it, or as the network does: then the status is 0. */
export class Problem extends Error {
  constructor(status, { title, detail } = {}) {
    super(title ?? `HTTP ${status}`);
    this.status = status;
    this.title = title ?? 'The server could not be reached';
    this.detail = detail ?? null;
  }

  /** Nobody can say whether the request was heard: to repeat it is right. */
  get isUnknown() {
    return this.status === 0 || this.status >= 500;
  }
}

let signedOut = () => {};
/** Says what to do when there is no session (any more). */
export const onSignedOut = (act) => { signedOut = act; };

/** A path of the API; its parts are encoded. `query`: what is empty is left out. */
export function path(parts, query = {}) {
  const set = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(set).toString();
  return `/api/${parts.map(encodeURIComponent).join('/')}${text && `?${text}`}`;
}

async function ask(method, url, { body, headers = {}, patience = PATIENCE_MS } = {}) {
  try {
    return await fetch(url, {
      method, headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin',
      // The page compares ETags itself.
      cache: 'no-store', signal: AbortSignal.timeout(patience),
    });
  } catch {
    throw new Problem(0, { detail: 'Check the connection; nothing is lost here.' });
  }
}

async function read(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Problem(response.ok ? 0 : response.status, { title: 'The answer could not be read' });
  }
}

async function done(response, { login = true } = {}) {
  if (response.ok) return response;
  const problem = new Problem(response.status, await read(response).catch(() => ({ title: `The server answered ${response.status}` })));
  if (response.status === 401 && login) signedOut();
  throw problem;
}

export const get = async (url, options) => read(await done(await ask('GET', url, options), options));
export const post = async (url, body, options) => read(await done(await ask('POST', url, { body, ...options }), options));
export const remove = async (url, options) => read(await done(await ask('DELETE', url, options), options));

/** Something with its version: `{etag, data}`. */
export async function versioned(url) {
  const response = await done(await ask('GET', url));
  return { etag: response.headers.get('etag'), data: await read(response) };
}

/** Puts something that nobody else has changed meanwhile. */
export async function put(url, body, etag = null) {
  const response = await done(await ask('PUT', url, { body, headers: etag ? { 'if-match': etag } : {} }));
  return { etag: response.headers.get('etag'), data: await read(response) };
}

/** Looks again at something: `null` while it is what it was. The ETag is kept in `memory`. */
export async function look(url, memory) {
  const known = memory.url === url && memory.etag;
  const response = await ask('GET', url, { headers: known ? { 'if-none-match': memory.etag } : {} });
  if (response.status === 304) return null;
  await done(response);
  const data = await read(response);
  Object.assign(memory, { url, etag: response.headers.get('etag') });
  return data;
}
