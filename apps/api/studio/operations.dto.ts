import type { OperationView } from '#read-models';
import { OPERATION_KINDS, type OperationKind } from '#studio';
import { Id, IdList, Name, Nested, OneOf, Text, TextList, Whole, wordsOf } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { answer, list, nullable, object, oneOf, pageOf, text, whole } from '../openapi/schema';

const STATUSES = wordsOf<OperationView['status']>({ running: true, completed: true, failed: true });
const MAX_RESULTS = 1_000;

export class StartOperation {
  @Id('op', { optional: true })
  id?: string;

  @OneOf(OPERATION_KINDS)
  kind!: OperationKind;

  @Name({ optional: true, nullable: true, example: 'emea/nordics' })
  region?: string | null;

  @Whole({ min: 1, max: 1_000_000_000, optional: true, nullable: true, description: 'How much there is to do' })
  total?: number | null;

  @Id('cmp', { optional: true, nullable: true })
  campaignId?: string | null;
}

export class ReportProgress {
  @Whole({ max: 1_000_000_000 })
  done!: number;

  @Whole({ max: 1_000_000_000, optional: true })
  failed?: number;
}

export class CompleteOperation {
  @Text({ max: 2_048, optional: true, nullable: true })
  url?: string | null;

  @Id('cnt', { optional: true, nullable: true })
  contentId?: string | null;

  @IdList('cnt', { max: MAX_RESULTS, unique: false, optional: true, nullable: true })
  contentIds?: string[] | null;

  @TextList({ max: MAX_RESULTS, length: 200, optional: true, nullable: true })
  assets?: string[] | null;
}

export class OperationErrorInput {
  @Text({ max: 200, example: 'model_overloaded' })
  code!: string;

  @Text({ max: 2_000, example: 'The model was overloaded' })
  message!: string;

  @Text({ min: 0, max: 10_000, optional: true, nullable: true })
  detail?: string | null;
}

export class FailOperation {
  @Nested(() => OperationErrorInput)
  error!: OperationErrorInput;
}

export class OperationsQuery extends PageQuery {
  @OneOf(OPERATION_KINDS, { optional: true })
  kind?: string;

  @OneOf(STATUSES, { optional: true })
  status?: string;

  @Name({ optional: true })
  region?: string;

  @Id('cmp', { optional: true })
  campaignId?: string;
}

export const operationAnswer = answer(
  'Operation',
  'The operation',
  object({
    id: text,
    kind: oneOf(...OPERATION_KINDS),
    region: nullable(text),
    campaignId: nullable(text),
    status: oneOf(...STATUSES),
    total: nullable(whole),
    done: whole,
    failed: whole,
    'url?': text,
    'contentId?': text,
    'contentIds?': list(text),
    'assets?': list(text),
    'error?': object({ code: text, message: text, detail: nullable(text) }),
  }),
);
export const operationPage = pageOf(operationAnswer);
