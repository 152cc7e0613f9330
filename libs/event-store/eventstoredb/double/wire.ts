import { createRequire } from 'node:module';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb';
import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb';
import { ClusterInfo, EndPoint, MemberInfo } from '@eventstore/db-client/generated/gossip_pb';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb';
import {
  AllStreamPosition,
  Empty,
  MaximumAppendSizeExceeded,
  StreamIdentifier,
  UUID,
  WrongExpectedVersion,
} from '@eventstore/db-client/generated/shared_pb';
import {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb';
import { Status } from '@eventstore/db-client/generated/status_pb';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Expected, Outcome, Proposed, StoredRecord } from './stored-log';

// The stubs must meet the very copies of these that they were built with.
const own = createRequire(require.resolve('@eventstore/db-client'));
export const grpc = own('@grpc/grpc-js') as typeof import('@grpc/grpc-js');
const { Any } = own(
  'google-protobuf/google/protobuf/any_pb',
) as typeof import('google-protobuf/google/protobuf/any_pb');
const { Empty: GoogleEmpty } = own(
  'google-protobuf/google/protobuf/empty_pb',
) as typeof import('google-protobuf/google/protobuf/empty_pb');

export { GossipService, ReadReq, ReadResp, ServerFeaturesService, StreamsService };

/** What stands for a position that the node does not know: −1 as an unsigned number. */
const UNKNOWN = 2n ** 64n - 1n;
/** google.rpc.Code */
const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;

export const nameOf = (identifier: StreamIdentifier | undefined): string =>
  Buffer.from(identifier!.getStreamName_asU8()).toString('utf8');

export function identifierOf(stream: string): StreamIdentifier {
  const identifier = new StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream, 'utf8').toString('base64'));
  return identifier;
}

const uuid = (id: string): UUID => {
  const it = new UUID();
  it.setString(id);
  return it;
};

