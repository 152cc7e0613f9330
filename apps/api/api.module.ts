import { Inject, Module, type DynamicModule, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import type { Engines } from '#platform';
import { AccountsController } from './accounts/accounts.controller';
import { Commands } from './commands/commands';
import { Parts } from './commands/parts';
import { RunHandler } from './commands/run.handler';
import { Written } from './commands/written';
import { IdempotencyStore } from './idempotency/idempotency-store';
import { KeyStore } from './keys/key-store';
import { KeysController } from './keys/keys.controller';
import { WorkspacesController } from './keys/workspaces.controller';
import { KeyIssuer } from './keys/key-issuer';
import { PostScheduling } from './posts/post-scheduling';
import { PostsController } from './posts/posts.controller';
import { AuditController } from './audit/audit.controller';
import { CatalogueController } from './webhooks/catalogue.controller';
import { DeliveriesController } from './webhooks/deliveries.controller';
import { EndpointSecrets } from './webhooks/endpoint-secrets';
import { EndpointTest } from './webhooks/endpoint-test';
import { EndpointVetting } from './webhooks/endpoint-vetting';
import { EndpointsController } from './webhooks/endpoints.controller';
import { FeedController } from './webhooks/feed.controller';
import { DeliveryRevisions } from './webhooks/delivery-revisions';
import { Jobs } from './webhooks/jobs';
import { KnownToDelivery } from './webhooks/known-to-delivery';
import { CampaignsController } from './campaigns/campaigns.controller';
import { SubjectsController } from './subjects/subjects.controller';
import { TeamController } from './team/team.controller';
import { SubscriptionController } from './subscription/subscription.controller';
import { MediaController } from './studio/media.controller';
import { OperationsController } from './studio/operations.controller';
import { DesignsController } from './studio/designs.controller';
import { AssetsController } from './studio/assets.controller';
import { GalleriesController } from './studio/galleries.controller';
import { ContentController } from './studio/content.controller';
import { RegionsController } from './studio/regions.controller';
import { LiveStream } from './stream/live-stream';
import { StreamController } from './stream/stream.controller';
import { ReadTurns } from './reads/read-turns';
import { Things } from './reads/things';

/** The http edge. Stands on the `ENGINES` of the platform; `configureApi` does the rest before the process listens. */
@Module({})
export class ApiModule implements OnModuleDestroy, OnApplicationShutdown {
  constructor(
    @Inject(KeyStore) private readonly keys: KeyStore,
    @Inject(IdempotencyStore) private readonly idempotency: IdempotencyStore,
    @Inject(LiveStream) private readonly live: LiveStream,
  ) {}

  static forRoot(engines: Engines): DynamicModule {
    return {
      module: ApiModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        WorkspacesController,
        KeysController,
        PostsController,
        AccountsController,
        CampaignsController,
        TeamController,
        SubscriptionController,
        MediaController,
        OperationsController,
        DesignsController,
        AssetsController,
        GalleriesController,
        ContentController,
        RegionsController,
        StreamController,
        EndpointsController,
        FeedController,
        DeliveriesController,
        CatalogueController,
        AuditController,
        SubjectsController,
      ],
      providers: [
        Parts,
        Commands,
        RunHandler,
        Written,
        Things,
        ReadTurns,
        KeyIssuer,
        PostScheduling,
        EndpointVetting,
        EndpointSecrets,
        EndpointTest,
        DeliveryRevisions,
        Jobs,
        KnownToDelivery,
        { provide: KeyStore, useFactory: () => new KeyStore(engines) },
        {
          provide: LiveStream,
          useFactory: (keys: KeyStore, written: Written) => new LiveStream(engines, keys, written),
          inject: [KeyStore, Written],
        },
        { provide: IdempotencyStore, useFactory: () => new IdempotencyStore(engines) },
      ],
    };
  }

  /** Before the server closes: it waits for every open answer, and these have no end of their own. */
  onModuleDestroy(): void {
    this.live.close();
  }

  async onApplicationShutdown(): Promise<void> {
    this.idempotency.close();
    await this.keys.close();
  }
}
