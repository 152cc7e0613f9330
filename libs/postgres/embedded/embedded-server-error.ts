/** Why it cannot start, in one sentence for whoever can mend it. */
export class EmbeddedServerError extends Error {
  override name = 'EmbeddedServerError';
}
