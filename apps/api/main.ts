import { runApp } from '#platform';
import { ApiModule } from './api.module';
import { configureApi } from './configure-api';
import { ensureFirstWorkspace } from './keys/first-workspace';

void runApp({
  name: 'api',
  port: 3000,
  modules: (engines) => [ApiModule.forRoot(engines)],
  async configure(app, engines) {
    configureApi(app, engines);
    const { workspaceId, apiKey } = await ensureFirstWorkspace(engines, { apiKey: engines.settings.apiKey });
    // On its own line and not in the log, which never holds a key.
    if (apiKey) process.stdout.write(`The key of the first workspace (${workspaceId}), shown this once: ${apiKey}\n`);
  },
});
