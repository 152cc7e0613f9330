import type { Instant } from '#kernel';
import { Id, OneOf, Text, TextList, Time } from '../http/fields';
import { answer, list, nullable, object, oneOf, pageOf, text, time } from '../openapi/schema';
import { SCOPES, type Scope } from '../http/scopes';

export class CreateWorkspace {
  @Id('ws', { optional: true })
  id?: string;

  @Text({ max: 200, example: 'Nordlicht Studio' })
  name!: string;
}

export class IssueApiKey {
  @Id('key', { optional: true })
  id?: string;

  @Text({ max: 200, example: 'reporting' })
  name!: string;

  @TextList({
    min: 1,
    max: SCOPES.length,
    length: 20,
    unique: true,
    pattern: new RegExp(`^(${SCOPES.join('|')})$`),
    example: ['read', 'audit'],
  })
  scopes!: Scope[];

  @OneOf(['service', 'client'], { optional: true, description: 'A client key may make 60 requests a minute' })
  kind?: 'service' | 'client';

  @Time({ optional: true, nullable: true, description: 'When the key ends by itself' })
  expiresAt?: Instant | null;
}

export const newWorkspace = answer(
  'NewWorkspace',
  'The workspace with its key, shown this once',
  object({ id: text, apiKey: text }),
);
export const newApiKey = answer('NewApiKey', 'The key, shown this once', object({ id: text, key: text }));
export const apiKey = answer(
  'ApiKey',
  'A key, without its text',
  object({
    id: text,
    name: text,
    scopes: list(oneOf(...SCOPES)),
    kind: oneOf('service', 'client'),
    createdAt: time,
    lastUsedAt: nullable(time),
    expiresAt: nullable(time),
  }),
);
export const apiKeyPage = pageOf(apiKey);
