import { decider, type Command } from '#kernel';
import { ensure, fail } from './operation.errors';
import type { OperationError, OperationEvent, OperationKind } from './operation.events';

interface Result {
  readonly url: string | null;
  readonly contentId: string | null;
  readonly contentIds: readonly string[] | null;
  readonly assets: readonly string[] | null;
}

interface Beginning {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly region: string | null;
  readonly total: number | null;
  readonly campaignId: string | null;
}

export type OperationCommand =
  | Command<'StartOperation', Beginning>
  /** `failed` null: as many as before. */
  | Command<'ReportProgress', { readonly done: number; readonly failed: number | null }>
  | Command<'CompleteOperation', Result>
  | Command<'FailOperation', { readonly error: OperationError }>;

export interface ExistingOperation extends Beginning {
  readonly status: 'running' | 'completed' | 'failed';
  readonly done: number;
  readonly failed: number;
  readonly result: Result | null;
  readonly error: OperationError | null;
}

export type Operation = { readonly status: 'absent' } | ExistingOperation;

/** What the public message of a kind's completion cannot do without. */
const NEEDS: {
  readonly [K in OperationKind]: { readonly start?: 'region' | 'campaignId'; readonly result?: keyof Result };
} = {
  image: {},
  video: {},
  batch: {},
  location_content: { start: 'region', result: 'contentId' },
  location_recommendations: { start: 'region', result: 'contentIds' },
  campaign_generation: { start: 'campaignId', result: 'assets' },
};

export const operationDecider = decider<OperationCommand, OperationEvent, Operation>({
  initial: { status: 'absent' },
  decide: {
    StartOperation: ({ operationId, kind, region, total, campaignId }, operation) => {
      ensure(operation.status === 'absent', 'OPERATION_ALREADY_EXISTS');
      const { start } = NEEDS[kind];
      if (start && { region, campaignId }[start] === null)
        throw fail('OPERATION_INCOMPLETE', `An operation of kind ${kind} needs a ${start}.`, missing(start));
      return [{ type: 'OperationStarted', data: { operationId, kind, region, campaignId, total } }];
    },

    ReportProgress: ({ done, failed: reported }, state) => {
      const operation = running(state);
      const failed = reported ?? operation.failed;
      const { total } = operation;
      ensure(total !== null, 'OPERATION_TOTAL_UNKNOWN');
      ensure(done + failed <= total, 'PROGRESS_EXCEEDS_TOTAL', `${done} done and ${failed} failed exceed ${total}.`);
      ensure(
        done >= operation.done && failed >= operation.failed,
        'PROGRESS_WENT_BACK',
        `It had ${operation.done} done and ${operation.failed} failed.`,
      );
      if (done === operation.done && failed === operation.failed) return [];
      return [{ type: 'OperationProgressed', data: { ...of(operation), done, failed, total } }];
    },

    CompleteOperation: ({ url, contentId, contentIds, assets }, state) => {
      const operation = running(state);
      const { result } = NEEDS[operation.kind];
      const given = { url, contentId, contentIds, assets };
      if (result && given[result] === null)
        throw fail(
          'OPERATION_RESULT_INCOMPLETE',
          `An operation of kind ${operation.kind} completes with ${result}.`,
          missing(result),
        );
      return [{ type: 'OperationCompleted', data: { ...of(operation), ...given } }];
    },

    FailOperation: ({ error }, state) => [{ type: 'OperationFailed', data: { ...of(running(state)), error } }],
  },
  evolve: {
    OperationStarted: (_, data) => ({ ...data, status: 'running', done: 0, failed: 0, result: null, error: null }),
    OperationProgressed: (operation, { done, failed }) => ({ ...found(operation), done, failed }),
    OperationCompleted: (operation, { url, contentId, contentIds, assets }) => ({
      ...found(operation),
      status: 'completed',
      result: { url, contentId, contentIds, assets },
    }),
    OperationFailed: (operation, { error }) => ({ ...found(operation), status: 'failed', error }),
  },
});

/** Points to the field that is missing, as every 400 does. */
const missing = (field: string) => ({ errors: [{ pointer: `/${field}`, message: 'is needed by this kind' }] });

function found(operation: Operation): ExistingOperation {
  if (operation.status === 'absent') throw fail('OPERATION_NOT_FOUND');
  return operation;
}

function running(state: Operation): ExistingOperation {
  const operation = found(state);
  ensure(operation.status === 'running', 'OPERATION_NOT_RUNNING', `The operation has ${operation.status}.`);
  return operation;
}

const of = ({ operationId, kind, region, campaignId }: ExistingOperation) => ({
  operationId,
  kind,
  region,
  campaignId,
});
