import type { DesignView } from '#read-models';
import { Flag, Id, OneOf, Reference, Text, TextList, wordsOf } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { answer, erased, flag, list, nullable, object, oneOf, pageOf, personal, text, whole } from '../openapi/schema';

const STATUSES = wordsOf<DesignView['status']>({
  draft: true,
  in_review: true,
  approved: true,
  revision_requested: true,
});

export class CreateDesign {
  @Id('dsg', { optional: true })
  id?: string;

  @Reference({ example: 'client_7' })
  clientId!: string;

  @Text({ max: 200, optional: true, nullable: true })
  name?: string | null;
}

export class ApproveDesign {
  @Text({ max: 5_000, optional: true, nullable: true })
  note?: string | null;
}

export class RequestRevision {
  @Text({ max: 5_000 })
  note!: string;
}

export class CheckCompliance {
  @TextList({ max: 500, length: 500 })
  guidelines!: string[];

  @TextList({ max: 500, length: 2_000, description: 'None: compliant' })
  violations!: string[];

  @Flag({ optional: true })
  manualReview?: boolean;
}

export class DesignsQuery extends PageQuery {
  @Reference({ optional: true })
  clientId?: string;

  @OneOf(STATUSES, { optional: true })
  status?: string;
}

export const designAnswer = answer(
  'Design',
  'The design',
  object({
    id: text,
    clientId: text,
    name: nullable(text),
    status: oneOf(...STATUSES),
    revision: whole,
    note: personal,
    ...erased,
    compliance: nullable(object({ guidelines: list(text), violations: list(text), manualReview: flag })),
  }),
);
export const designPage = pageOf(designAnswer);
