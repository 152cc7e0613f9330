import { instant, type Instant } from '#kernel';

const EPOCH = instant(0);

/** A time to look for deliveries at: their ids begin with their time, and that begins in 1970. */
export const deliveryTime = (time: Instant): Instant => (time < EPOCH ? EPOCH : time);
