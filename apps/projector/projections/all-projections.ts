import { keyedViews } from '#read-models';
import type { Projection } from './projection';
import { auditProjection, viewProjection } from './view.projection';

/** What can be built anew from the log: everything but the outbox and the policies, which act on the world. */
export const rebuildable: readonly Projection[] = [auditProjection, ...keyedViews.map(viewProjection)];
