/** NOTIFY channel by which the processes of delivery wake each other. */
export const WAKE_CHANNEL = 'delivery_wake';
