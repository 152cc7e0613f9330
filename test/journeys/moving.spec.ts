import { moving } from './moving.journey';

moving('PostgreSQL', async () => undefined);
