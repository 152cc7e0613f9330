import { fold, instant } from '#kernel';
import { scenariosOf } from '#testing';
import { operationDecider, type OperationCommand } from './operation.decider';
import type { OperationEvent, OperationKind } from './operation.events';

const { given } = scenariosOf(operationDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'key_1' };
const operationId = 'op_1';

interface Of {
  kind?: OperationKind;
  region?: string | null;
  total?: number | null;
  campaignId?: string | null;
}
const start = ({ kind = 'batch', region = null, total = 10, campaignId = null }: Of = {}): OperationCommand => ({
  ...stamp,
  type: 'StartOperation',
  operationId,
  kind,
  region,
  total,
  campaignId,
});
const started = ({ kind = 'batch', region = null, total = 10, campaignId = null }: Of = {}): OperationEvent => ({
  type: 'OperationStarted',
  data: { operationId, kind, region, campaignId, total },
});
const report = (done: number, failed: number | null = 0): OperationCommand => ({
  ...stamp,
  type: 'ReportProgress',
  done,
  failed,
});
const progressed = (done: number, failed = 0): OperationEvent => ({
  type: 'OperationProgressed',
  data: { operationId, kind: 'batch', region: null, campaignId: null, done, failed, total: 10 },
});
const nothing = { url: null, contentId: null, contentIds: null, assets: null };
const complete = (
  result: Partial<{ url: string; contentId: string; contentIds: string[]; assets: string[] }> = {},
): OperationCommand => ({
  ...stamp,
  type: 'CompleteOperation',
  ...nothing,
  ...result,
});
const completed = (
  { kind = 'batch', region = null, campaignId = null }: Of = {},
  result: object = {},
): OperationEvent => ({
  type: 'OperationCompleted',
  data: { operationId, kind, region, campaignId, ...nothing, ...result },
});
const error = { code: 'model_busy', message: 'The model is busy', detail: null };
const fail: OperationCommand = { ...stamp, type: 'FailOperation', error };
const failed: OperationEvent = {
  type: 'OperationFailed',
  data: { operationId, kind: 'batch', region: null, campaignId: null, error },
};

describe('an operation', () => {
  it.each(['image', 'video', 'batch'] as const)('of kind %s begins with nothing but its kind', (kind) =>
    given()
      .when(start({ kind, total: null }))
      .then(started({ kind, total: null })),
  );
  it.each(['location_content', 'location_recommendations'] as const)('of kind %s needs a region', (kind) => {
    given().when(start({ kind })).fails('OPERATION_INCOMPLETE');
    given()
      .when(start({ kind, region: 'eu/west' }))
      .then(started({ kind, region: 'eu/west' }));
  });
  it('of kind campaign_generation needs a campaign', () => {
    given()
      .when(start({ kind: 'campaign_generation' }))
      .fails('OPERATION_INCOMPLETE');
    given()
      .when(start({ kind: 'campaign_generation', campaignId: 'cmp_1' }))
      .then(started({ kind: 'campaign_generation', campaignId: 'cmp_1' }));
  });
  it('begins once', () => given(started()).when(start()).fails('OPERATION_ALREADY_EXISTS'));
  it('must exist', () => {
    for (const command of [report(1), complete(), fail]) given().when(command).fails('OPERATION_NOT_FOUND');
  });
  it('that has ended takes nothing more', () => {
    for (const command of [report(1), complete(), fail]) {
      given(started(), completed()).when(command).fails('OPERATION_NOT_RUNNING');
      given(started(), failed).when(command).fails('OPERATION_NOT_RUNNING');
    }
  });
});

describe('progress', () => {
  it('is told', () => given(started()).when(report(3, 1)).then(progressed(3, 1)));
  it('that is the same says nothing', () => {
    given(started(), progressed(3, 1)).when(report(3, 1)).then();
    given(started()).when(report(0)).then();
  });
  it('is told when only more has failed', () =>
    given(started(), progressed(3, 1)).when(report(3, 2)).then(progressed(3, 2)));
  it('keeps what had failed when that is not reported again', () =>
    given(started(), progressed(3, 1)).when(report(5, null)).then(progressed(5, 1)));
  it('may reach the total', () => given(started()).when(report(9, 1)).then(progressed(9, 1)));
  it('may not exceed it', () => given(started()).when(report(9, 2)).fails('PROGRESS_EXCEEDS_TOTAL'));
  it('never goes back', () => {
    given(started(), progressed(3, 1)).when(report(2, 1)).fails('PROGRESS_WENT_BACK');
    given(started(), progressed(3, 1)).when(report(4, 0)).fails('PROGRESS_WENT_BACK');
  });
  it('needs a total', () =>
    given(started({ total: null }))
      .when(report(1))
      .fails('OPERATION_TOTAL_UNKNOWN'));
});

describe('the end of an operation', () => {
  it('is a completion', () => given(started()).when(complete()).then(completed()));
  it('is a failure, with what went wrong', () => given(started()).when(fail).then(failed));
  it('is shown with what came of it', () => {
    const result = { ...nothing, url: 'https://cdn.example/1.png' };
    const operation = fold(operationDecider, [started({ kind: 'image' }), completed({ kind: 'image' }, result)]);
    expect(operation).toMatchObject({ status: 'completed', result, error: null });
    expect(fold(operationDecider, [started(), failed])).toMatchObject({ status: 'failed', result: null, error });
  });
  it('of an image may have a url', () => {
    const url = 'https://cdn.example/1.png';
    given(started({ kind: 'image' }))
      .when(complete({ url }))
      .then(completed({ kind: 'image' }, { url }));
    given(started({ kind: 'image' }))
      .when(complete())
      .then(completed({ kind: 'image' }));
  });
  it.each([
    ['location_content', 'eu', { contentId: 'cnt_1' }],
    ['location_recommendations', 'eu', { contentIds: ['cnt_1'] }],
    ['campaign_generation', null, { assets: ['ast_1'] }],
  ] as const)('of kind %s names what came of it', (kind, region, result) => {
    const of = { kind, region, campaignId: 'cmp_1' };
    given(started(of)).when(complete()).fails('OPERATION_RESULT_INCOMPLETE');
    given(started(of))
      .when(complete(result as object))
      .then(completed(of, result));
  });
});
