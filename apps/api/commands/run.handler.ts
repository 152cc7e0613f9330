import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Handled } from '#event-store';
import { ENGINES, type Engines } from '#platform';
import { Run } from './run.command';

/** The one handler of the one command. */
@CommandHandler(Run)
export class RunHandler implements ICommandHandler<Run> {
  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  execute({ aggregate, id, command, context, expected }: Run): Promise<Handled<unknown>> {
    const options = expected === undefined ? {} : { expected };
    return this.engines.commands.handle(aggregate, id, command, context, options);
  }
}
