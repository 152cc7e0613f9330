import type { OutgoingHttpHeaders } from 'node:http';
import { Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TheCall, type Call } from '../http/call';
import { ApiController, Read } from '../http/routes';
import { documented } from '../openapi/documented';
import { answer, text } from '../openapi/schema';
import { LiveStream } from './live-stream';

const streamAnswer = answer(
  'EventStream',
  'Server-Sent Events: `id` the event id, `event` the core type, `data` the core body',
  text,
);

@ApiController('stream', 'Live')
export class StreamController {
  constructor(@Inject(LiveStream) private readonly live: LiveStream) {}

  @Read('', {
    scope: 'read',
    answer: streamAnswer,
    produces: ['text/event-stream'],
    errors: ['EVENT_UNKNOWN'],
    summary: 'What happens, as it happens',
    description:
      '`Last-Event-ID` resumes after that event, without gap or double. A comment comes every 15 seconds. A reader that does not take what waits for it within 30 seconds gets the event `stream.dropped` and is cut off: it may resume.',
  })
  @documented(({ ApiHeader }) =>
    ApiHeader({ name: 'Last-Event-ID', description: 'The last event that was seen', required: false }),
  )
  async open(@TheCall() call: Call, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const lastId = request.headers['last-event-id'];
    const after = await this.live.startAfter(
      call.workspace,
      typeof lastId === 'string' && lastId !== '' ? lastId : undefined,
    );
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-correlation-id': call.context.correlationId,
    });
    if (request.method === 'HEAD') return void raw.end();
    this.live.add({
      workspace: call.workspace,
      after,
      key: request.headers.authorization!.replace(/^Bearer +/i, '').trim(),
      response: raw,
    });
  }
}
