import { runApp } from '#platform';
import { ProjectorModule } from './projector.module';

void runApp({ name: 'projector', port: 3001, modules: (engines) => [ProjectorModule.forRoot(engines)] });
