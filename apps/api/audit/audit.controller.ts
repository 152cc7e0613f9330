import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ENGINES, takesGzip, type Engines } from '#platform';
import {
  entityAt,
  exportAudit,
  verifyAudit,
  type AuditEntry,
  type EntityAt,
  type Page,
  type Verdict,
} from '#read-models';
import { TheCall, type Call } from '../http/call';
import { DEFAULT_LIMIT } from '../http/page.query';
import { invalid } from '../http/problem';
import { ApiController, Read } from '../http/routes';
import { ReadTurns } from '../reads/read-turns';
import { Things } from '../reads/things';
import {
  AtQuery,
  AuditExportQuery,
  auditExportAnswer,
  auditPage,
  AuditQueryInput,
  AuditVerifyQuery,
  auditVerifyAnswer,
  entityAnswer,
} from './audit.dto';
import { fail } from './audit.errors';

/** A verification that takes longer says how far it came. */
const VERIFY_MS = 25_000;

/** What was asked for already, and then the rest. */
async function* startingWith<T>(first: IteratorResult<T, void>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

@ApiController('audit-log', 'Audit log')
export class AuditController {
  constructor(
    private readonly things: Things,
    private readonly turns: ReadTurns,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {}

  @Read('', { scope: 'audit', query: AuditQueryInput, answer: auditPage, summary: 'Who did what, newest first' })
  list(
    @Query() { limit = DEFAULT_LIMIT, cursor, ...filters }: AuditQueryInput,
    @TheCall() call: Call,
  ): Promise<Page<AuditEntry>> {
    return this.things.audit(filters, { limit, cursor }, call);
  }

  @Read('export', {
    scope: 'audit',
    query: AuditExportQuery,
    answer: auditExportAnswer,
    produces: ['application/x-ndjson', 'text/csv'],
    summary: 'The same, as a stream of any length',
  })
  async export(
    @Query() { format = 'ndjson', cursor, ...filters }: AuditExportQuery,
    @TheCall() call: Call,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.things.caughtUp('audit', call.workspace, call.waitMs);
    const { socket } = request.raw;
    await this.turns.export(call.workspace, async () => {
      // Its reader may have left while it waited for its turn.
      if (socket.destroyed) return;
      const over = new Promise<void>((end) => reply.raw.once('close', end));
      const lines = exportAudit(this.things.models.audit, this.engines.keys, call.workspace, filters, format, cursor);
      await this.send(this.inTurns(call, lines), format, request, reply);
      await over;
    });
  }

  @Read('verify', {
    scope: 'audit',
    query: AuditVerifyQuery,
    answer: auditVerifyAnswer,
    summary: 'Whether the log and the audit log are what they were',
  })
  async verify(@Query() query: AuditVerifyQuery, @TheCall() call: Call): Promise<Verdict> {
    // Of no entry it would prove nothing, and the answer read as if it had.
    if (query.expectedHash !== undefined && !query.fromPosition)
      throw invalid({ pointer: '/expectedHash', message: 'needs the fromPosition that it was kept with' });
    await this.things.caughtUp('audit', call.workspace, call.waitMs);
    const turn = <T>(look: () => Promise<T>) => this.turns.stretch(call.workspace, look);
    return verifyAudit(this.engines, call.workspace, { ...query, turn, deadline: AbortSignal.timeout(VERIFY_MS) });
  }

  @Read('entities/:type/:id', {
    scope: 'audit',
    query: AtQuery,
    answer: entityAnswer,
    errors: ['ENTITY_NOT_FOUND'],
    summary: 'A thing as it stood at a time',
  })
  async entity(
    @Param('type') type: string,
    @Param('id') id: string,
    @Query() { at }: AtQuery,
    @TheCall() call: Call,
  ): Promise<EntityAt> {
    const { workspace } = call;
    // Of a thing with a long past all of it is read.
    const found = await this.turns.stretch(workspace, () =>
      entityAt(this.engines.store, workspace, type, id, at ?? call.at),
    );
    if (!found) throw fail('ENTITY_NOT_FOUND');
    return found;
  }

  private async send(
    chunks: AsyncGenerator<string>,
    format: 'ndjson' | 'csv',
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    // What is refused is no file: the answer becomes one with its first entries.
    const lines = Readable.from(startingWith(await chunks.next(), chunks));
    reply
      .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
      .header('content-disposition', `attachment; filename="audit-log.${format}"`)
      .header('vary', 'accept-encoding');
    if (!takesGzip(request.headers)) return void (await reply.send(lines));
    const zipped = createGzip({ level: 1 });
    lines.on('error', (error) => zipped.destroy(error));
    await reply.header('content-encoding', 'gzip').send(lines.pipe(zipped));
  }

  private async *inTurns({ workspace }: Call, chunks: AsyncGenerator<string>): AsyncGenerator<string> {
    for (;;) {
      const chunk = await this.turns.stretch(workspace, () => chunks.next());
      if (chunk.done) return;
      yield chunk.value;
    }
  }
}
