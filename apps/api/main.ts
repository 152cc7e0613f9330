import { runApp } from '#platform';
import { DashboardModule } from '../dashboard/dashboard.module';
import { ApiModule } from './api.module';
import { configureApi } from './configure-api';
import { ensureFirstWorkspace } from './keys/first-workspace';

void runApp({
  name: 'api',
  port: 3000,
  modules: (engines) => [ApiModule.forRoot(engines), { module: DashboardModule }],
  configure: async (app, engines) => {
    configureApi(app, engines);
    const { apiKey } = await ensureFirstWorkspace(engines, { apiKey: engines.settings.apiKey });
    if (apiKey) process.stdout.write(`The key of the first workspace, shown this once: ${apiKey}\n`);
  },
});
