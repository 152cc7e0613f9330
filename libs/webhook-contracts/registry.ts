import type { Contract } from './contract';
import { core } from './core/core.v1';
import { postEz } from './post-ez/post-ez.v1';

/** Every contract by its name; an endpoint that names none gets `core`. */
export const contracts: ReadonlyMap<string, Contract> = new Map(
  [core, postEz].map((contract) => [contract.name, contract]),
);

export const contractNamed = (name: string): Contract | undefined => contracts.get(name);
