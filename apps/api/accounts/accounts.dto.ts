import type { Instant } from '#kernel';
import type { AccountView } from '#read-models';
import { Id, OneOf, Pattern, Reference, Text, Time, wordsOf } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { PLATFORM } from '../posts/posts.dto';
import { answer, erased, nullable, object, oneOf, pageOf, personal, text, time } from '../openapi/schema';

const STATUSES = wordsOf<AccountView['status']>({ connected: true, disconnected: true });

export class ConnectAccount {
  @Id('acct', { optional: true })
  id?: string;

  @Pattern(PLATFORM, 'a lower-case name such as instagram', { example: 'instagram' })
  platform!: string;

  @Text({ max: 200, example: 'nordlicht' })
  username!: string;

  @Reference({ example: 'prof_1' })
  profileId!: string;

  @Time({ optional: true, nullable: true })
  credentialExpiresAt?: Instant | null;
}

export class DisconnectAccount {
  @Text({ max: 500, example: 'left the agency' })
  reason!: string;
}

export class RenewCredential {
  @Time()
  expiresAt!: Instant;
}

export class AccountsQuery extends PageQuery {
  @OneOf(STATUSES, { optional: true })
  status?: string;

  @Pattern(PLATFORM, 'a lower-case name such as instagram', { optional: true })
  platform?: string;

  @Reference({ optional: true })
  profileId?: string;
}

export const accountAnswer = answer(
  'Account',
  'The account',
  object({
    id: text,
    platform: text,
    username: personal,
    profileId: text,
    status: oneOf(...STATUSES),
    credentialExpiresAt: nullable(time),
    disconnectedReason: personal,
    ...erased,
  }),
);
export const accountPage = pageOf(accountAnswer);
