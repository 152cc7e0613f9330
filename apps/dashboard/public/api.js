const KEY = 'postledger.key';

/** The key lives as long as the tab; a key in the URL's fragment (never sent to a server) is taken over and wiped. */
export function takeKeyFromFragment() {
  const found = /^#(?:.*&)?key=([^&]+)/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEY, decoded(found[1]));
  history.replaceState(null, '', `${location.pathname}${location.search}#/live`);
}

/** What an address was written with; as it stands where a `%` in it begins no escape. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}

export const currentKey = () => sessionStorage.getItem(KEY);
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

/** An answer that is not 2xx, as its problem document tells it. */
class ApiError extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The api answered ${status}.`);
    this.name = 'ApiError';
    this.status = status;
    this.code = body.code;
    this.title = body.title;
    this.errors = body.errors;
  }
}

/** Said once whoever asked has drawn what it asks for. */
const keyRefused = () => queueMicrotask(() => dispatchEvent(new CustomEvent('key-refused')));

/** What a header cannot hold is no key: it is refused here as the api refuses any wrong one. */
function authorization() {
  const key = currentKey();
  if (/^[\x21-\x7e]+$/.test(key)) return { authorization: `Bearer ${key}` };
  keyRefused();
  throw new ApiError(401, { title: 'No valid API key was given.', detail: 'A key has no such characters.' });
}

/** Works on pages without a secure context too, where `crypto.randomUUID` is missing. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The last command whose answer is not known, and its Idempotency-Key: pressed again it is the same command, and has one effect. */
let unanswered = { said: undefined, key: '' };

/** Longer than the api lets anybody wait. */
const PATIENCE_MS = 60_000;

async function call(method, path, body) {
  const headers = authorization();
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  if (method !== 'GET') {
    const said = JSON.stringify([currentKey(), method, path, content]);
    if (unanswered.said !== said) unanswered = { said, key: randomId() };
    headers['idempotency-key'] = unanswered.key;
  }
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  let answer;
  try {
    response = await fetch(`/api/v1${path}`, { method, headers, ...content, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok && response.status !== 204) answer = await response.json();
  } catch (cause) {
    const hangs = cause.name === 'TimeoutError';
    throw Object.assign(new Error(hangs ? 'The api does not answer.' : 'The api cannot be reached.', { cause }), {
      title: 'No connection.',
    });
  }
  const error = response.ok ? undefined : await refusal(response);
  if (
    response.status < 500 &&
    error?.code !== 'IDEMPOTENCY_KEY_IN_USE' &&
    unanswered.key === headers['idempotency-key']
  )
    unanswered = { said: undefined, key: '' };
  if (error) throw error;
  return answer;
}

async function refusal(response) {
  if (response.status === 401) keyRefused();
  const text = await response.text();
  try {
    return new ApiError(response.status, JSON.parse(text));
  } catch (cause) {
    return new ApiError(response.status, { title: `The api answered ${response.status}.`, detail: cause.message });
  }
}

/** Filters as the query of an address; those without a value are left out. */
export const query = (filters) => {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

export const api = {
  get: (path, filters = {}) => call('GET', path + query(filters)),
  post: (path, body = {}) => call('POST', path, body),
  delete: (path) => call('DELETE', path),
};

/** Health is at the root and needs no key; 503 is an answer too. */
export async function health() {
  const response = await fetch('/health/ready');
  return response.json();
}

/**
 * Follows the live stream for ever: `EventSource` cannot send a key, so this reads the same lines through fetch. After a loss it
 * resumes behind the last event it saw. `onState` hears `connecting`, `live`, `offline`, and `refused` with the error. `onGap` hears
 * that the stream began without such an event, at first and also `again`: what was until then was not told.
 */
export async function follow({ onEvent, onState, onGap, signal }) {
  let lastId;
  let isAgain = false;
  for (let failures = 0; !signal.aborted;) {
    onState(failures === 0 ? 'connecting' : 'offline');
    try {
      const headers = { ...authorization(), accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) };
      const response = await fetch('/api/v1/stream', { headers, signal, cache: 'no-store' });
      // The event is of another log, as where the data folder was emptied: from now on, then.
      if (response.status === 422) lastId = undefined;
      if (!response.ok) throw await refusal(response);
      failures = 0;
      onState('live');
      if (!lastId) onGap(isAgain);
      isAgain = true;
      for await (const event of events(response.body)) {
        if (event.id) lastId = event.id;
        onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401 || error.status === 403) return onState('refused', error);
    }
    failures++;
    await pause(Math.min(500 * 2 ** failures, 10_000), signal);
  }
}

const pause = (ms, signal) =>
  new Promise((over) => {
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), over()), { once: true });
  });

/** Server-Sent Events out of bytes (WHATWG HTML §9.2.6). */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let event = { data: [] };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.data.length > 0) yield { id: event.id, type: event.type ?? 'message', data: event.data.join('\n') };
        event = { data: [] };
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const rest = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') event.data.push(rest);
      else if (name === 'id') event.id = rest;
      else if (name === 'event') event.type = rest;
    }
  }
}
