import { Query, type Connection, type QueryConfig } from 'pg';

/** The role that reads what belongs to a workspace: no policy lets it see another's (docs/decisions/0012). */
export const READER = 'postledger_reader';

const LOCK = {
  name: 'workspace',
  text: `select set_config('postledger.workspace', $1, true), set_config('role', '${READER}', true)`,
};

/** What is said to the server; the types of pg ask for more than it takes. */
interface Wire extends Omit<Connection, 'parse' | 'bind' | 'execute'> {
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(query: { name: string; text: string }): void;
  bind(config: { statement: string; values: readonly string[] }): void;
  execute(config: object): void;
}

/** What pg's own query does when it is sent and when it is answered; its types leave that out. */
interface Steps {
  submit(connection: Wire): Error | null;
  handleDataRow(message: object): void;
  handleCommandComplete(message: object, connection: Wire): void;
  handleError(error: Error, connection: Wire): void;
}
const plain = Query.prototype as unknown as Steps;

/**
 * One query as the reader of one workspace. Role and workspace travel in front of it and in the same transaction, which the server opens
 * and ends by itself around what comes before one Sync: no round trip more than the query alone, and nothing to put back.
 */
export class WorkspaceQuery extends Query {
  declare private name: string | undefined;
  declare private text: string;
  private isLocked = false;
  private readonly own: { readonly name: string | undefined; readonly text: string };

  constructor(
    private readonly workspace: string,
    config: QueryConfig,
  ) {
    // Without a name and parameters it would be sent in another way, which is not a part of the lock's transaction.
    super({ ...config, queryMode: 'extended' } as QueryConfig);
    this.own = { name: config.name, text: config.text };
    const steps: Steps = {
      submit: (connection) => this.send(connection),
      // The row of the lock is nobody's.
      handleDataRow: (message) => this.isLocked && plain.handleDataRow.call(this, message),
      handleCommandComplete: (message, connection) => {
        if (this.isLocked) return plain.handleCommandComplete.call(this, message, connection);
        this.isLocked = true;
        Object.assign(this, this.own);
      },
      handleError: (error, connection) => {
        // What came after the lock was never read, so it must be sent again.
        if (!this.isLocked) delete connection.submittedNamedStatements[this.own.name ?? ''];
        plain.handleError.call(this, error, connection);
      },
    };
    Object.assign(this, steps);
  }

  private send(connection: Wire): Error | null {
    connection.stream.cork();
    try {
      const { parsedStatements, submittedNamedStatements } = connection;
      if (!parsedStatements[LOCK.name] && !submittedNamedStatements[LOCK.name]) {
        connection.parse(LOCK);
        submittedNamedStatements[LOCK.name] = LOCK.text;
      }
      connection.bind({ statement: LOCK.name, values: [this.workspace] });
      connection.execute({});
      const refused = plain.submit.call(this, connection);
      // The client notes by these two what the server says it has parsed, and the lock is answered first.
      this.name = LOCK.name;
      this.text = LOCK.text;
      return refused;
    } finally {
      connection.stream.uncork();
    }
  }
}
