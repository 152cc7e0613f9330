import { designAggregate, type ExistingDesign } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

/** A design as `GET /designs/:id` answers. */
export interface DesignView extends Omit<ExistingDesign, 'designId'> {
  readonly id: string;
}

export const presentDesign = ({
  designId,
  clientId,
  name,
  status,
  revision,
  note,
  compliance,
}: ExistingDesign): DesignView => ({
  id: designId,
  clientId,
  name,
  status,
  revision,
  note,
  compliance,
});

export const designsView: KeyedView<ExistingDesign, DesignView> = viewOf(designAggregate, isThere, {
  name: 'designs',
  shape: 1,
  columns: {
    client_id: { type: 'text', of: ({ clientId }) => clientId },
    status: { type: 'text', of: ({ status }) => status },
  },
  filters: { clientId: { column: 'client_id', how: 'is' }, status: { column: 'status', how: 'is' } },
  present: presentDesign,
});
