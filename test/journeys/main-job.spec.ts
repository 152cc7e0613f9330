import { mainJob } from './main-job.journey';

mainJob('the embedded engines', async () => ({}));
