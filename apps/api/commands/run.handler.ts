import { Inject } from '@nestjs/common';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Handled } from '#event-store';
import { ENGINES, type Engines } from '#platform';
import { Run } from './run.command';
import { Written } from './written';

/** The one handler of the one command. */
@CommandHandler(Run)
export class RunHandler implements ICommandHandler<Run> {
  constructor(
    @Inject(ENGINES) private readonly engines: Engines,
    private readonly written: Written,
  ) {}

  async execute({ aggregate, id, command, context, expected }: Run): Promise<Handled<unknown>> {
    const handled = await this.engines.commands.handle(
      aggregate,
      id,
      command,
      context,
      expected === undefined ? {} : { expected },
    );
    this.written.note(context.workspace, aggregate.category, id, handled);
    return handled;
  }
}
