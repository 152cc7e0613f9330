import { decider, type Command, type Personal } from '#kernel';
import { ensure, fail } from './design.errors';
import type { DesignEvent } from './design.events';

export type DesignCommand =
  | Command<'CreateDesign', { readonly designId: string; readonly clientId: string; readonly name: string | null }>
  | Command<'SubmitDesign'>
  | Command<'ApproveDesign', { readonly note: string | null }>
  | Command<'RequestRevision', { readonly note: string }>
  /** No violation: compliant. */
  | Command<
      'CheckCompliance',
      { readonly guidelines: readonly string[]; readonly violations: readonly string[]; readonly manualReview: boolean }
    >;

export interface ExistingDesign {
  readonly status: 'draft' | 'in_review' | 'approved' | 'revision_requested';
  readonly designId: string;
  readonly clientId: string;
  readonly name: string | null;
  /** How often it was submitted. */
  readonly revision: number;
  /** Of the last decision. */
  readonly note: Personal | null;
  readonly compliance: {
    readonly guidelines: readonly string[];
    readonly violations: readonly string[];
    readonly manualReview: boolean;
  } | null;
}

export type Design = { readonly status: 'absent' } | ExistingDesign;

export const designDecider = decider<DesignCommand, DesignEvent, Design>({
  initial: { status: 'absent' },
  decide: {
    CreateDesign: ({ designId, clientId, name }, design) => {
      ensure(design.status === 'absent', 'DESIGN_ALREADY_EXISTS');
      return [{ type: 'DesignCreated', data: { designId, clientId, name } }];
    },

    SubmitDesign: (_, state) => {
      const { designId, clientId, status, revision } = found(state);
      ensure(
        status === 'draft' || status === 'revision_requested',
        'DESIGN_NOT_SUBMITTABLE',
        `The design is ${spoken(status)}.`,
      );
      return [{ type: 'DesignSubmitted', data: { designId, clientId, revision: revision + 1 } }];
    },

    ApproveDesign: ({ note }, design) => [{ type: 'DesignApproved', data: { ...inReview(design), note } }],

    RequestRevision: ({ note }, design) => [{ type: 'DesignRevisionRequested', data: { ...inReview(design), note } }],

    CheckCompliance: ({ guidelines, violations, manualReview }, state) => {
      const { designId } = found(state);
      return violations.length === 0
        ? [{ type: 'BrandCompliant', data: { designId, guidelines, manualReview } }]
        : [{ type: 'BrandViolated', data: { designId, guidelines, violations, manualReview } }];
    },
  },
  evolve: {
    DesignCreated: (_, { designId, clientId, name }) => ({
      status: 'draft',
      designId,
      clientId,
      name,
      revision: 0,
      note: null,
      compliance: null,
    }),
    DesignSubmitted: (design, { revision }) => ({ ...found(design), status: 'in_review', revision, note: null }),
    DesignApproved: (design, { note }) => ({ ...found(design), status: 'approved', note }),
    DesignRevisionRequested: (design, { note }) => ({ ...found(design), status: 'revision_requested', note }),
    BrandCompliant: (design, { guidelines, manualReview }) => ({
      ...found(design),
      compliance: { guidelines, violations: [], manualReview },
    }),
    BrandViolated: (design, { guidelines, violations, manualReview }) => ({
      ...found(design),
      compliance: { guidelines, violations, manualReview },
    }),
  },
});

function found(design: Design): ExistingDesign {
  if (design.status === 'absent') throw fail('DESIGN_NOT_FOUND');
  return design;
}

function inReview(state: Design): Pick<ExistingDesign, 'designId' | 'clientId' | 'revision'> {
  const { designId, clientId, revision, status } = found(state);
  ensure(status === 'in_review', 'DESIGN_NOT_IN_REVIEW', `The design is ${spoken(status)}.`);
  return { designId, clientId, revision };
}

const spoken = (status: ExistingDesign['status']): string => status.replace('_', ' ');