export function proposedOf(message: AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage): Proposed {
  return {
    id: message.getId()!.getString().toLowerCase(),
    type: message.getMetadataMap().get('type') ?? '',
    contentType: message.getMetadataMap().get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

export function expectedOf(options: AppendReq.Options | BatchAppendReq.Options): Expected {
  if (options.hasNoStream()) return 'no-stream';
  if (options.hasStreamExists()) return 'stream-exists';
  if (options.hasAny()) return 'any';
  return BigInt(options instanceof AppendReq.Options ? options.getRevision() : options.getStreamPosition());
}

const placeOf = (position: bigint): AllStreamPosition => {
  const place = new AllStreamPosition();
  place.setCommitPosition(String(position));
  place.setPreparePosition(String(position));
  return place;
};

export function batchAnswer(
  correlationId: UUID | undefined,
  stream: string,
  expected: Expected,
  outcome: Outcome,
): BatchAppendResp {
  const answer = new BatchAppendResp();
  answer.setCorrelationId(correlationId);
  answer.setStreamIdentifier(identifierOf(stream));
  if (outcome.kind === 'written') {
    const success = new BatchAppendResp.Success();
    success.setCurrentRevision(String(outcome.revision));
    success.setPosition(placeOf(outcome.position ?? UNKNOWN));
    answer.setSuccess(success);
    return answer;
  }
  const wrong = new WrongExpectedVersion();
  if (outcome.current === 'no-stream') wrong.setCurrentNoStream(new GoogleEmpty());
  else wrong.setCurrentStreamRevision(String(outcome.current));
  if (typeof expected === 'bigint') wrong.setExpectedStreamPosition(String(expected));
  else if (expected === 'no-stream') wrong.setExpectedNoStream(new GoogleEmpty());
  else if (expected === 'any') wrong.setExpectedAny(new GoogleEmpty());
  else wrong.setExpectedStreamExists(new GoogleEmpty());
  answer.setError(statusOf(FAILED_PRECONDITION, 'WrongExpectedVersion', wrong));
  return answer;
}

export function batchTooLarge(correlationId: UUID, stream: string, maximum: number): BatchAppendResp {
  const answer = new BatchAppendResp();
  answer.setCorrelationId(correlationId);
  answer.setStreamIdentifier(identifierOf(stream));
  const exceeded = new MaximumAppendSizeExceeded();
  exceeded.setMaxappendsize(maximum);
  answer.setError(statusOf(INVALID_ARGUMENT, 'MaximumAppendSizeExceeded', exceeded));
  return answer;
}

/** A refusal of the node, with what its client reads of it. */
function statusOf(code: number, name: string, about: { serializeBinary(): Uint8Array }): Status {
  const details = new Any();
  details.pack(about.serializeBinary(), `event_store.client.${name}`);
  const status = new Status();
  status.setCode(code);
  status.setDetails(details);
  return status;
}

function appendedAt(at: bigint): AppendResp.Position {
  const position = new AppendResp.Position();
  position.setCommitPosition(String(at));
  position.setPreparePosition(String(at));
  return position;
}

export function appendAnswer(expected: Expected, outcome: Outcome): AppendResp {
  const answer = new AppendResp();
  if (outcome.kind === 'written') {
    const success = new AppendResp.Success();
    success.setCurrentRevision(String(outcome.revision));
    if (outcome.position === undefined) success.setNoPosition(new Empty());
    else success.setPosition(appendedAt(outcome.position));
    answer.setSuccess(success);
    return answer;
  }
  const wrong = new AppendResp.WrongExpectedVersion();
  if (outcome.current === 'no-stream') wrong.setCurrentNoStream(new Empty());
  else wrong.setCurrentRevision(String(outcome.current));
  if (typeof expected === 'bigint') wrong.setExpectedRevision(String(expected));
  else if (expected === 'no-stream') wrong.setExpectedNoStream(new Empty());
  else if (expected === 'any') wrong.setExpectedAny(new Empty());
  else wrong.setExpectedStreamExists(new Empty());
  answer.setWrongExpectedVersion(wrong);
  return answer;
}

export function eventMessage(record: StoredRecord): ReadResp {
  const event = new ReadResp.ReadEvent.RecordedEvent();
  event.setId(uuid(record.id));
  event.setStreamIdentifier(identifierOf(record.stream));
  event.setStreamRevision(String(record.revision));
  event.setCommitPosition(String(record.position));
  event.setPreparePosition(String(record.position));
  event
    .getMetadataMap()
    .set('type', record.type)
    .set('content-type', record.contentType)
    .set('created', String(record.created));
  event.setData(record.data);
  event.setCustomMetadata(record.metadata);
  const read = new ReadResp.ReadEvent();
  read.setEvent(event);
  read.setCommitPosition(String(record.position));
  const message = new ReadResp();
  message.setEvent(read);
  return message;
}

export function confirmationMessage(id: string): ReadResp {
  const confirmation = new ReadResp.SubscriptionConfirmation();
  confirmation.setSubscriptionId(id);
  const message = new ReadResp();
  message.setConfirmation(confirmation);
  return message;
}

export function checkpointMessage(position: bigint): ReadResp {
  const checkpoint = new ReadResp.Checkpoint();
  checkpoint.setCommitPosition(String(position));
  checkpoint.setPreparePosition(String(position));
  const message = new ReadResp();
  message.setCheckpoint(checkpoint);
  return message;
}

export function caughtUpMessage(): ReadResp {
  const message = new ReadResp();
  message.setCaughtUp(new ReadResp.CaughtUp());
  return message;
}

export function fellBehindMessage(): ReadResp {
  const message = new ReadResp();
  message.setFellBehind(new ReadResp.FellBehind());
  return message;
}

export function notFoundMessage(stream: string): ReadResp {
  const notFound = new ReadResp.StreamNotFound();
  notFound.setStreamIdentifier(identifierOf(stream));
  const message = new ReadResp();
  message.setStreamNotFound(notFound);
  return message;
}

/** Resolves when the reader has room again, or is gone. */
export function drained(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done).off('close', done);
      resolve();
    };
    call.on('drain', done).on('close', done);
  });
}

/** A cluster of one node, its leader. */
export function clusterOf(port: number): ClusterInfo {
  const [cluster, member, address] = [new ClusterInfo(), new MemberInfo(), new EndPoint()];
  address.setAddress('127.0.0.1');
  address.setPort(port);
  member.setInstanceId(uuid('00000000-0000-4000-8000-000000000000'));
  member.setState(MemberInfo.VNodeState.LEADER);
  member.setIsAlive(true);
  member.setHttpEndPoint(address);
  cluster.setMembersList([member]);
  return cluster;
}
