import { runApp } from '#platform';
import { ApiModule } from './api.module';
import { configureApi } from './configure-api';

void runApp({ name: 'api', port: 3000, modules: (engines) => [ApiModule.forRoot(engines)], configure: configureApi });
