import { SettingsError } from '#platform';

/** Does what needs the store or the bus at `url`. Rejects with a SettingsError, in one sentence, when that fails. */
export async function reach<T>(url: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    const { message, errors } = error as Error & { errors?: Error[] };
    const reason = (message || errors?.[0]?.message || 'no reason given').replace(/\.$/, '');
    throw new SettingsError(`${shown(url)} cannot be used: ${reason}.`, { cause: error });
  }
}

/** An address without its password, however that is written. */
export const shown = (url: string): string => url.replace(/\/\/.*@/, '//').replace(/\?.*$/, '');
