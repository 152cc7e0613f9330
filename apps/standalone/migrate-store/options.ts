import { SettingsError } from '#platform';

export interface MigrateOptions {
  readonly from: string;
  readonly to: string;
  /** The database whose positions are to be those of the new log. */
  readonly switch?: string;
  /** The Kafka between, which must have been read to its end before positions change. */
  readonly bus?: string;
}

export const HELP = `npm run migrate-store -- --from <url> --to <url> [--switch <url> [--bus kafka://…]]

Copies the log of events from one store to another, with ids, order, metadata and times, and compares the two at the end.
Run again after a kill or with more events, it goes on from what the target holds. The source is only read.

  --from, --to   postgres://…   esdb://… (or kurrentdb://)   embedded (the database below DATA_DIR, .data)
  --switch       the database of the views and deliveries (postgres://… or embedded): after the copy, every place in the
                 log that it remembers becomes the place of the same event in the new log. All apps must be stopped.
  --bus          kafka://…, needed with --switch where Kafka is the bus
`;

const NAMES = ['--from', '--to', '--switch', '--bus'] as const;
const LOGS = /^(postgres(ql)?|esdb(\+discover)?|kurrentdb(\+discover)?):\/\/./;

/** Reads the command line. Throws a SettingsError, in one sentence, for what makes no sense. */
export function parseOptions(args: readonly string[]): MigrateOptions | 'help' {
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) return 'help';
  const given = new Map<string, string>();
  for (let n = 0; n < args.length; n += 2) {
    const [name, value] = [args[n]!, args[n + 1]];
    if (!(NAMES as readonly string[]).includes(name))
      throw new SettingsError(`${name} is not an option: there are ${NAMES.join(', ')} and --help.`);
    if (given.has(name)) throw new SettingsError(`${name} is given twice.`);
    if (value === undefined || value.startsWith('--')) throw new SettingsError(`${name} needs a value.`);
    given.set(name, value);
  }
  const need = (name: string): string => {
    const value = given.get(name);
    if (value === undefined) throw new SettingsError(`${name} is missing: --help says how to use this.`);
    if (value !== 'embedded' && !LOGS.test(value))
      throw new SettingsError(`${name} must be postgres://…, esdb://… or embedded.`);
    return value;
  };
  const [from, to] = [need('--from'), need('--to')];
  if (from === to) throw new SettingsError('--from and --to are the same store.');
  const [database, bus] = [given.get('--switch'), given.get('--bus')];
  if (database !== undefined && database !== 'embedded' && !/^postgres(ql)?:\/\/./.test(database))
    throw new SettingsError('--switch must be postgres://… or embedded: views and deliveries stand on PostgreSQL.');
  if (bus !== undefined && !/^kafka:\/\/./.test(bus)) throw new SettingsError('--bus must be kafka://….');
  if (bus !== undefined && database === undefined) throw new SettingsError('--bus is of use with --switch only.');
  return { from, to, ...(database !== undefined && { switch: database }), ...(bus !== undefined && { bus }) };
}
