import { runApp } from '#platform';
import { PublisherModule } from './publisher.module';

void runApp({ name: 'publisher', port: 3003, modules: (engines) => [PublisherModule.forRoot(engines)] });
