import { byActor, type EventSchemas, type Message, type Personal } from '#kernel';

interface Review {
  readonly designId: string;
  readonly clientId: string;
  /** From 1; each submission counts one. */
  readonly revision: number;
}

export type DesignEvent =
  | Message<'DesignCreated', { readonly designId: string; readonly clientId: string; readonly name: string | null }>
  | Message<'DesignSubmitted', Review>
  | Message<'DesignApproved', Review & { readonly note: Personal | null }>
  | Message<'DesignRevisionRequested', Review & { readonly note: Personal }>
  | Message<
      'BrandCompliant',
      { readonly designId: string; readonly guidelines: readonly string[]; readonly manualReview: boolean }
    >
  | Message<
      'BrandViolated',
      {
        readonly designId: string;
        readonly guidelines: readonly string[];
        readonly violations: readonly string[];
        readonly manualReview: boolean;
      }
    >;

export const designEvents: EventSchemas<DesignEvent> = {
  DesignCreated: { version: 1 },
  DesignSubmitted: { version: 1 },
  DesignApproved: { version: 1, personal: { note: byActor } },
  DesignRevisionRequested: { version: 1, personal: { note: byActor } },
  BrandCompliant: { version: 1 },
  BrandViolated: { version: 1 },
};
