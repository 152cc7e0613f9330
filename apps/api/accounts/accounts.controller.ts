import { Body, Param, Query } from '@nestjs/common';
import { accountAggregate, accountErrors } from '#accounts';
import { errorsOf } from '#kernel';
import { presentAccount, type AccountView, type Page } from '#read-models';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import {
  accountAnswer,
  accountPage,
  AccountsQuery,
  ConnectAccount,
  DisconnectAccount,
  RenewCredential,
} from './accounts.dto';

const fail = errorsOf(accountErrors);
const absent = () => fail('ACCOUNT_NOT_FOUND');
const shown = shownBy(presentAccount, absent);

@ApiController('accounts', 'Accounts')
export class AccountsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Create('', {
    body: ConnectAccount,
    answer: accountAnswer,
    errors: ['ACCOUNT_ALREADY_EXISTS'],
    summary: 'Connect an account',
  })
  async connect(
    @Body() { id, platform, username, profileId, credentialExpiresAt = null }: ConnectAccount,
    @TheCall() call: Call,
  ): Promise<AccountView> {
    const accountId = id ?? call.newId('acct');
    const connect = { type: 'ConnectAccount', accountId, platform, username, profileId, credentialExpiresAt } as const;
    return shown((await this.commands.run(accountAggregate, accountId, connect, call)).state);
  }

  @Read('', { scope: 'read', query: AccountsQuery, answer: accountPage, summary: 'List accounts, newest first' })
  list(@Query() query: AccountsQuery, @TheCall() call: Call): Promise<Page<AccountView>> {
    return this.things.list(this.things.models.accounts, { ...query }, call);
  }

  @ReadOne(':id', { answer: accountAnswer, absent: 'ACCOUNT_NOT_FOUND', summary: 'One account' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<AccountView> {
    return this.things.get(this.things.models.accounts, id, absent, call, minRevision);
  }

  @Command(':id/disconnect', {
    body: DisconnectAccount,
    answer: accountAnswer,
    errors: ['ACCOUNT_NOT_FOUND', 'ACCOUNT_NOT_CONNECTED'],
    summary: 'Disconnect an account',
  })
  async disconnect(
    @Param('id') id: string,
    @Body() { reason }: DisconnectAccount,
    @TheCall() call: Call,
  ): Promise<AccountView> {
    return shown((await this.commands.run(accountAggregate, id, { type: 'DisconnectAccount', reason }, call)).state);
  }

  @Command(':id/credential', {
    body: RenewCredential,
    answer: accountAnswer,
    errors: ['ACCOUNT_NOT_FOUND', 'ACCOUNT_NOT_CONNECTED'],
    summary: 'Renew the credential',
  })
  async renew(
    @Param('id') id: string,
    @Body() { expiresAt }: RenewCredential,
    @TheCall() call: Call,
  ): Promise<AccountView> {
    return shown((await this.commands.run(accountAggregate, id, { type: 'RenewCredential', expiresAt }, call)).state);
  }
}
