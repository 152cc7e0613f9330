import { Inject, Injectable } from '@nestjs/common';
import { streamName } from '#event-store';
import { Recent } from '#kernel';
import { ENGINES, type Engines } from '#platform';

const CAPACITY = 20_000;

/**
 * What this process wrote last, by whichever of its apps (a webhook of what a publisher did comes from the same process in standalone),
 * or showed, so that its reads never lag behind either.
 */
@Injectable()
export class Written {
  private readonly positions = new Recent<string, number>(CAPACITY);
  private readonly revisions = new Recent<string, number>(CAPACITY);

  constructor(@Inject(ENGINES) { commands }: { readonly commands: Pick<Engines['commands'], 'onHandled'> }) {
    commands.onHandled((workspace, category, id, now) => this.note(workspace, category, id, now));
  }

  note(
    workspace: string,
    category: string,
    id: string,
    { position, revision }: { position: number; revision: number },
  ): void {
    raise(this.positions, workspace, position);
    raise(this.revisions, streamName(category, workspace, id), revision);
  }

  /** Something of this position was shown: no other view may be asked for less. */
  met(workspace: string, position: number): void {
    raise(this.positions, workspace, position);
  }

  /** The newest position written or met in a workspace; 0 when nothing is known. Its lists wait for it. */
  position(workspace: string): number {
    return this.positions.get(workspace) ?? 0;
  }

  /** The newest revision written or met of a thing; −1 when nothing is known. */
  revision(workspace: string, category: string, id: string): number {
    return this.revisions.get(streamName(category, workspace, id)) ?? -1;
  }
}

function raise(known: Recent<string, number>, key: string, value: number): void {
  if (value > (known.get(key) ?? -1)) known.set(key, value);
}
