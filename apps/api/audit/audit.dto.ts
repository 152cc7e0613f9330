import type { Instant } from '#kernel';
import { OneOf, Pattern, Text, TimeText, WholeText } from '../http/fields';
import { CURSOR, MAX_LIMIT } from '../http/page.query';
import {
  answer,
  anything,
  erased,
  flag,
  nullable,
  object,
  oneOf,
  pageOf,
  type Schema,
  text,
  time,
  whole,
} from '../openapi/schema';

const words = { max: 300, optional: true } as const;

class AuditFilterInput {
  @Text({ ...words, description: 'A person, a key, or system' })
  actor?: string;

  @Text({ ...words, description: 'A domain event, such as PostScheduled' })
  action?: string;

  @Text({ ...words, description: 'A noun, such as post' })
  entityType?: string;

  @Text(words)
  entityId?: string;

  @Text(words)
  correlationId?: string;

  @TimeText({ optional: true, description: 'Inclusive' })
  from?: Instant;

  @TimeText({ optional: true, description: 'Exclusive' })
  to?: Instant;
}

export class AuditQueryInput extends AuditFilterInput {
  @WholeText({ optional: true, min: 1, max: MAX_LIMIT, description: 'Most entries in this page' })
  limit?: number;

  @Pattern(CURSOR, 'a cursor that a list gave', { optional: true, description: 'Where the page before ended' })
  cursor?: string;
}

export class AuditExportQuery extends AuditFilterInput {
  @Pattern(CURSOR, 'a cursor that a list gave, or a position', {
    optional: true,
    description: 'Begins after a page of the list, or after the entry of this position: of the last line that came',
  })
  cursor?: string;

  @OneOf(['ndjson', 'csv'], { optional: true, description: 'ndjson unless said otherwise' })
  format?: 'ndjson' | 'csv';
}

export class AuditVerifyQuery {
  @WholeText({ optional: true, description: 'Begins after this position' })
  fromPosition?: number;

  @Pattern(/^[0-9a-f]{64}$/, 'a hash in hex', { optional: true, description: 'Of the entry at fromPosition' })
  expectedHash?: string;
}

export class AtQuery {
  @TimeText({ optional: true, description: 'Now unless said otherwise' })
  at?: Instant;
}

const entry: Readonly<Record<string, Schema>> = {
  id: text,
  position: whole,
  at: time,
  action: text,
  entityType: text,
  entityId: text,
  actor: text,
  correlationId: text,
  causationId: nullable(text),
  revisionBefore: nullable(whole),
  revision: whole,
  data: { type: 'object' },
  hash: text,
  previousHash: nullable(text),
  ...erased,
};

export const auditEntryAnswer = answer('AuditEntry', 'One change', object(entry));
export const auditPage = pageOf(auditEntryAnswer);
export const auditExportAnswer = answer('AuditExport', 'The entries, newest first: a line each', text);
export const auditVerifyAnswer = answer('AuditVerification', 'Whether the log and the audit log are what they were', {
  oneOf: [
    object({ ok: { const: true }, entries: whole, position: whole, hash: nullable(text), complete: flag }),
    object({
      ok: { const: false },
      broken: object({
        id: nullable(text),
        position: whole,
        reason: oneOf('changed', 'missing', 'inserted', 'out of order'),
      }),
    }),
  ],
});
export const entityAnswer = answer(
  'EntityAtTime',
  'The entity as it stood then',
  object({ entityType: text, id: text, at: time, revision: whole, state: anything, ...erased }),
);
