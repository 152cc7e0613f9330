import { execFileSync } from 'node:child_process';

/** A stopped cluster's folder once more, with its owner and its modes, which PostgreSQL insists on. */
export const copyCluster = (from: string, to: string): void => void execFileSync('cp', ['-a', from, to]);
