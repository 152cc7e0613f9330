import { erasure } from './erasure.journey';

erasure('the embedded engines', async () => ({}));
